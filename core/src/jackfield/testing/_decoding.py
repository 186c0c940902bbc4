"""Decode an answer without a network, as the core does: frames in, events out, faults named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import attrs

from jackfield._calls.fold import Folded, fold
from jackfield._calls.reading import FrameReader, corrected
from jackfield._contract.protocols import FailureInStream
from jackfield._http.framer import Framer, FramingError
from jackfield._http.framers import framer_for
from jackfield._plugins.provider import Provider
from jackfield._types.capabilities import ModelRef
from jackfield._types.errors import JackfieldError, MalformedResponseError, ProviderError
from jackfield._types.events import Event, Finish
from jackfield._types.failures import Failure, error_from_status
from jackfield._types.wire import Frame, Head, Wire

__all__ = ["Decoded", "decode_frames", "decode_wire", "named_error"]


@attrs.frozen
class Decoded:
    """What came of an answer.

    Attributes:
        events: In order.
        at_start: How many of them came out of `start()`.
        at_end: How many of them came out of `finish()`.
        error: What was raised, as a caller would see it; None for a good answer.
        fault: What the decoder itself raised where that is not an error of ours.
        ended: The decoder said that the answer had ended, before its body did.
        is_whole: It said before the end of the body that nothing of the answer was missing.
    """

    events: tuple[Event, ...]
    at_start: int = 0
    at_end: int = 0
    error: JackfieldError | None = None
    fault: Exception | None = None
    ended: bool = False
    is_whole: bool = False

    @property
    def started(self) -> tuple[Event, ...]:
        """The events that were there before the first frame."""
        return self.events[: self.at_start]

    @property
    def fed(self) -> tuple[Event, ...]:
        """The events that frames brought, with those of `start()` before them."""
        return self.events[: len(self.events) - self.at_end]

    @property
    def folded(self) -> Folded:
        """What the events amount to."""
        return fold(self.events)

    def finishes(self) -> dict[int, list[Finish]]:
        """Return the finish events by choice."""
        found: dict[int, list[Finish]] = {}
        for event in self.events:
            if isinstance(event, Finish):
                found.setdefault(event.choice, []).append(event)
        return found


def decode_wire(
    provider: Provider, model: ModelRef, wire: Wire, head: Head, chunks: Sequence[bytes]
) -> Decoded:
    """Frame and decode the bytes of an answer, piece by piece."""
    if head.status is not None and not 200 <= head.status < 300:
        failure = Failure(status=head.status, headers=head.headers, body=b"".join(chunks))
        return Decoded((), error=named_error(provider, model, failure))
    if not wire.stream:
        return decode_frames(provider, model, wire, head, [b"".join(chunks)])
    framer = framer_for(head.headers.get("content-type"), wire.framing)
    shown = _Shown(framer)

    def batches() -> Iterator[Sequence[Frame]]:
        for chunk in chunks:
            yield framer.feed(chunk)
        yield framer.close()

    return _decode(provider, model, wire, head, batches(), shown)


def decode_frames(
    provider: Provider, model: ModelRef, wire: Wire, head: Head, frames: Iterable[object]
) -> Decoded:
    """Decode frames; what is no `Frame` is one's data."""
    batches = ((frame if isinstance(frame, Frame) else Frame(frame),) for frame in frames)
    return _decode(provider, model, wire, head, batches, _Shown(None))


class _Shown:
    """What a body shows beyond its frames, as far as it was framed."""

    def __init__(self, framer: Framer | None) -> None:
        self._framer = framer

    @property
    def content_type(self) -> str | None:
        return getattr(self._framer, "found", None)

    @property
    def stray(self) -> bytes:
        found: bytes = getattr(self._framer, "stray", b"")
        return found


def _decode(
    provider: Provider,
    model: ModelRef,
    wire: Wire,
    head: Head,
    batches: Iterable[Sequence[Frame]],
    shown: _Shown,
) -> Decoded:
    events: list[Event] = []
    started = 0
    try:
        reader = FrameReader(provider.decoder(model, wire), events)
        for batch in batches:
            if batch and not reader.ended:
                if not reader.has_begun:
                    reader.start(corrected(head, shown.content_type))
                    started = len(events)
                reader.feed(batch)
        if not reader.has_begun:
            reader.start(corrected(head, shown.content_type))
            started = len(events)
        fed = len(events)
        is_whole = reader.ended or reader.is_whole
        reader.finish(shown.stray)
    except JackfieldError as error:
        return Decoded(tuple(events), started, error=error)
    except FailureInStream as error:
        return Decoded(tuple(events), started, error=named_error(provider, model, error.failure))
    except Exception as error:
        named = MalformedResponseError(f"{type(error).__name__}: {error}")
        fault = None if isinstance(error, FramingError) else error
        return Decoded(tuple(events), started, error=named, fault=fault)
    return Decoded(tuple(events), started, len(events) - fed, ended=reader.ended, is_whole=is_whole)


def named_error(provider: Provider, model: ModelRef | None, failure: Failure) -> JackfieldError:
    """Return the error that a caller sees: the plugin's, else the core's by status."""
    error = provider.error(model, failure)
    if error is not None:
        return error
    if failure.status is None and failure.exception is not None:
        return ProviderError(f"{type(failure.exception).__name__}: {failure.exception}")
    return error_from_status(failure)
