"""Legacy text completions (`/v1/complete`), the only way of Claude 1, Instant and 2: the request.

Source: Anthropic's Python SDK 0.125.0, the last that had them; "Migrating from text completions".
"""

from __future__ import annotations

from jackfield.plugin import (
    UNSET,
    Capabilities,
    CompletionRequest,
    ModelRef,
    ParameterWriter,
    Translation,
)

from ._dialect import Dialect
from ._options import put_max_tokens, put_sampling
from ._prompt import ASSISTANT, HUMAN
from ._settings import OLD_VERSION

__all__ = ["translate_completion"]


def translate_completion(
    dialect: Dialect, model: ModelRef, request: CompletionRequest, capabilities: Capabilities
) -> Translation:
    """Translate a text completion. The endpoint supports only the old API version, which overrides the connection's."""
    options = request.options
    place = (dialect.complete_stream_path if request.stream else None) or dialect.complete_path or ""
    path, body = dialect.start(model, place)
    writer = ParameterWriter(options.given(), capabilities, options.unsupported, body, model=model.id)
    body["prompt"] = _with_turns(request.prompt, writer)
    put_max_tokens(writer, capabilities, "max_tokens_to_sample")
    put_sampling(writer)
    writer.merge_extra(options.extra, *dialect.ids)
    headers = {} if dialect.body_version else {"anthropic-version": OLD_VERSION}
    report = writer.finish()
    meta = {"api": "complete"}
    return Translation(
        dialect.wire(model, path, body, stream=request.stream, meta=meta, headers=headers), report
    )


def _with_turns(prompt: str, writer: ParameterWriter) -> str:
    """Wrap a prompt without turns in one, and put the system prompt before the first turn."""
    if not (prompt.lstrip().startswith("Human:") or HUMAN in prompt):
        prompt = f"{HUMAN} {prompt}{ASSISTANT}"
        writer.note("prompt", "emulated", wire="prompt", why="the service requires Human and Assistant turns")
    system = writer.take("system")
    if system is UNSET:
        return prompt
    writer.note("system", "renamed", wire="prompt", value=system)
    return f"{system}{prompt}"
