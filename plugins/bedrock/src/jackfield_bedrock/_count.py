"""The count of a conversation's tokens, by Converse or by Claude's own messages."""

from __future__ import annotations

import base64

import attrs
import orjson

from jackfield import (
    Capabilities,
    ChatRequest,
    CountRequest,
    Event,
    Frame,
    Head,
    MalformedResponseError,
    ModelRef,
    Translation,
    UnsupportedError,
    Wire,
)

from ._converse import count_body
from ._models import row_of
from ._paths import path_of

__all__ = ["CountDecoder", "translate_count"]


def translate_count(
    model: ModelRef, request: CountRequest, capabilities: Capabilities, *, native: bool
) -> Translation:
    """Write a conversation whose tokens are to be counted. Source: AWS's service model in botocore 1.44.5 (2026-11).

    Raises:
        UnsupportedError: The model is asked by a native body that the operation does not take.
    """
    path = path_of(model, "count-tokens", profile=False)
    meta = {"family": "count"}
    if not native:
        body, report = count_body(model, request, capabilities)
        return Translation(Wire(path, body, meta=meta), report)
    if not row_of(model.known_as)["family"].startswith("claude"):
        raise UnsupportedError(
            f"the service counts no tokens of {model.id} by this route", parameter="messages"
        )
    from ._native import translate_native

    options = attrs.evolve(request.options, extra={})
    made = translate_native(model, ChatRequest(request.messages, options), capabilities, messages=True)
    inner = base64.b64encode(orjson.dumps(made.wire.body)).decode()
    body = {"input": {"invokeModel": {"body": inner}}, **request.options.extra.get("bedrock", {})}
    return Translation(Wire(path, body, meta=meta), made.report)


class CountDecoder:
    """Reads the answer of the operation that counts tokens."""

    def __init__(self) -> None:
        self._counted = False

    def start(self, head: Head) -> list[Event]:
        """Hear that the answer began."""
        return []

    def feed(self, frame: Frame) -> list[Event]:
        """Read the whole answer."""
        from jackfield import TokensCounted

        count = orjson.loads(frame.data)["inputTokens"]
        self._counted = True
        return [TokensCounted(count)]

    def finish(self) -> list[Event]:
        """Check that there was an answer."""
        if not self._counted:
            raise MalformedResponseError("the answer has no body")
        return []
