"""Budgets: a limit for everything that a block of a program does."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from decimal import Decimal, InvalidOperation
from types import TracebackType
from typing import Final, Literal, Self

from jackfield import ConfigurationError
from jackfield.plugin import OWNER, around_calls, is_owner

from ._amounts import COUNTED, as_quantity
from ._limits import Limits
from ._memory import MemoryStore
from ._rules import Rule
from ._settings import LimitsSettings
from ._store import State, Store
from ._stores import open_store
from ._windows import Window

__all__ = ["Budget", "budget", "owner"]

_FORM: Final = re.compile(r"\s*([0-9][0-9_,]*(?:\.[0-9]+)?)\s+([\w./-]+)\s*\Z")
_UNITS: Final = {
    "seconds": "second",
    "request": "requests",
    "token": "tokens",
    "credits": "credit",
    "calls": "requests",
}
_SERVICE_UNITS: Final = frozenset({"DBU", "credit", "second"})
_CURRENCY: Final = re.compile(r"[A-Z]{3}\Z")


@contextmanager
def owner(path: str) -> Iterator[None]:
    """Name the owner of all calls that are made inside, and by tasks that are started inside, and that name none.

    Args:
        path: Such as "org/team/app".

    Raises:
        ConfigurationError: It is not the path of an owner.
    """
    if not is_owner(path):
        raise ConfigurationError(f'owner must be a path such as "org/team/app", got {path!r}')
    token = OWNER.set(path)
    try:
        yield
    finally:
        OWNER.reset(token)


class Budget:
    """A limit for everything inside its block. Made by `budget(...)`.

    Attributes:
        most: The most that may be used.
        measure: `money`, `tokens`, `requests`, or a unit.
        currency: Of money; None for other measures.
    """

    def __init__(
        self, rule: Rule, settings: LimitsSettings, store: Store, path: str | None, *, owns_store: bool
    ) -> None:
        self._rule = rule
        self._limits = Limits(settings, store, rules=[rule], listener=self._listen)
        self._owner = path
        self._owns_store = owns_store
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self._used = 0
        self._seen: State | None = None
        self.most = rule.most
        self.measure = rule.measure
        self.currency = rule.currency

    @property
    def used(self) -> Decimal:
        """What calls that have ended used, in all processes that share the budget, as far as this one has heard."""
        seen = 0 if self._seen is None else self._seen.used
        return as_quantity(self.measure, max(self._used, seen))

    @property
    def left(self) -> Decimal:
        """What is not used yet; a part of it may be reserved by calls under way. Never below 0."""
        return max(Decimal(0), self.most - self.used)

    async def __aenter__(self) -> Self:
        if self._owner is not None:
            self._stack.enter_context(owner(self._owner))
        self._stack.enter_context(around_calls(self._limits))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        if self._owns_store:
            await self._limits.aclose()

    def _listen(self, used: Mapping[str, int], states: Sequence[State]) -> None:
        with self._lock:
            self._used += used[self._rule.name]
            (self._seen,) = states

    def __repr__(self) -> str:
        return f"<Budget {self._rule.name}: {self.used:f} of {self.most:f} {self.currency or self.measure}>"


def budget(
    most: str,
    *,
    owner: str | None = None,
    name: str = "budget",
    store: Store | str | None = None,
    reserve: Literal["most", "expected"] = "most",
    unpriced: Literal["refuse", "allow"] = "refuse",
    assume_output: int | None = None,
) -> Budget:
    """Return a budget: inside its block, no more than this is used, whatever mesh and task makes the calls.

        async with jackfield_limits.budget("2 USD", owner="job-17") as budget:
            ...
        budget.used

    Budgets may stand inside one another; a call needs room in each.

    Args:
        most: An amount and its unit: "2 USD", "500000 tokens", "100 requests", "3 DBU".
        owner: The owner of the calls inside.
        name: Its name in messages, and in a store that is shared.
        store: A store that several processes share, or its address; None means in memory. With a store, the budget lasts as
            long as that keeps it.
        reserve: See `LimitsSettings`; as are the others.
        unpriced: What happens to calls of models without a known price.
        assume_output: Output tokens where nothing limits them.

    Raises:
        ConfigurationError: An argument is not valid.
    """
    measure, currency, amount = read_amount(most)
    if owner is not None and not is_owner(owner):
        raise ConfigurationError(f'owner must be a path such as "org/team/app", got {owner!r}')
    rule = Rule(name=name, measure=measure, currency=currency, most=amount, window=Window(kind="ever"))
    settings = LimitsSettings(reserve=reserve, unpriced=unpriced, assume_output=assume_output)
    if store is None:
        store = MemoryStore()
        owns = True
    else:
        owns = isinstance(store, str)
        store = open_store(store) if isinstance(store, str) else store
    return Budget(rule, settings, store, owner, owns_store=owns)


def read_amount(text: str) -> tuple[str, str | None, Decimal]:
    """Read an amount with its unit.

    Returns:
        The measure, the currency of money, and the amount.

    Raises:
        ConfigurationError: It is none.
    """
    found = _FORM.match(str(text))
    if found is None:
        raise ConfigurationError(
            f'a budget is an amount and its unit, such as "2 USD" or "500000 tokens", got {text!r}'
        )
    try:
        amount = Decimal(found[1].replace(",", "").replace("_", ""))
    except InvalidOperation:
        raise ConfigurationError(f"{found[1]!r} is not a number") from None
    unit = _UNITS.get(found[2], found[2])
    if unit == "parallel":
        raise ConfigurationError("parallel calls are no budget; use a limit, or a semaphore")
    if unit in COUNTED:
        if amount != amount.to_integral_value():
            raise ConfigurationError(f"a budget of {unit} is a whole number, got {text!r}")
        return unit, None, amount
    if unit not in _SERVICE_UNITS and _CURRENCY.match(unit):
        return "money", unit, amount
    return unit, None, amount
