"""HTTP for plugin authors: the transport and the framers. Names load when they are first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._faces import lazy

if TYPE_CHECKING:
    from ._http.aws_eventstream import AWSEventStreamFramer as AWSEventStreamFramer
    from ._http.blocking import fetch_blocking as fetch_blocking
    from ._http.framer import Framer as Framer, FramingError as FramingError
    from ._http.framers import (
        FRAMINGS as FRAMINGS,
        JSONLinesFramer as JSONLinesFramer,
        NestedFramer as NestedFramer,
        SSEFramer as SSEFramer,
        WholeFramer as WholeFramer,
        event_payload as event_payload,
        framer_for as framer_for,
    )
    from ._http.json_array import JSONArrayFramer as JSONArrayFramer
    from ._http.tokens import fetch_token as fetch_token
    from ._http.transport import HttpTransport as HttpTransport
    from ._types.failures import (
        error_from_status as error_from_status,
        failure_message as failure_message,
    )
    from ._types.sizes import MAX_RESPONSE as MAX_RESPONSE, read_limited as read_limited
    from ._types.waits import retry_after_seconds as retry_after_seconds
else:
    __getattr__, __dir__, __all__ = lazy(
        __name__,
        {
            "_http.aws_eventstream": "AWSEventStreamFramer",
            "_http.blocking": "fetch_blocking",
            "_http.framer": "Framer FramingError",
            "_http.framers": "FRAMINGS JSONLinesFramer NestedFramer SSEFramer WholeFramer event_payload framer_for",
            "_http.json_array": "JSONArrayFramer",
            "_http.tokens": "fetch_token",
            "_http.transport": "HttpTransport",
            "_types.failures": "error_from_status failure_message",
            "_types.sizes": "MAX_RESPONSE read_limited",
            "_types.waits": "retry_after_seconds",
        },
    )
