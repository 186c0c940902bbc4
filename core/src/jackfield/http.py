"""HTTP for plugin authors: the transport and the framers."""

from ._http.aws_eventstream import AWSEventStreamFramer
from ._http.blocking import fetch_blocking
from ._http.framer import Framer, FramingError
from ._http.framers import (
    FRAMINGS,
    JSONLinesFramer,
    NestedFramer,
    SSEFramer,
    WholeFramer,
    event_payload,
    framer_for,
)
from ._http.json_array import JSONArrayFramer
from ._http.transport import HttpTransport
from ._types.failures import error_from_status, failure_message, retry_after_seconds
from ._types.sizes import MAX_RESPONSE, read_limited

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
    "fetch_blocking",
    "framer_for",
    "read_limited",
    "retry_after_seconds",
]
