"""Measure calls: what one may use at most before it is made, and what it used afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from jackfield import (
    Attempt,
    Cost,
    EmbedReply,
    JackfieldError,
    Reply,
    RerankReply,
    TimeoutError,
    ToolCall,
    Usage,
)
from jackfield.plugin import Call, Forecast

from ._amounts import SCALE, as_amount
from ._rules import Rule

__all__ = ["Measured", "Meter", "UnmeasurableError", "has_price"]

_UNTOLD: Final = frozenset(
    {"TimeoutError", "StreamInterruptedError", "MalformedResponseError", "CancelledError"}
)
"""Errors of attempts that a service may have begun to answer, and bills: nobody tells for how much."""
_BEFORE: Final = ("phase connect", "phase queue")
_SECOND: Final = "second"
_BYTES_A_TOKEN: Final = 4


class UnmeasurableError(Exception):
    """It is not known what a call may use at most.

    Attributes:
        why: What is not known, and what to do.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Meter:
    """Measures the calls of a middleware, and remembers what they used of what they might have used.

    Args:
        expected: Reserve what is expected, not the most.
        allow_unpriced: Count calls without a known price as 0.
        assume_output: Output tokens where nothing limits them.
    """

    def __init__(
        self, *, expected: bool = False, allow_unpriced: bool = False, assume_output: int | None = None
    ) -> None:
        self._expected = expected
        self._allow_unpriced = allow_unpriced
        self._assume = assume_output
        self._ratios: dict[tuple[str, str, str], float] = {}
        self._units: dict[tuple[str, str, str], Decimal] = {}

    def most(self, rule: Rule, call: Call) -> int:
        """Return what a call uses of a limit at most; where that is wished, what is expected instead.

        Raises:
            UnmeasurableError: It is not known, and the limit would have to know.
        """
        try:
            amount = self._most(rule, call, call.forecast)
        except UnmeasurableError:
            if rule.action == "warn":
                return 0
            raise
        if self._expected and amount and rule.measure not in ("requests", "parallel"):
            ratio = self._ratios.get((rule.measure, call.connection, call.model.id))
            return amount if ratio is None else min(amount, int(amount * ratio) + 1)
        return amount

    def _most(self, rule: Rule, call: Call, forecast: Forecast | None) -> int:
        measure = rule.measure
        if measure in ("requests", "parallel"):
            return 1
        if forecast is None:
            raise UnmeasurableError("nothing is known of this call, which no mesh made")
        if measure == "input_tokens":
            return forecast.most_input_tokens
        if measure == "output_tokens":
            return self._output(forecast)
        if measure == "tokens":
            return forecast.most_input_tokens + self._output(forecast)
        if measure == "money":
            return self._money(rule, forecast)
        if measure == _SECOND:
            if forecast.most_seconds is None:
                raise UnmeasurableError("the call has no total time limit; give it one (timeout=60)")
            return as_amount(measure, Decimal(str(forecast.most_seconds)))
        return self._unit(measure, call, forecast)

    def _output(self, forecast: Forecast) -> int:
        most = forecast.most_output_tokens
        if most is None:
            if self._assume is None:
                raise UnmeasurableError(
                    "nothing limits its output; pass max_tokens=, declare the model's max_output_tokens, "
                    "or set assume_output of [middleware.limits]"
                )
            return self._assume * forecast.choices
        return most

    def _money(self, rule: Rule, forecast: Forecast) -> int:
        most = forecast.most_output_tokens
        cost = forecast.most_cost if most is not None else None
        if cost is None:
            cost = forecast.price(forecast.most_input_tokens, most or 0)
            if has_price(cost, rule):
                cost = forecast.price(forecast.most_input_tokens, self._output(forecast))
        if not has_price(cost, rule):
            if self._allow_unpriced:
                return 0
            other = "" if cost.amount is None else f" in {rule.currency}"
            raise UnmeasurableError(
                f'the model has no known price{other}; declare one, or set unpriced = "allow"'
            )
        return as_amount("money", cost.amount or 0)

    def _unit(self, measure: str, call: Call, forecast: Forecast) -> int:
        """Return the most of a service's unit: by its price, which may be in that unit, else by what a token used at most."""
        cost = forecast.price(forecast.most_input_tokens, forecast.most_output_tokens or self._assume or 0)
        if cost.currency == measure and cost.amount is not None:
            return as_amount(measure, cost.amount)
        a_token = self._units.get((measure, call.connection, call.model.id), Decimal(0))
        tokens = forecast.most_input_tokens + (forecast.most_output_tokens or self._assume or 0)
        return as_amount(measure, a_token * tokens)

    def learn(self, rule: Rule, call: Call, most: int, used: int, usage: Usage | None) -> None:
        """Remember what a call used of what it might have used."""
        place = rule.measure, call.connection, call.model.id
        if self._expected and most:
            ratio, known = min(1.0, used / most), self._ratios.get(place)
            self._ratios[place] = ratio if known is None else known + (ratio - known) / 16
        tokens = None if usage is None else usage.total_tokens
        if (
            rule.measure not in ("money", _SECOND)
            and usage is not None
            and rule.measure in usage.units
            and tokens
        ):
            a_token = Decimal(used) / SCALE / tokens
            self._units[place] = max(a_token, self._units.get(place, a_token))


