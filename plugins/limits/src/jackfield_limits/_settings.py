"""What an administrator writes in `[middleware.limits]`."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final, Literal

import attrs

from jackfield.plugin import is_owner

from ._amounts import COUNTED, MOST_AMOUNT, as_amount
from ._windows import Window, find_zone, parse_window

__all__ = ["LimitSettings", "LimitsSettings"]

_NAME: Final = re.compile(r"[\w.-]{1,100}\Z")
_MEASURE: Final = re.compile(r"[\w./-]{1,60}\Z")
_CURRENCY: Final = re.compile(r"[\w-]{1,20}\Z")
_SCHEMES: Final = (
    "sqlite:///",
    "redis://",
    "rediss://",
    "unix://",
    "postgresql://",
    "postgres://",
    "env:",
    "file:",
)


def _check_name(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if _NAME.match(value) is None:
        raise ValueError(f"name must be letters, digits, and . _ -, not {value!r}")


def _check_owner(instance: object, attribute: attrs.Attribute[str | None], value: str | None) -> None:
    if value is not None and not is_owner(value):
        raise ValueError(f'owner must be a path such as "org/team/app", not {value!r}')


def _check_measure(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if _MEASURE.match(value) is None:
        raise ValueError(
            f"measure must be money, {', '.join(sorted(COUNTED))}, or a unit such as DBU, not {value!r}"
        )


def _check_warnings(instance: object, attribute: attrs.Attribute[Any], value: tuple[float, ...]) -> None:
    if not all(0 < part <= 1 for part in value):
        raise ValueError(f"warn_at must be parts between 0 and 1, not {list(value)}")


def _check_store(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if value != "memory" and not value.startswith(_SCHEMES):
        raise ValueError(
            'store must be "memory", "sqlite:///PATH", "redis://HOST", "postgresql://HOST/NAME", or "env:NAME" where the '
            "address has a password"
        )


def _check_not_negative(instance: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
    if value is not None and value < 0:
        raise ValueError(f"{attribute.name} must be 0 or more, not {value}")


@attrs.frozen(kw_only=True)
class LimitSettings:
    """One table `[[middleware.limits.limit]]`: whom it concerns, what it measures, how much in which time, and what then.

    Attributes:
        name: Its name, for messages and pages. A limit that is renamed begins anew.
        owner: Whose calls: a path, and all below it. None: everybody's.
        connection: Connections, with `*` for any text. None: all.
        model: Ids of models, with `*` for any text. None: all.
        key: The name of the gateway's key. None: all, and calls of programs.
        kind: The kind of call. None: all.
        each: Count apart for each owner, key, connection or model; None counts all together.
        measure: `money`, `requests`, `input_tokens`, `output_tokens`, `tokens`, `parallel`, or a unit that the service counts,
            such as `DBU`, `credit` or `second`.
        most: The most in one window.
        currency: Of money. Costs in another currency cannot be added, and are treated as if there were no price.
        window: `minute`, `hour`, `day`, `week`, `month` (of the calendar in `zone`), `rolling 5h`, or `ever`. `parallel` has none.
        zone: The time zone of the calendar.
        action: `refuse`; `wait` until it fits, up to `wait` seconds, then refuse; or `warn`, which only logs.
        wait: See `action`.
        warn_at: Parts of `most` at which a warning is logged.
    """

    name: str = attrs.field(validator=_check_name)
    owner: str | None = attrs.field(default=None, validator=_check_owner)
    connection: str | None = None
    model: str | None = None
    key: str | None = None
    kind: Literal["chat", "completion", "embedding", "summarization", "rerank"] | None = None
    each: Literal["owner", "key", "connection", "model"] | None = None
    measure: str = attrs.field(validator=_check_measure)
    most: Decimal
    currency: str | None = None
    window: str | None = None
    zone: str = "UTC"
    action: Literal["refuse", "wait", "warn"] = "refuse"
    wait: float = attrs.field(default=30.0, validator=_check_not_negative)
    warn_at: tuple[float, ...] = attrs.field(default=(), validator=_check_warnings)

    def __attrs_post_init__(self) -> None:
        where = f"limit {self.name}"
        if self.most < 0 or as_amount(self.measure, self.most) >= MOST_AMOUNT:
            raise ValueError(f"{where}: most must be 0 or more, and not astronomic, not {self.most}")
        if self.measure in COUNTED and self.most != self.most.to_integral_value():
            raise ValueError(f"{where}: most must be a whole number of {self.measure}, not {self.most}")
        if self.measure == "money" and (self.currency is None or _CURRENCY.match(self.currency) is None):
            raise ValueError(f'{where}: a limit of money needs its currency; write currency = "USD"')
        if self.measure != "money" and self.currency is not None:
            raise ValueError(
                f'{where}: only a limit of money has a currency; write measure = "money", or leave it out'
            )
        if self.measure == "parallel" and self.window is not None:
            raise ValueError(f"{where}: parallel calls are counted as they run; leave window out")
        if self.measure != "parallel" and self.window is None:
            raise ValueError(
                f'{where}: window is missing; write window = "month" (or minute, hour, day, week, "rolling 5h", ever)'
            )
        find_zone(self.zone)
        _ = self.time

    @property
    def time(self) -> Window:
        """The window."""
        return Window(kind="now") if self.window is None else parse_window(self.window, self.zone)

    @property
    def amount(self) -> int:
        """`most` as an exact amount of a store."""
        return as_amount(self.measure, self.most)


def _check_names(instance: object, attribute: attrs.Attribute[Any], value: tuple[LimitSettings, ...]) -> None:
    names = [limit.name for limit in value]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two limits have the name {twice[0]!r}; each needs one of its own")


@attrs.frozen(kw_only=True)
class LimitsSettings:
    """The table `[middleware.limits]`.

    Attributes:
        store: Where is counted: `memory` for one process; `sqlite:///PATH` for the processes of a host; `redis://...` and
            `postgresql://...` for several hosts. `env:NAME` and `file:PATH` name a place that holds the address.
        store_away: What happens while the store cannot be reached: `refuse` calls that a limit concerns, or `serve` them
            uncounted.
        reserve: What is reserved before a call: the `most` that it can use, with which a limit holds whatever happens; or
            what is `expected` by the calls before, with which more run side by side and a limit may be passed by a little.
        unpriced: What happens to calls of models without a known price under a limit of money: `refuse`, or `allow` them, which
            counts them as 0.
        assume_output: Output tokens of a call that says no `max_tokens` and whose model has no known limit; None refuses
            such a call under a limit that would need the number.
        margin: Seconds by which a reservation outlives the call's total time limit, before it ends by itself.
        limit: The limits.
    """

    store: str = attrs.field(default="memory", validator=_check_store)
    store_away: Literal["refuse", "serve"] = "refuse"
    reserve: Literal["most", "expected"] = "most"
    unpriced: Literal["refuse", "allow"] = "refuse"
    assume_output: int | None = attrs.field(default=None, validator=_check_not_negative)
    margin: float = attrs.field(default=30.0, validator=_check_not_negative)
    limit: tuple[LimitSettings, ...] = attrs.field(default=(), validator=_check_names)
