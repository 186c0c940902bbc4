"""Spans and metrics of calls."""

from __future__ import annotations

from contextvars import Token
from importlib.metadata import version
from typing import Final

import attrs
from opentelemetry import context, metrics, trace
from opentelemetry.context import Context
from opentelemetry.metrics import Counter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from jackfield import Cost, Usage
from jackfield.plugin import Call, Outcome

from ._attributes import IN_PROCESS, Attributes, common, of_outcome, of_request
from ._content import input_content, is_requested, output_content

__all__ = ["Telemetry"]

# The conventions' boundaries: seconds, and tokens.
_SECONDS: Final = [0.01 * 2**power for power in range(14)]
_TOKENS: Final = [4**power for power in range(14)]


@attrs.frozen
class _Running:
    """A call that has started.

    Attributes:
        span: Its span.
        token: Restores the caller's context; None for a stream, since the caller works between its events.
        shared: The attributes that spans and metrics share.
    """

    span: Span
    token: Token[Context] | None
    shared: Attributes


class Telemetry:
    """Spans and metrics of calls, through the providers that are set when it is made, or later."""

    def __init__(self) -> None:
        name, number = "jackfield_otel", version("jackfield-otel")
        self._tracer = trace.get_tracer(name, number)
        meter = metrics.get_meter(name, number)
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            "s",
            "GenAI operation duration.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._first_chunk = meter.create_histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            "s",
            "Time from the call to the first event of its stream.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )
        self._cost = meter.create_counter(
            "jackfield.client.cost", "{currency}", "What calls cost, by jackfield.cost.currency."
        )
        self._saved = meter.create_counter(
            "jackfield.client.cost.saved",
            "{currency}",
            "What answers that were given again had cost, by jackfield.cost.currency.",
        )
        self._running: dict[str, _Running] = {}

    def start(self, call: Call) -> None:
        """Start a span as a child of the caller's; for a whole call it is the current one until the call ends."""
        shared = common(call)
        span = self._tracer.start_span(
            f"{shared['gen_ai.operation.name']} {call.model.id}",
            kind=SpanKind.INTERNAL if call.provider in IN_PROCESS else SpanKind.CLIENT,
            attributes=of_request(call, shared),
        )
        if span.is_recording() and is_requested():
            span.set_attributes(input_content(call))
        token = None if call.stream else context.attach(trace.set_span_in_context(span))
        self._running[call.id] = _Running(span, token, shared)

    def finish(self, call: Call, outcome: Outcome) -> None:
        """End the span and record the metrics."""
        running = self._running.pop(call.id, None)
        if running is None:
            return
        if running.token is not None:
            context.detach(running.token)
        self._end(running.span, call, outcome)
        self._measure(running.shared, call, outcome)

    def _end(self, span: Span, call: Call, outcome: Outcome) -> None:
        if span.is_recording():
            span.set_attributes(of_outcome(outcome))
            first = _seconds_to_first_event(call, outcome)
            if first is not None:
                span.set_attribute("gen_ai.response.time_to_first_chunk", first)
            if outcome.status == "error":
                # The message of an error may quote the prompt: its class says enough.
                span.set_attribute("error.type", _error_type(outcome))
                span.set_status(Status(StatusCode.ERROR, _error_type(outcome)))
            if is_requested():
                span.set_attributes(output_content(outcome.reply))
        span.end()

    def _measure(self, shared: Attributes, call: Call, outcome: Outcome) -> None:
        known = shared if outcome.model is None else {**shared, "gen_ai.response.model": outcome.model}
        ended = {**known, "error.type": _error_type(outcome)} if outcome.status == "error" else known
        timings = outcome.timings
        if timings is not None and timings.finished is not None:
            self._duration.record(timings.finished - timings.queued, ended)
        first = _seconds_to_first_event(call, outcome)
        if first is not None:
            self._first_chunk.record(first, ended)
        of_connection = {**known, "jackfield.connection": call.connection}
        if outcome.replay is not None:
            _add(self._saved, outcome.replay.cost, of_connection)
            return  # nothing was used: answers of a cache must not count as many small ones
        for kind, count in _tokens(outcome.usage):
            self._tokens.record(count, {**known, "gen_ai.token.type": kind})
        _add(self._cost, outcome.cost, of_connection)


def _add(counter: Counter, cost: Cost, attributes: Attributes) -> None:
    if cost.amount is not None:
        counter.add(float(cost.amount), {**attributes, "jackfield.cost.currency": cost.currency or ""})


def _tokens(usage: Usage) -> list[tuple[str, int]]:
    """Return input and output tokens: those that are billed, if the service distinguishes them (conventions)."""
    counts = {
        "input": usage.details.get("billed_input_tokens", usage.input_tokens),
        "output": usage.details.get("billed_output_tokens", usage.output_tokens),
    }
    return [(kind, count) for kind, count in counts.items() if count is not None]


def _seconds_to_first_event(call: Call, outcome: Outcome) -> float | None:
    """Return the seconds from the call to the first event of its stream; None for a whole call."""
    timings = outcome.timings
    if not call.stream or timings is None or timings.first_event is None:
        return None
    return timings.first_event - timings.queued


def _error_type(outcome: Outcome) -> str:
    return type(outcome.error).__name__ if outcome.error is not None else "_OTHER"
