"""Read the JSON in frames: what gateways send between the events of a service means nothing, and errors are found."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Any, Final

import orjson

from jackfield._json import read_json
from jackfield._types.errors import MalformedResponseError
from jackfield._types.failures import Failure
from jackfield._types.wire import Frame

from .protocols import FailureInStream

__all__ = ["not_json", "read_frame", "sift_frame"]

_SHOWN: Final = 80
_HEARTBEAT: Final = r"(?i:[:\s]*(?:(?:ping|pong|heart[-_ ]?beat|keep[-_ ]?alive)\b.{0,80})?\s*)"
"""What a gateway writes in place of an event; a comment inside the data begins with a colon."""
_FAULT: Final = r"(?i:(?:.*[-_.:])?(?:error|exception|failure))"
"""Names of events that tell of an error: `error`, `server_error`."""


def read_frame(frame: Frame, names: Container[str] = ()) -> Any:
    """Parse the JSON of a frame, as decoders do with each; None means that it is a heartbeat, and to be passed over.

    Heartbeats are JSON's `null`, frames whose event name is not one of `names` and whose data is not a JSON object
    with something in it (`event: ping` with no data, with the word `ping`, with `{}`), and those without a name whose data
    is a word for one: `ping`, `: keep-alive`. A frame named `error`, or `server_error`, holds an error, whatever its form, unless
    `names` has that name. What strict parsers refuse is read by `read_json`; a half of a
    surrogate pair at the beginning or end of a string is kept, because its other half may come with the next frame: the
    core joins them.

    Args:
        frame: The frame; data that is not text or bytes (of a transport of the plugin's own) is the value itself.
        names: The event names that the decoder knows, if the service has names.

    Raises:
        FailureInStream: The frame is named `error`.
        MalformedResponseError: Its data is not JSON.
    """
    data = frame.data
    value: Any
    if not isinstance(data, bytes | bytearray | memoryview | str):
        value = data
    else:
        try:
            value = orjson.loads(data)
        except orjson.JSONDecodeError:
            value = _read_again(frame, names)
    return value if frame.event is None else sift_frame(frame, value, names)


def sift_frame(frame: Frame, value: Any, names: Container[str] = ()) -> Any:
    """Do what `read_frame` does with a frame whose JSON was parsed already, on a fast path.

    Args:
        frame: The frame.
        value: Its JSON.
        names: As `read_frame`.

    Raises:
        FailureInStream: The frame is named `error`.
    """
    if frame.event is None or frame.event in names:
        return value
    if re.fullmatch(_FAULT, frame.event):
        data = frame.data
        body = data.encode("utf-8", "replace") if isinstance(data, str) else data
        raise FailureInStream(
            Failure(
                body=bytes(body) if isinstance(body, bytes | bytearray | memoryview) else b"",
                data=value if isinstance(value, dict) else {"message": str(value)},
                event=frame.event,
            )
        )
    return value if isinstance(value, dict) and value else None


def not_json(frame: Frame, error: ValueError) -> MalformedResponseError:
    """Return the error of a frame whose data is not JSON; it shows how the data begins, and recognizes a page.

    Args:
        frame: The frame; its data is text or bytes.
        error: What the parser says.
    """
    data = frame.data
    body = data.encode("utf-8", "replace") if isinstance(data, str) else bytes(data)
    if not body.strip():
        return MalformedResponseError("the answer has no body", body=body)
    what = f"something that is not JSON ({error})"
    if body.lstrip().startswith(b"<"):
        what = "a page, which is not JSON; is base_url right?"
    return MalformedResponseError(f"the service sent {what}: {body[:_SHOWN]!r}", body=body)


def _read_again(frame: Frame, names: Container[str]) -> Any:
    """Read what orjson refuses; None for a heartbeat."""
    try:
        return read_json(frame.data, halves=True)
    except ValueError as error:
        data = frame.data
        text = data if isinstance(data, str) else bytes(data).decode("utf-8", "replace")
        if frame.event is None or frame.event in names:
            if text.strip() and re.fullmatch(_HEARTBEAT, text):
                return None
            raise not_json(frame, error) from error
        return text
