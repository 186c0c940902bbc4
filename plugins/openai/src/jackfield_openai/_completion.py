"""Text completions: the request. The answer has the form of a chat's and the same decoder."""

from __future__ import annotations

from typing import Final

from jackfield.plugin import (
    UNSET,
    Capabilities,
    CompletionRequest,
    ModelRef,
    Options,
    ParameterWriter,
    Translation,
    Wire,
)

from ._chat import convert_bias, put_renamed, put_usage_option
from ._dialect import Dialect

__all__ = ["translate_completion"]

_UNCHANGED: Final = (
    "suffix",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "n",
    "presence_penalty",
    "frequency_penalty",
    "seed",
    "user",
)


def translate_completion(
    dialect: Dialect, model: ModelRef, request: CompletionRequest, capabilities: Capabilities
) -> Translation:
    """Translate a text completion.

    Source: API reference of completions, 2026-11: `logprobs` is the number of alternatives, at most 5.
    """
    options = request.options
    path, body = dialect.start(dialect.completion_path, model)
    writer = ParameterWriter(options.given(), capabilities, options.unsupported, body, model=model.id)
    body["prompt"] = request.prompt
    for name in _UNCHANGED:
        put_renamed(dialect, writer, name)
    put_renamed(dialect, writer, "stop", convert=list)
    put_renamed(dialect, writer, "logit_bias", convert=convert_bias)
    _put_logprobs(writer, options)
    if request.stream:
        body["stream"] = True
        put_usage_option(dialect, writer)
    writer.merge_extra(options.extra, *dialect.ids)
    framing = "sse" if request.stream else None
    wire = Wire(path, body, stream=request.stream, framing=framing, meta={"api": "completion"})
    return Translation(wire, writer.finish())


def _put_logprobs(writer: ParameterWriter, options: Options) -> None:
    """Write `logprobs` and `top_logprobs` as the one number that the service accepts."""
    wanted, alternatives = writer.take("logprobs"), writer.take("top_logprobs")
    if wanted is UNSET and alternatives is UNSET:
        return
    if wanted is False:
        writer.drop("logprobs", "a completion returns them only on request", value=False)
        return
    count = 0 if alternatives is UNSET else alternatives
    name = "logprobs" if options.top_logprobs is UNSET else "top_logprobs"
    writer.write(name, "logprobs", count)
