"""Token counts, by Converse or by Claude's own messages: the request and the answer."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from jackfield import Event, UnsupportedError
from jackfield.plugin import Capabilities, ChatRequest, CountRequest, ModelRef, Translation, Wire, write_json

from ._converse import count_body
from ._models import row_of
from ._names import path_of

__all__ = ["read_count", "translate_count"]


def translate_count(
    model: ModelRef, request: CountRequest, capabilities: Capabilities, *, native: bool
) -> Translation:
    """Translate a request to count tokens. Source: AWS's service model in botocore 1.44.5 (2026-11).

    Raises:
        UnsupportedError: The model is called with a native body that the operation does not accept.
    """
    path = path_of(model, "count-tokens", profile=False)
    meta = {"family": "count"}
    if not native:
        body, report = count_body(model, request, capabilities)
        return Translation(Wire(path, body, meta=meta), report)
    if not row_of(model.known_as)["family"].startswith("claude"):
        raise UnsupportedError(
            f"the service does not count tokens of {model.id} on this route", parameter="messages"
        )
    from ._invoke import translate_native

    options = attrs.evolve(request.options, extra={})
    translation = translate_native(model, ChatRequest(request.messages, options), capabilities, messages=True)
    inner = base64.b64encode(write_json(translation.wire.body)).decode()
    body = {"input": {"invokeModel": {"body": inner}}, **request.options.extra.get("bedrock", {})}
    return Translation(Wire(path, body, meta=meta), translation.report)


def read_count(answer: Mapping[str, Any]) -> Iterator[Event]:
    """Read a token count."""
    from jackfield.plugin import TokensCounted

    yield TokensCounted(answer["inputTokens"])
