"""Take fields out of a client's JSON, check their types, and notice those that nobody took."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, TypeVar

from jackfield import ParameterNote
from jackfield.plugin import UnsupportedPolicy, hint, read_json

from ._asked import OwnField
from ._failures import SurfaceError

__all__ = ["Fields", "Report", "parse_body"]

_UNKNOWN: Final = "the surface does not know it"
T = TypeVar("T")
N = TypeVar("N", int, float)


def parse_body(body: bytes | bytearray | memoryview | str | Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a request's JSON object.

    Raises:
        SurfaceError: It is not one.
    """
    if isinstance(body, Mapping):
        return body
    try:
        value = read_json(body)
    except (ValueError, RecursionError) as error:
        raise SurfaceError(f"the body is not valid JSON: {error}", kind="invalid_json") from error
    if not isinstance(value, dict):
        raise SurfaceError("the body is not a JSON object", kind="invalid_json")
    return value


class Report:
    """Collects what became of a client's fields.

    Args:
        policy: "error" refuses what changes the answer and cannot be honoured; "drop" leaves it out and reports it.
        words: The surface's sentence for a field that is refused; `{name}` and `{why}` are filled in.
    """

    def __init__(self, policy: UnsupportedPolicy, words: str) -> None:
        self._policy = policy
        self._words = words
        self.notes: list[ParameterNote] = []
        self.own: list[OwnField] = []

    def refuse(self, name: str, why: str, value: Any = None) -> None:
        """Report a field that changes the answer and cannot be honoured.

        Raises:
            SurfaceError: The policy is "error".
        """
        if self._policy == "error":
            message = self._words.format(name=name, why=why)
            raise SurfaceError(message, parameter=name, kind="unsupported_parameter")
        self.drop(name, why, value)

    def drop(self, name: str, why: str, value: Any = None) -> None:
        """Report a field that is left out and does not change the answer."""
        self.notes.append(ParameterNote(name, "dropped", None, value, why))

    def emulate(self, name: str, why: str, value: Any = None) -> None:
        """Report a field that is honoured in another way."""
        self.notes.append(ParameterNote(name, "emulated", None, value, why))

    def keep_for(self, family: str, name: str, value: Any, *, changes: bool = True) -> None:
        """Report a field that only one family of providers gets."""
        self.own.append(OwnField(name, family, changes, value))


class Fields:
    """The fields of one JSON object. A null counts as absent, as it does in the services' own clients.

    Args:
        value: The object.
        where: Its place, for messages; "" for the body itself.
        report: Collects what nobody takes.
    """

    def __init__(self, value: Any, where: str, report: Report) -> None:
        if not isinstance(value, Mapping):
            raise SurfaceError(
                f"{where or 'the body'} must be an object, got {_describe(value)}",
                parameter=where or None,
                kind="invalid_type",
            )
        self._left = {name: item for name, item in value.items() if item is not None}
        self.raw = value
        self.where = where
        self.report = report

    def place(self, name: str) -> str:
        """Return the place of a field."""
        return f"{self.where}.{name}" if self.where else name

    def take(self, name: str) -> Any:
        """Take a field of any type; None if it is absent."""
        return self._left.pop(name, None)

    def peek(self, name: str) -> Any:
        """Return a field without taking it; None if it is absent."""
        return self._left.get(name)

    def forget(self, *names: str) -> None:
        """Take fields that say nothing more."""
        for name in names:
            self._left.pop(name, None)

    def text(self, name: str) -> str | None:
        """Take a string."""
        return self._typed(name, "a string", str)

    def flag(self, name: str) -> bool | None:
        """Take a boolean."""
        return self._typed(name, "a boolean", bool)

    def number(self, name: str, *, least: float | None = None) -> float | None:
        """Take a number."""
        return self._bounded(name, self._typed(name, "a number", int, float), least)

    def integer(self, name: str, *, least: int | None = None) -> int | None:
        """Take a whole number."""
        value = self._left.get(name)
        if isinstance(value, float) and value.is_integer():
            self._left[name] = int(value)
        return self._bounded(name, self._typed(name, "an integer", int), least)

    def items(self, name: str) -> list[Any] | None:
        """Take an array."""
        return self._typed(name, "an array", list)

    def inner(self, name: str) -> Fields | None:
        """Take an object."""
        value = self.take(name)
        return None if value is None else Fields(value, self.place(name), self.report)

    def mapping(self, name: str) -> dict[str, Any] | None:
        """Take an object as it is."""
        return self._typed(name, "an object", dict)

    def word(self, name: str, known: Collection[str]) -> str | None:
        """Take a string that must be one of several."""
        value = self.text(name)
        if value is not None and value not in known:
            raise self.wrong(
                name, f"must be one of {', '.join(known)}, got {value!r}{hint(value, known)}", "invalid_value"
            )
        return value

    def required(self, name: str, value: Any) -> Any:
        """Return a value that was taken.

        Raises:
            SurfaceError: It is None.
        """
        if value is None:
            raise SurfaceError(
                f"Missing required parameter: '{self.place(name)}'.",
                parameter=self.place(name),
                kind="missing_required_parameter",
            )
        return value

    def wrong(self, name: str, what: str, kind: str = "invalid_value") -> SurfaceError:
        """Return the error of a field that is not valid."""
        return SurfaceError(f"{self.place(name)} {what}", parameter=self.place(name), kind=kind)

    def left(self) -> Iterator[tuple[str, Any]]:
        """Take all fields that nobody has taken."""
        yield from self._left.items()
        self._left = {}

    def end(self) -> None:
        """Report the fields that nobody has taken: unknown ones, which may change the answer.

        Raises:
            SurfaceError: There is one, and the policy is "error".
        """
        for name, value in self.left():
            self.report.refuse(self.place(name), _UNKNOWN, value)

    def _typed(self, name: str, words: str, *types: type[T]) -> T | None:
        value: Any = self.take(name)
        if value is None:
            return None
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise self.wrong(name, f"must be {words}, got {_describe(value)}", "invalid_type")
        found: T = value
        return found

    def _bounded(self, name: str, value: N | None, least: float | None) -> N | None:
        if value is None or (math.isfinite(value) and (least is None or value >= least)):
            return value
        words = "must be a finite number" if least is None else f"must be {least} or more"
        raise self.wrong(name, f"{words}, got {value}", "invalid_value")


def _describe(value: object) -> str:
    names = {
        dict: "an object", list: "an array", str: "a string", bool: "a boolean", int: "an integer",
        float: "a number", type(None): "null",
    }  # fmt: skip
    return names.get(type(value), type(value).__name__)
