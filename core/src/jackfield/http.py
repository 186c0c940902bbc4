"""HTTP for plugin authors: the transport and the framers."""

from ._eventstream import AWSEventStreamFramer
from ._framer import Framer, FramingError
from ._framing import (
    FRAMINGS,
    JSONLinesFramer,
    NestedFramer,
    SSEFramer,
    WholeFramer,
    event_payload,
    framer_for,
)
from ._json_array import JSONArrayFramer
from ._sizes import MAX_RESPONSE, read_limited
from ._status import error_from_status, failure_message, retry_after_seconds
from ._transport import HttpTransport

__all__ = [
    "FRAMINGS",
    "MAX_RESPONSE",
    "AWSEventStreamFramer",
    "Framer",
    "FramingError",
    "HttpTransport",
    "JSONArrayFramer",
    "JSONLinesFramer",
    "NestedFramer",
    "SSEFramer",
    "WholeFramer",
    "error_from_status",
    "event_payload",
    "failure_message",
    "framer_for",
    "read_limited",
    "retry_after_seconds",
]
