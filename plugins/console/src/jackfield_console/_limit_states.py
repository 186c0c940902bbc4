"""What stands in the store of limits: used, reserved, and the most, for each rule."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import attrs

from jackfield import JackfieldError

if TYPE_CHECKING:
    from jackfield_limits import LimitSettings, LimitsSettings, State, Store

__all__ = ["RuleState", "States", "read_states"]

_LONGEST: Final = 5.0
"""Seconds for which the page waits for a store."""
_MOST_APART: Final = 20


@attrs.frozen(kw_only=True)
class RuleState:
    """One counter of a rule.

    Attributes:
        label: For whom it counts: of a rule that counts for each owner (or key ...) apart; "" for all together.
        used: What was used in the current window, in the units that people read.
        reserved: What calls under way have reserved.
        most: The most that both may be together.
        resets_at: When the window ends, in seconds since 1970; None if it does not.
    """

    label: str
    used: Decimal
    reserved: Decimal
    most: Decimal
    resets_at: float | None

    @property
    def used_share(self) -> float:
        """The used part of the most, for a bar: at most 1."""
        return min(float(self.used / self.most), 1.0) if self.most else float(bool(self.used))

    @property
    def reserved_share(self) -> float:
        """The reserved part of the most, for a bar: what is left of it at most."""
        return min(float(self.reserved / self.most), 1.0 - self.used_share) if self.most else 0.0


@attrs.frozen(kw_only=True)
class States:
    """What a store says.

    Attributes:
        by_rule: The counters of each rule, by its name.
        left_out: How many more counters a rule has than are shown.
        why: Why nothing is known; None if it is.
    """

    by_rule: dict[str, list[RuleState]] = attrs.field(factory=dict)
    left_out: dict[str, int] = attrs.field(factory=dict)
    why: str | None = None


async def read_states(settings: LimitsSettings) -> States:
    """Read the counters of all rules.

    Args:
        settings: The table `[middleware.limits]` of the configuration in use.
    """
    from jackfield_limits import StoreAwayError, find_store, open_store

    store, opened = find_store(settings), None
    try:
        if store is None:
            store = opened = open_store(settings.store)
        async with asyncio.timeout(_LONGEST):
            return await _read(settings.limit, store)
    except (StoreAwayError, TimeoutError) as error:
        return States(why=f"The store of limits does not answer: {str(error) or 'no answer in time'}")
    except JackfieldError as error:
        return States(why=error.message)
    finally:
        if opened is not None:
            await opened.aclose()


async def _read(rules: Sequence[LimitSettings], store: Store) -> States:
    from jackfield_limits import Counter

    states = States()
    for rule in rules:
        keys: Sequence[str] = (rule.name,)
        if rule.each is not None:
            found = await store.find(f"{rule.name}:")
            states.left_out[rule.name] = max(len(found) - _MOST_APART, 0)
            keys = found[:_MOST_APART]
        counters = [Counter(key=key, window=rule.time, most=rule.amount) for key in keys]
        read = await store.read(counters) if counters else ()
        states.by_rule[rule.name] = [_state(rule, one) for one in read]
    return states


def _state(rule: LimitSettings, state: State) -> RuleState:
    scale = _scale(rule)
    return RuleState(
        label=state.key.removeprefix(rule.name).removeprefix(":"),
        used=Decimal(state.used) / scale,
        reserved=Decimal(state.reserved) / scale,
        most=rule.most,
        resets_at=state.resets_at,
    )


def _scale(rule: Any) -> int:
    """Return how many parts of a store one unit of a measure has."""
    scale: int = attrs.evolve(rule, most=Decimal(1)).amount
    return scale
