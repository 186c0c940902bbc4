"""Read the tables of models and prices that a plugin keeps beside its modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from jackfield._faces import show_in
from jackfield._types.cost import RateCard
from jackfield._types.errors import PluginError
from jackfield._values import Value, field, frozen

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = ["DatedRates", "load_table"]

_DAY: Final = 86_400
_MOST_CARDS: Final = 64


@cache
def load_table(module: str, name: str) -> Mapping[str, Any]:
    """Return a JSON object from a file beside a module; the file is read once a process.

        rows = load_table(__file__, "models.json")["models"]

    What is returned is shared by all callers, so do not change it. Keep in the table what its rows rest on: their
    source, and the day on which they held (`as_of`).

    Args:
        module: `__file__` of the module that asks.
        name: The file's name.

    Raises:
        PluginError: There is no such file, or it holds no JSON object.
    """
    from pathlib import Path

    from jackfield._json import read_json

    path = Path(module).with_name(name)
    try:
        table = read_json(path.read_bytes())
    except OSError as error:
        raise PluginError(f"the table {path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise PluginError(f"the table {path} is not valid JSON: {error}") from error
    if not isinstance(table, dict):
        raise PluginError(f"the table {path} must be a JSON object, not {type(table).__name__}")
    return table


@frozen
class DatedRates(Value):
    """Rates of one model as a table writes them: rows by the day from which they hold.

        [{"input": "2", "output": "6"}, {"from": "2026-10-20", "input": ["1", "2"], "output": ["3", "4.5"]}]

    An amount is a string. A pair of them is for short and for long prompts. A row without amounts says that from its
    day on no rate is known.

    Attributes:
        rows: In any order; one without `from` holds from the beginning.
        long_prompt: A request with more input tokens than this is charged by the second of each pair, as a whole.
    """

    rows: Sequence[Mapping[str, Any]]
    long_prompt: int | None = None
    _cards: dict[tuple[object, ...], RateCard | None] = field(factory=dict, init=False, eq=False, repr=False)

    def card(
        self,
        when: float,
        input_tokens: int | None = None,
        *,
        source: str,
        as_of: str | None = None,
        currency: str = "USD",
        per: int = 1_000_000,
    ) -> RateCard | None:
        """Return the rates that hold for a call; None if no row's day has come.

        Each card is made once a day: keep the object where calls share it.

        Args:
            when: Seconds since the epoch (`CostContext.when`).
            input_tokens: All input of the call; None if it is unknown.
            source: Where the rates come from.
            as_of: The day (ISO) on which they held.
            currency: ISO 4217, or the name of a unit of account.
            per: How many units an amount is for.
        """
        is_long = self.long_prompt is not None and (input_tokens or 0) > self.long_prompt
        key = (when // _DAY, is_long, source, as_of, currency, per)
        if key not in self._cards:
            amounts = self.amounts(when, input_tokens)
            made = (
                None
                if amounts is None
                else RateCard.of(amounts, source=source, as_of=as_of, currency=currency, per=per)
            )
            if len(self._cards) >= _MOST_CARDS:
                self._cards.clear()
            self._cards[key] = made
        return self._cards[key]

    def amounts(self, when: float, input_tokens: int | None = None) -> dict[str, Decimal] | None:
        """Return the amounts by unit that hold for a call, for `RateCard.of`; None if no row's day has come.

        Args:
            when: Seconds since the epoch (`CostContext.when`).
            input_tokens: All input of the call; None if it is unknown.
        """
        day = datetime.fromtimestamp(when, UTC).date().isoformat()
        begun = [row for row in self.rows if row.get("from", "") <= day]
        if not begun:
            return None
        from decimal import Decimal  # most calls have no price

        is_long = self.long_prompt is not None and (input_tokens or 0) > self.long_prompt
        return {
            unit: Decimal(amount if isinstance(amount, str) else amount[is_long])
            for unit, amount in max(begun, key=lambda row: str(row.get("from", ""))).items()
            if unit != "from"
        }


show_in("jackfield.plugin", DatedRates)
