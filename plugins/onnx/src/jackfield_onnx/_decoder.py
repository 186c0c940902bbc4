"""Decode the engine's frames into events, the same for streamed and whole replies."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from jackfield import (
    Event,
    Finish,
    LogprobsDelta,
    RawEvent,
    Started,
    StreamInterruptedError,
    TextDelta,
    TokenLogprob,
    Usage,
    UsageUpdate,
)
from jackfield.plugin import EmbeddingData, Frame, Head, RerankScore, TokensCounted

from ._text.calls import CallParser
from ._text.tools import FORMATS

if TYPE_CHECKING:
    from ._engine.embedder import Embeddings
    from ._engine.replies import Step, Usage as EngineUsage
    from ._engine.reranker import Scores

__all__ = ["ReplyDecoder"]


class ReplyDecoder:
    """Decodes frames of the engine.

    A frame's event names its data: `tools` the format of tool calls (before the first step), `step` a pair of the
    engine's `Step` and `Usage`, `vectors` the embedder's `Embeddings`, `scores` the reranker's `Scores`, `count` a number
    of tokens.

    Args:
        model: Name of the model for `Started`.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._started = False
        self._complete = False
        self._calls: CallParser | None = None

    def start(self, head: Head) -> list[Event]:
        """Handle the response head; it carries no events."""
        return []

    def feed(self, frame: Frame) -> list[Event]:
        """Decode one frame."""
        events: list[Event] = []
        if not self._started:
            self._started = True
            events.append(Started(model=self._model))
        if frame.event == "step":
            self._read_step(events, *frame.data)
        elif frame.event == "vectors":
            self._read_vectors(events, frame.data)
        elif frame.event == "tools":
            form = frame.data
            self._calls = CallParser(
                FORMATS[form["format"]], form["seed"], single=form["single"], types=form.get("types")
            )
        elif frame.event == "scores":
            self._read_scores(events, frame.data)
        elif frame.event == "count":
            self._complete = True
            events.append(TokensCounted(frame.data))
        else:
            events.append(RawEvent(str(frame.event), frame.data))
        return events

    def finish(self) -> list[Event]:
        """Check that the last step was received.

        Raises:
            StreamInterruptedError: It was not.
        """
        if not self._complete:
            raise StreamInterruptedError("the engine's reply ended without its last step")
        return []

    def _read_step(self, events: list[Event], step: Step, usage: EngineUsage) -> None:
        if self._calls is not None:
            events += self._calls.feed(step.text)
            if step.finish is not None:
                events += self._calls.finish()
        elif step.text:
            events.append(TextDelta(step.text))
        if step.logprobs is not None:
            events.append(LogprobsDelta([_convert_logprob(detail) for detail in step.logprobs]))
        # With every step, so that an abandoned reply still reports what it cost.
        events.append(UsageUpdate(_convert_usage(usage), usage))
        if step.finish is not None:
            self._complete = True
            called = self._calls is not None and self._calls.calls > 0 and step.finish == "stop"
            events.append(Finish("tool_calls" if called else step.finish, raw=step.finish))

    def _read_vectors(self, events: list[Event], found: Embeddings) -> None:
        self._complete = True
        events += [EmbeddingData(index, vector) for index, vector in enumerate(found.vectors)]
        events.append(UsageUpdate(Usage(input_tokens=found.tokens, units=_to_units(found.seconds))))
        if found.truncated:
            events.append(RawEvent("truncated", list(found.truncated)))

    def _read_scores(self, events: list[Event], found: Scores) -> None:
        self._complete = True
        events += [RerankScore(index, score) for index, score in found.ranked]
        events.append(UsageUpdate(Usage(input_tokens=found.tokens, units=_to_units(found.seconds))))
        if found.truncated:
            events.append(RawEvent("truncated", list(found.truncated)))


def _convert_usage(usage: EngineUsage) -> Usage:
    return Usage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.generated_tokens,
        units=_to_units(usage.seconds),
    )


def _to_units(seconds: float) -> dict[str, Decimal]:
    return {"second": Decimal(str(round(seconds, 6)))}


def _convert_logprob(detail: Any) -> TokenLogprob:
    top = tuple(TokenLogprob(one.text, one.logprob) for one in detail.top)
    return TokenLogprob(detail.text, detail.logprob, top=top)
