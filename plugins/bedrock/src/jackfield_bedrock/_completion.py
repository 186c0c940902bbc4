"""Text completions by InvokeModel: the request, in the native body of the model's maker."""

from __future__ import annotations

from typing import Any

import attrs

from jackfield import UnsupportedError
from jackfield.plugin import Capabilities, CompletionRequest, ModelRef, ParameterWriter, Translation, Wire

from ._dialect import claude, cohere
from ._invoke import INVOKE, STREAM, with_envelope
from ._models import body_named, row_of
from ._names import path_of

__all__ = ["translate_completion"]


def translate_completion(
    model: ModelRef, request: CompletionRequest, capabilities: Capabilities
) -> Translation:
    """Translate a text completion into the native body of the model's maker.

    Raises:
        UnsupportedError: The model has no native body for it.
    """
    row = row_of(model.known_as)
    native = row.get("text", row["native"])
    path, stream_path = path_of(model, INVOKE), path_of(model, STREAM)
    if native == "claude-text":
        from jackfield_anthropic import translate as translate_claude

        translation = translate_claude(claude(path, stream_path, text=True), model, request, capabilities)
        return with_envelope(translation, model, "claude", stream=request.stream)
    if native == "command":
        from jackfield_cohere import translate as translate_cohere

        translation = translate_cohere(cohere(path, stream_path, generate=True), model, request, capabilities)
        return with_envelope(translation, model, "cohere", stream=request.stream)
    if native is None or "completion" not in row["kinds"]:
        raise UnsupportedError(f"{model.id} does not complete text", parameter="prompt")
    return _translate_by_table(model, request, capabilities, native)


def _translate_by_table(
    model: ModelRef, request: CompletionRequest, capabilities: Capabilities, native: str
) -> Translation:
    """Translate a text completion by a body of the table, which names its source."""
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
    translation = Translation(attrs.evolve(wire, meta=meta), writer.finish())
    return with_envelope(translation, model, "text", stream=request.stream)
