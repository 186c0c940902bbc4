"""Text completions of InvokeModel, in the body of the model's maker: the request."""

from __future__ import annotations

from typing import Any

import attrs

from jackfield import UnsupportedError
from jackfield.plugin import Capabilities, CompletionRequest, ModelRef, ParameterWriter, Translation, Wire

from ._dialect import claude, cohere
from ._invoke import INVOKE, STREAM, sealed
from ._models import body_named, row_of
from ._names import path_of

__all__ = ["translate_completion"]


def translate_completion(
    model: ModelRef, request: CompletionRequest, capabilities: Capabilities
) -> Translation:
    """Write a text completion in the body of the model's maker.

    Raises:
        UnsupportedError: The model has no body for it.
    """
    row = row_of(model.known_as)
    native = row.get("text", row["native"])
    path, stream_path = path_of(model, INVOKE), path_of(model, STREAM)
    if native == "claude-text":
        from jackfield_anthropic import translate as of_claude

        made = of_claude(claude(path, stream_path, text=True), model, request, capabilities)
        return sealed(made, model, "claude", stream=request.stream)
    if native == "command":
        from jackfield_cohere import translate as of_cohere

        made = of_cohere(cohere(path, stream_path, generate=True), model, request, capabilities)
        return sealed(made, model, "cohere", stream=request.stream)
    if native is None or "completion" not in row["kinds"]:
        raise UnsupportedError(f"{model.id} completes no text", parameter="prompt")
    return _by_table(model, request, capabilities, native)


def _by_table(
    model: ModelRef, request: CompletionRequest, capabilities: Capabilities, native: str
) -> Translation:
    """Write a body of the table. Source: named in the table."""
    form = body_named(native)
    options = request.options
    body: dict[str, Any] = {form["prompt"]: request.prompt}
    writer = ParameterWriter(options.given(), capabilities, options.unsupported, body, model=model.id)
    for name, path in form["options"].items():
        if name in writer.left:
            writer.put(name, path, list if name == "stop" else None)
    writer.merge_extra(options.extra, "bedrock")
    wire = Wire(path_of(model, STREAM if request.stream else INVOKE), body, stream=request.stream)
    meta = {"body": native}
    made = Translation(attrs.evolve(wire, meta=meta), writer.finish())
    return sealed(made, model, "text", stream=request.stream)