def has_price(cost: Cost, rule: Rule) -> bool:
    """Return whether a cost is a known amount in the currency of a limit."""
    return cost.status == "complete" and cost.amount is not None and cost.currency == rule.currency


class Measured:
    """What is known of a call that has ended.

    Args:
        call: The call.
        answer: The answer, or the part of it that came.
        error: What it ended with.
        seconds: How long it took.

    Attributes:
        sent: Whether anything was sent.
        estimated: Whether a part of what was used, as far as it was asked for, is an estimate, because nobody told.
        free: Nothing was used: nothing was sent, or the answer was there already.
        usage: What the service told; None if it told nothing.
    """

    def __init__(self, call: Call, answer: Any, error: BaseException | None, seconds: float) -> None:
        if isinstance(error, JackfieldError) and answer is None:
            answer = error.partial
        self._call = call
        self._answer = answer if isinstance(answer, Reply | EmbedReply | RerankReply) else None
        self._seconds = seconds
        attempts: Sequence[Attempt] = getattr(error, "attempts", ()) or getattr(self._answer, "attempts", ())
        own = attempts[len(call.earlier) :]
        self.sent = error is None or any(attempt.sent_at is not None for attempt in own)
        replayed = self._answer is not None and self._answer.replay is not None
        self.free = not self.sent or replayed
        self.usage = None if self._answer is None or self.free else self._answer.usage
        # The last attempt is told by the answer, if there is one.
        before = own[:-1] if self._answer is not None or error is None else own
        self._untold = 0 if self.free else sum(map(_is_untold, before))
        if isinstance(error, TimeoutError) and error.phase in ("connect", "queue") and self._untold:
            self._untold -= 1
        if (
            error is not None
            and not own
            and isinstance(error, asyncio.CancelledError | GeneratorExit)
            and self._answer is None
        ):
            self._untold, self.sent, self.free = 0, False, True
        self.estimated = self._untold > 0

    def used(self, rule: Rule, reserved: int) -> tuple[int, bool]:
        """Return what the call used of a limit: what the service told, and what was reserved where nobody told.

        Args:
            rule: The limit.
            reserved: What was reserved for one attempt.

        Returns:
            How much, and whether a part of that is an estimate.
        """
        measure = rule.measure
        if self.free or measure == "parallel":
            return 0, False
        if measure == "requests":
            return 1, False
        if measure == _SECOND:
            told = self._told(rule)
            taken = as_amount(measure, Decimal(str(round(self._seconds, 6)))) if told is None else told
            return taken, False
        estimated = self._untold > 0
        told = 0 if self._answer is None else self._told(rule)
        if isinstance(self._answer, Reply) and not self._answer.complete:
            # Services tell the output at the end: of what was left before, at least what has come is billed.
            come = self._estimate(rule, self._answer)
            if come is not None and (told is None or come > told):
                estimated = True
                told = come
        if told is None:
            estimated = True
            told = reserved
        self.estimated |= estimated
        return told + self._untold * reserved, estimated

    def _estimate(self, rule: Rule, answer: Reply) -> int | None:
        """Return what a part of an answer used at least: its input, and the text that has come."""
        forecast, usage = self._call.forecast, answer.usage
        if forecast is None:
            return None
        size = sum(_size(part) for choice in answer.choices for part in choice.message.parts)
        if not size and usage.output_tokens is None:
            return None
        output = max(usage.output_tokens or 0, -(-size // _BYTES_A_TOKEN))
        taken = forecast.input_tokens if usage.input_tokens is None else usage.input_tokens
        if rule.measure == "money":
            if usage.input_tokens is not None and output == usage.output_tokens:
                return None
            cost = forecast.price(taken, output)
            return as_amount("money", cost.amount or 0) if has_price(cost, rule) else None
        return {"input_tokens": taken, "output_tokens": output, "tokens": taken + output}.get(rule.measure)

    def _told(self, rule: Rule) -> int | None:
        answer, measure = self._answer, rule.measure
        if answer is None:
            return None
        usage = answer.usage
        if measure == "money":
            cost = answer.cost
            if cost.status == "partial" and usage.total_tokens is None:
                return None  # a count is not told, so what it costs is not known
            if cost.amount is not None and cost.currency == rule.currency:
                return as_amount("money", cost.amount)
            return 0 if usage.total_tokens is not None else None  # told, and without a price
        if measure == "input_tokens":
            return usage.input_tokens
        if measure == "output_tokens":
            return 0 if isinstance(answer, EmbedReply | RerankReply) else usage.output_tokens
        if measure == "tokens":
            if isinstance(answer, EmbedReply | RerankReply):
                return usage.input_tokens
            return usage.total_tokens
        quantity = usage.units.get(measure)
        if quantity is not None:
            return as_amount(measure, quantity)
        cost = answer.cost
        if cost.currency == measure and cost.amount is not None:
            return as_amount(measure, cost.amount)
        return 0 if measure != _SECOND and usage.total_tokens is not None else None


def _size(part: object) -> int:
    text = getattr(part, "text", None) or getattr(part, "arguments_raw", None)
    if text is None and isinstance(part, ToolCall):
        text = str(part.arguments)
    return len(text.encode("utf-8", "surrogatepass")) if isinstance(text, str) else 0


def _is_untold(attempt: Attempt) -> bool:
    if attempt.sent_at is None or attempt.error not in _UNTOLD:
        return False
    return not any(phase in (attempt.message or "") for phase in _BEFORE)
