"""Rules: which limits concern a call, and from which counters it takes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from functools import cached_property
from typing import Final

import attrs

from jackfield.plugin import Call

from ._amounts import as_amount
from ._settings import LimitSettings
from ._store import Counter
from ._windows import Window

__all__ = ["Rule", "RuleBook"]

_REMEMBERED: Final = 4096
_KEY: Final = "key"
"""The label by which the gateway names the key of a call."""


@attrs.frozen(kw_only=True, slots=False)
class Rule:
    """A limit as the middleware uses it.

    Attributes:
        name: Its name.
        measure: What it measures.
        currency: Of money.
        most: The most, in the units that people read.
        window: The time for which it counts.
        action: refuse, wait, or warn.
        wait: Seconds that a call waits until it fits.
        warn_at: Parts of `most` at which a warning is logged.
        settings: As it was declared; None for a budget, which concerns every call.
    """

    name: str
    measure: str
    most: Decimal
    window: Window
    currency: str | None = None
    action: str = "refuse"
    wait: float = 0.0
    warn_at: tuple[float, ...] = ()
    settings: LimitSettings | None = None

    @classmethod
    def of(cls, settings: LimitSettings) -> Rule:
        """Return a declared limit."""
        return cls(
            name=settings.name,
            measure=settings.measure,
            currency=settings.currency,
            most=settings.most,
            window=settings.time,
            action=settings.action,
            wait=settings.wait,
            warn_at=tuple(sorted(settings.warn_at)),
            settings=settings,
        )

    @cached_property
    def amount(self) -> int:
        """`most` as an exact amount of a store."""
        return as_amount(self.measure, self.most)

    def concerns(self, call: Call) -> bool:
        """Return whether a call is one of those that the limit is about."""
        own = self.settings
        if own is None:
            return True
        return (
            (own.owner is None or call.owner == own.owner or call.owner.startswith(f"{own.owner}/"))
            and (own.connection is None or _fits(own.connection, call.connection))
            and (own.model is None or _fits(own.model, call.model.id))
            and (own.key is None or own.key == call.labels.get(_KEY))
            and (own.kind is None or own.kind == call.kind)
        )

    def counter(self, call: Call) -> Counter:
        """Return the counter from which a call takes."""
        return self.counter_of(
            f"{self.name}:{self._each(call)}" if self.settings and self.settings.each else self.name
        )

    def counter_of(self, key: str) -> Counter:
        """Return the counter of a key: the limit's own name, or one of those that it counts apart."""
        most = None if self.action == "warn" else self.amount
        return Counter(key=key, window=self.window, most=most)

    def _each(self, call: Call) -> str:
        each = None if self.settings is None else self.settings.each
        if each == "owner":
            return call.owner
        if each == "key":
            return call.labels.get(_KEY, "")
        return call.connection if each == "connection" else f"{call.connection}:{call.model.id}"


def _fits(pattern: str, text: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None


class RuleBook:
    """All rules, and which of them concern a call.

    Args:
        rules: In the order in which they are checked.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self._known: dict[tuple[object, ...], tuple[tuple[Rule, Counter], ...]] = {}

    def find(self, call: Call) -> tuple[tuple[Rule, Counter], ...]:
        """Return the rules that concern a call, each with its counter."""
        labels = call.labels
        place = call.owner, call.connection, call.model.id, call.kind, labels.get(_KEY) if labels else None
        found = self._known.get(place)
        if found is None:
            found = tuple((rule, rule.counter(call)) for rule in self.rules if rule.concerns(call))
            if len(self._known) >= _REMEMBERED:  # ids of models may come from a program's users
                self._known.clear()
            self._known[place] = found
        return found
