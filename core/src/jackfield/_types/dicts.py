"""Read the dicts that callers write, or name the place of what is wrong with them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from jackfield._hints import a_or_an, hint

__all__ = ["check_keys", "describe", "dict_at", "optional_text_at", "required_at", "text_at"]


def describe(value: object) -> str:
    """Return the type of a value with its article."""
    return a_or_an(type(value).__name__)


def check_keys(
    entry: Mapping[str, Any], known: Collection[str], where: str, *, nothing: Collection[str] = ()
) -> None:
    """Check that a dict has no unknown key.

    Args:
        entry: The dict.
        known: The keys that it may have.
        where: What errors call it.
        nothing: Further keys, which it may have with nothing in them: None, "", [] or {}.

    Raises:
        ValueError: It has one; names the closest that is known.
    """
    for key in entry:
        if key not in known and not (key in nothing and not entry[key]):
            msg = f"{where} has the unknown key {key!r}{hint(str(key), known)}"
            raise ValueError(msg)


def required_at(entry: Mapping[str, Any], key: str, where: str) -> Any:
    """Return the value of a key that a dict has to have.

    Raises:
        ValueError: It has it not, or it is None.
    """
    value = entry.get(key)
    if value is None:
        msg = f"{where} has no {key!r}"
        raise ValueError(msg)
    return value


def text_at(entry: Mapping[str, Any], key: str, where: str) -> str:
    """Return the string of a key that a dict has to have.

    Raises:
        ValueError: There is none.
    """
    value = required_at(entry, key, where)
    if not isinstance(value, str):
        msg = f"{where}.{key} is {describe(value)}; want a string"
        raise ValueError(msg)  # noqa: TRY004 -- one class for whatever is wrong with a dict
    return value


def optional_text_at(entry: Mapping[str, Any], key: str, where: str) -> str | None:
    """Return the string of a key; None if there is none.

    Raises:
        ValueError: It is not a string.
    """
    return None if entry.get(key) is None else text_at(entry, key, where)


def dict_at(entry: Mapping[str, Any], key: str, where: str, known: Collection[str]) -> Mapping[str, Any]:
    """Return the dict of a key that a dict has to have, with its own keys checked.

    Raises:
        ValueError: There is none, or it has an unknown key.
    """
    value = required_at(entry, key, where)
    if not isinstance(value, Mapping):
        msg = f"{where}.{key} is {describe(value)}; want a dict"
        raise ValueError(msg)  # noqa: TRY004 -- as above
    check_keys(value, known, f"{where}.{key}")
    return value
