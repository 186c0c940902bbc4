"""InvokeEndpoint, streamed, asynchronous or plain: the envelope of a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jackfield.plugin import ModelRef, Wire, quote_segment

from ._models import ModeRow

__all__ = ["with_envelope"]

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


def with_envelope(wire: Wire, mode: ModeRow, model: ModelRef) -> Wire:
    """Add the envelope to a wire: the path, the headers and the framing of the operation."""
    declared = model.declared
    waits: Mapping[str, Any] | None = declared.get("asynchronous")
    operation = "async-invocations" if waits is not None else "invocations"
    if wire.stream:
        operation = "invocations-response-stream"
    endpoint = quote_segment(declared.get("endpoint") or model.id)
    accept = wire.headers.get("Accept") or (None if wire.stream else "application/json")
    content_type = wire.headers.get("Content-Type", "application/json")
    # In streamed and asynchronous operations, headers for the container have names of their own.
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
