"""Read what the engine gives: events of steps, vectors and counts, the same for streamed and whole answers."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from jackfield import (
    EmbeddingData,
    Event,
    Finish,
    Frame,
    Head,
    LogprobsDelta,
    RawEvent,
    Started,
    StreamInterruptedError,
    TextDelta,
    TokenLogprob,
    TokensCounted,
    Usage,
    UsageUpdate,
)

if TYPE_CHECKING:
    from . import _engine
    from ._embedder import Embeddings

__all__ = ["AnswerDecoder"]


class AnswerDecoder:
    """Turns the engine's objects into events.

    A frame's name says what it holds: `step` a pair of the engine's `Step` and `Usage`, `vectors` the embedder's
    `Embeddings`, `count` a number of tokens.

    Args:
        model: What the answer says of its model.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._started = False
        self._whole = False

    def start(self, head: Head) -> list[Event]:
        """Hear that the request was accepted; nothing is said of it yet."""
        return []

    def feed(self, frame: Frame) -> list[Event]:
        """Read one object."""
        events: list[Event] = []
        if not self._started:
            self._started = True
            events.append(Started(model=self._model))
        if frame.event == "step":
            self._step(events, *frame.data)
        elif frame.event == "vectors":
            self._vectors(events, frame.data)
        elif frame.event == "count":
            self._whole = True
            events.append(TokensCounted(frame.data))
        else:
            events.append(RawEvent(str(frame.event), frame.data))
        return events

    def finish(self) -> list[Event]:
        """Check that the last step has come."""
        if not self._whole:
            raise StreamInterruptedError("the engine's answer ended without its last step")
        return []

    def _step(self, events: list[Event], step: _engine.Step, usage: _engine.Usage) -> None:
        if step.text:
            events.append(TextDelta(step.text))
        if step.logprobs is not None:
            events.append(LogprobsDelta([_logprob(detail) for detail in step.logprobs]))
        # With every step, so that an answer that is left early still says what it cost.
        events.append(UsageUpdate(_usage(usage), usage))
        if step.finish is not None:
            self._whole = True
            events.append(Finish(step.finish, raw=step.finish))

    def _vectors(self, events: list[Event], found: Embeddings) -> None:
        self._whole = True
        events += [EmbeddingData(index, vector) for index, vector in enumerate(found.vectors)]
        events.append(UsageUpdate(Usage(input_tokens=found.tokens)))
        if found.truncated:
            events.append(RawEvent("truncated", list(found.truncated)))


def _usage(usage: _engine.Usage) -> Usage:
    seconds = Decimal(str(round(usage.seconds, 6)))
    return Usage(
        input_tokens=usage.prompt_tokens, output_tokens=usage.generated_tokens, units={"second": seconds}
    )


def _logprob(detail: Any) -> TokenLogprob:
    top = tuple(TokenLogprob(one.text, one.logprob) for one in detail.top)
    return TokenLogprob(detail.text, detail.logprob, top=top)
