"""From a request to the endpoint, and from its answer back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jackfield.plugin import (
    Capabilities,
    Decoder,
    EmbedRequest,
    ModelRef,
    Request,
    Translation,
    Wire,
    quote_segment,
)

from ._models import ModeRow, mode_of

__all__ = ["decoder", "translate"]

# Source: SageMaker runtime service model (botocore 1.44.5, 2026-11).
_PREFIX: Final = "X-Amzn-SageMaker-"
_HEADERS: Final = {
    "custom_attributes": _PREFIX + "Custom-Attributes",
    "target_model": _PREFIX + "Target-Model",
    "target_variant": _PREFIX + "Target-Variant",
    "target_container": _PREFIX + "Target-Container-Hostname",
    "inference_component": _PREFIX + "Inference-Component",
}
_ASYNCHRONOUS: Final = {
    "seconds": _PREFIX + "InvocationTimeoutSeconds",
    "waits": _PREFIX + "RequestTTLSeconds",
}


def translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Turn a request into a wire for the endpoint's mode.

    Raises:
        UnsupportedError: The mode has no such kind of request, or cannot carry an option.
    """
    mode = mode_of(model)
    made = _translated(mode, model, request, capabilities)
    return Translation(_addressed(made.wire, mode, model), made.report)


def _translated(mode: ModeRow, model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    if mode.dialect is not None:
        from ._dialects import translate_in_dialect

        return translate_in_dialect(mode, model, request, capabilities)
    if mode.name == "template":
        from ._template import translate_by_template

        return translate_by_template(model, request, capabilities)
    if isinstance(request, EmbedRequest):
        from ._embeddings import translate_embedding

        return translate_embedding(mode, model, request, capabilities)
    from ._texts import translate_text

    return translate_text(mode, model, request, capabilities)


def _addressed(wire: Wire, mode: ModeRow, model: ModelRef) -> Wire:
    declared = model.declared
    waits: Mapping[str, Any] | None = declared.get("asynchronous")
    operation = "async-invocations" if waits is not None else "invocations"
    if wire.stream:
        operation = "invocations-response-stream"
    endpoint = quote_segment(declared.get("endpoint") or model.id)
    accept = wire.headers.get("Accept") or (None if wire.stream else "application/json")
    content_type = wire.headers.get("Content-Type", "application/json")
    # The names differ: a stream's and an asynchronous answer's own headers are not those of the envelope.
    headers = {(_PREFIX if waits is not None else "") + "Content-Type": content_type}
    if accept is not None:
        headers["Accept" if operation == "invocations" else _PREFIX + "Accept"] = accept
    headers.update({name: declared[key] for key, name in _HEADERS.items() if declared.get(key) is not None})
    if waits is not None:
        headers.update(
            {name: str(waits[key]) for key, name in _ASYNCHRONOUS.items() if waits.get(key) is not None}
        )
    meta = {**wire.meta, "mode": mode.name}
    if waits is not None:
        meta["asynchronous"] = dict(waits)
    return Wire(
        f"/endpoints/{endpoint}/{operation}",
        wire.body,
        headers=headers,
        stream=wire.stream,
        framing="aws_eventstream" if wire.stream else None,
        meta=meta,
    )


def decoder(wire: Wire) -> Decoder:
    """Give the decoder for the answer to a wire."""
    inner = _decoder_of(wire)
    if not wire.stream:
        return inner
    from ._envelope import EnvelopeDecoder

    return EnvelopeDecoder(inner, wire.meta.get("framing"))


def _decoder_of(wire: Wire) -> Decoder:
    from ._models import modes

    mode = modes()[wire.meta["mode"]]
    if mode.dialect is not None:
        from ._dialects import decoder_of

        return decoder_of(mode.dialect, wire)
    if mode.name == "template":
        from ._template_decoder import TemplateDecoder

        return TemplateDecoder(wire)
    if wire.meta["api"] == "embedding":
        from ._embeddings import embedding_decoder

        return embedding_decoder(wire.meta["inputs"])
    from ._texts_decoder import TextDecoder

    return TextDecoder(wire)
