"""The answer: OpenAI's decoders, behind a look at what came."""

from __future__ import annotations

from jackfield import Event, MalformedResponseError
from jackfield.plugin import Decoder, Head, ModelRef, Wire
from jackfield_openai import decoder as decoder_of

from ._dialect import dialect_for

__all__ = ["decoder", "refuse_page"]


def decoder(model: ModelRef, wire: Wire) -> Decoder:
    """Give the decoder for the answer to a wire."""
    route = wire.meta.get("route", "compatible")
    dialect = dialect_for(route, model.id, model.known_as, per_token=model.underlying is None)
    return _NoPage(decoder_of(dialect, wire))


class _NoPage:
    """Refuses a web page with a good status, and leaves all else to a decoder."""

    __slots__ = ("_start", "feed", "finish")

    def __init__(self, inner: Decoder) -> None:
        self._start = inner.start
        self.feed = inner.feed
        self.finish = inner.finish

    def start(self, head: Head) -> list[Event]:
        """Hear that the answer began."""
        refuse_page(head)
        return self._start(head)


def refuse_page(head: Head) -> None:
    """Raise an error if the answer is a web page: the login page, when the host is not a workspace's.

    Raises:
        MalformedResponseError: It is.
    """
    if head.headers.get("content-type", "").lower().startswith("text/html"):
        raise MalformedResponseError(
            f"the service answered with a web page (status {head.status}), perhaps its login page; "
            "host must be the address of a workspace, https://dbc-….cloud.databricks.com",
            status=head.status,
        )
