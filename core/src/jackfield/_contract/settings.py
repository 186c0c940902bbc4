"""Reads configuration into attrs objects, by the types of their fields."""

from __future__ import annotations

import collections.abc
import sys
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs

from jackfield._hints import hint
from jackfield._types.errors import ConfigurationError, JackfieldError, PluginError

from .addresses import Address, address_fault, shown_address
from .secrets import Secret, describe_missing_keyring, has_keyring

__all__ = ["Reader", "describe_value", "example_of", "read_settings"]

T = TypeVar("T")

INVALID: Final[Any] = object()
"""Given for a value that was noted as wrong; never part of a result."""

_UNIONS: Final = (typing.Union, types.UnionType)
_LISTS: Final = (tuple, list, set, frozenset, collections.abc.Sequence, collections.abc.Collection)
_MAPPINGS: Final = (dict, collections.abc.Mapping)
_WORDS: Final[dict[Any, str]] = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Path: "a path (a string)",
    Secret: 'a reference to a secret ("env:NAME")',
    type(None): "nothing",
}
_DECIMAL: Final = 'a number in a string ("0.25")'
_EXAMPLES: Final[dict[Any, str]] = {
    str: '"..."',
    int: "1",
    float: "1.0",
    bool: "true",
    Path: '"path"',
    Secret: '"env:NAME"',
}


def read_settings(
    cls: type[T],
    values: Mapping[str, Any],
    *,
    where: str,
    folder: Path | None = None,
    given: Mapping[str, Any] | None = None,
) -> T:
    """Make a settings object of a table.

    Args:
        cls: An attrs class. The annotations of its fields say what may be written: str, int, float, bool,
            Decimal, Path, Secret, lists, mappings, other attrs classes, unions and Literals of these.
        values: The table.
        where: Its place, for errors ("connections.azure").
        folder: What relative paths and `file:` references start from.
        given: Fields whose values are objects already; they are not checked.

    Raises:
        ConfigurationError: Everything that is wrong with it, each line with its place. Values of secret
            fields are not shown.
    """
    reader = Reader(folder)
    made = reader.settings(cls, values, where, given=given)
    reader.raise_problems()
    return typing.cast("T", made)


class Reader:
    """Reads values by type and collects what is wrong, so that all of it can be said at once.

    Args:
        folder: What relative paths and `file:` references start from; None leaves them as they are.

    Attributes:
        problems: What is wrong, each with its place.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.problems: list[str] = []

    def wrong(self, where: str, what: str) -> Any:
        """Note what is wrong; gives `INVALID`."""
        self.problems.append(f"{where}: {what}")
        return INVALID

    def raise_problems(self, source: str | None = None) -> None:
        """Raise everything that was noted, if anything was.

        Args:
            source: Where it was read from.

        Raises:
            ConfigurationError: One line each.
        """
        problems = list(dict.fromkeys(self.problems))  # what two readings find is said once
        if len(problems) == 1:
            message = f"{source}: {problems[0]}" if source else problems[0]
            raise ConfigurationError(message, mistakes=problems)
        if problems:
            lines = "".join(f"\n  {problem}" for problem in problems)
            message = f"{source or 'the configuration'} has {len(problems)} mistakes:{lines}"
            raise ConfigurationError(message, mistakes=problems)

    def unknown_keys(self, values: Mapping[str, Any], known: Iterable[str], where: str) -> None:
        """Note each key that is not known, with the closest that is."""
        known = tuple(known)
        for key in values:
            if key not in known:
                self.wrong(join(where, key), f"unknown key{hint(str(key), known)}")

    def table(self, value: Any, where: str) -> Mapping[str, Any]:
        """Return a table; notes anything else, and returns an empty one."""
        if isinstance(value, Mapping):
            return value
        self.wrong(where, f"must be a table, not {describe_value(value)}")
        return {}

    def settings(
        self,
        cls: type[T],
        values: Any,
        where: str,
        *,
        given: Mapping[str, Any] | None = None,
        also: tuple[str, ...] = (),
        complete: bool = True,
    ) -> T | None:
        """Make an attrs object of a table; None if something is wrong with it.

        Args:
            cls: The attrs class.
            values: The table.
            where: Its place.
            given: Fields whose values are objects already.
            also: Keys of the same table that were read elsewhere, so that they can be suggested.
            complete: False where something that it needs is wrong already: its keys are read and nothing is made.
        """
        if not isinstance(values, Mapping):
            self.wrong(where, f"must be a table, not {describe_value(values)}")
            return None
        before = len(self.problems)
        hints = _hints(cls)
        fields = {field.alias: field for field in attrs.fields(typing.cast("Any", cls)) if field.init}
        arguments = dict(given or {})
        self.unknown_keys(values, (*(key for key in fields if key not in arguments), *also), where)
        for key, field in fields.items():
            if key in arguments:
                continue
            kind, secret = hints.get(field.name, Any), bool(field.metadata.get("secret"))
            if key in values:
                arguments[key] = self.value(kind, values[key], join(where, key), secret=secret)
                # base_url, token_url: what is called so is an address, whoever declares it
                fault = key.endswith("_url") and isinstance(values[key], str) and address_fault(values[key])
                if fault and not secret:
                    self.wrong(join(where, key), fault)
            elif field.default is attrs.NOTHING:
                example = _EXAMPLES[Secret] if secret else example_of(kind)
                self.wrong(join(where, key), f"is missing; write {key} = {example}{_others(kind)}")
        return self._made(cls, arguments, where) if complete and len(self.problems) == before else None

    def _made(self, cls: type[T], arguments: dict[str, Any], where: str) -> T | None:
        try:
            return cls(**arguments)
        except JackfieldError as error:
            for mistake in getattr(error, "mistakes", ()) or (error.message,):
                self.wrong(where, mistake)
        except (TypeError, ValueError) as error:
            # attrs' own validators put the value behind the message; the message alone is shown
            self.wrong(where, str(error.args[0]) if error.args else type(error).__name__)
        return None

    def value(self, kind: Any, value: Any, where: str, *, secret: bool = False) -> Any:
        """Read one value as a type; gives `INVALID` if it is wrong.

        Args:
            kind: The annotation.
            value: What is written.
            where: Its place.
            secret: It is a secret: read as a reference and never shown.
        """
        if secret or kind is Secret:
            return self._secret(kind, value, where)
        if kind is Any or kind is object:
            return value
        origin = typing.get_origin(kind)
        if origin in _UNIONS:
            return self._union(typing.get_args(kind), value, where)
        if origin is typing.Literal:
            return self._choice(typing.get_args(kind), value, where)
        if origin is typing.Annotated:
            return self.value(typing.get_args(kind)[0], value, where)
        plain: Any = origin or kind
        if plain in _MAPPINGS:
            return self._mapping(typing.get_args(kind), value, where)
        if plain in _LISTS:
            return self._list(plain, typing.get_args(kind), value, where)
        if isinstance(plain, type) and attrs.has(plain):
            return self._nested(plain, value, where)
        return self._scalar(plain, value, where)

    def _nested(self, cls: Any, value: Any, where: str) -> Any:
        if isinstance(value, cls):
            return value
        made = self.settings(cls, value, where)
        return INVALID if made is None else made

    def _secret(self, kind: Any, value: Any, where: str) -> Any:
        if value is None and type(None) in typing.get_args(kind):
            return None
        if value is False:
            value = "none"
        if not isinstance(value, str | Secret):
            return self.wrong(where, f"must be {_WORDS[Secret]}, not {_type_word(value)}")
        try:
            read = Secret.parse(value, key="it")
        except ConfigurationError as error:
            return self.wrong(where, error.message)
        if (read.reference or "").startswith("keyring:") and not has_keyring():
            return self.wrong(where, describe_missing_keyring())
        return self.anchored(read)

    def anchored(self, secret: Secret) -> Secret:
        """Let a relative `file:` reference start from the folder of the configuration."""
        scheme, _, path = (secret.reference or "").partition(":")
        return Secret(reference=f"file:{self.path(path)}") if scheme == "file" else secret

    def path(self, text: str | Path) -> Path:
        """Let a relative path start from the folder of the configuration."""
        path = Path(text).expanduser()
        return path if self.folder is None else self.folder / path

    def _union(self, kinds: tuple[Any, ...], value: Any, where: str) -> Any:
        if value is None and type(None) in kinds:
            return None
        rest = tuple(kind for kind in kinds if kind is not type(None))
        if len(rest) == 1:
            return self.value(rest[0], value, where)
        # Exact types first: an integer for `str | int | float` stays one.
        for kind in sorted(rest, key=lambda kind: kind is not type(value)):
            attempt = Reader(self.folder)
            read = attempt.value(kind, value, where)
            if not attempt.problems:
                return read
            if isinstance(value, Mapping) and isinstance(kind, type) and attrs.has(kind):
                self.problems += attempt.problems  # says more than "must be this or that"
                return INVALID
        wanted = " or ".join(_word(kind) for kind in rest)
        return self.wrong(where, f"must be {wanted}, not {describe_value(value)}")

    def _choice(self, choices: tuple[Any, ...], value: Any, where: str) -> Any:
        for choice in choices:
            if type(choice) is type(value) and choice == value:
                return value
        wanted = ", ".join(f'"{choice}"' if isinstance(choice, str) else str(choice) for choice in choices)
        return self.wrong(where, f"must be one of {wanted}, not {_shown(value)}")

    def _list(self, plain: Any, kinds: tuple[Any, ...], value: Any, where: str) -> Any:
        if not isinstance(value, list | tuple | set | frozenset):
            return self.wrong(where, f"must be a list, not {describe_value(value)}")
        kind = kinds[0] if kinds else Any
        read = [self.value(kind, item, f"{where}[{number}]") for number, item in enumerate(value)]
        if any(item is INVALID for item in read):
            return INVALID
        return plain(read) if plain in {list, set, frozenset} else tuple(read)

    def _mapping(self, kinds: tuple[Any, ...], value: Any, where: str) -> Any:
        if not isinstance(value, Mapping):
            return self.wrong(where, f"must be a table, not {describe_value(value)}")
        kind = kinds[1] if kinds else Any
        read = {key: self.value(kind, item, join(where, key)) for key, item in value.items()}
        return INVALID if any(item is INVALID for item in read.values()) else read

    def _scalar(self, kind: Any, value: Any, where: str) -> Any:
        if _is_decimal(kind):
            return self.decimal(value, where)
        if kind is Path and isinstance(value, str | Path):
            return self.path(value)
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        # True is an int to Python and not to people.
        if (
            isinstance(kind, type)
            and isinstance(value, kind)
            and not (isinstance(value, bool) and kind is int)
        ):
            has_secret = isinstance(value, str) and "://" in value and shown_address(value) != value
            return Address(value) if has_secret else value
        return self.wrong(where, f"must be {_word(kind)}, not {describe_value(value)}")

    def decimal(self, value: Any, where: str) -> Any:
        """Read an exact number: a string or an integer. A float has lost digits already, so it is an error."""
        if isinstance(value, float):
            return self.wrong(
                where, f'{value} is a float, which is not exact; write it as a string: "{value}"'
            )
        from decimal import Decimal, InvalidOperation

        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            return self.wrong(where, f"must be {_DECIMAL}, not {describe_value(value)}")
        try:
            number = Decimal(value)
        except InvalidOperation:
            return self.wrong(where, f"must be {_DECIMAL}, not {_shown(value)}")
        return number if number.is_finite() else self.wrong(where, "must be a finite number")


def join(where: str, key: object) -> str:
    """Write the place of a key."""
    return f"{where}.{key}" if where else str(key)


def _hints(cls: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(cls)
    except Exception as error:
        raise PluginError(
            f"the types of the settings class {cls.__module__}.{cls.__qualname__} cannot be resolved: {error}; "
            "import them at run time, not under TYPE_CHECKING"
        ) from error


def _word(kind: Any) -> str:
    if typing.get_origin(kind) is typing.Literal:
        return " or ".join(f'"{choice}"' for choice in typing.get_args(kind))
    plain = typing.get_origin(kind) or kind
    if _is_decimal(plain):
        return _DECIMAL
    if plain in _WORDS:
        return _WORDS[plain]
    if plain in _LISTS:
        return "a list"
    return "a table" if plain in _MAPPINGS or attrs.has(plain) else str(getattr(plain, "__name__", plain))


def example_of(kind: Any) -> str:
    """Write a value of a type, as an example of what to write."""
    origin = typing.get_origin(kind)
    if origin in _UNIONS:
        return example_of(next(kind for kind in typing.get_args(kind) if kind is not type(None)))
    if origin is typing.Literal:
        return f'"{typing.get_args(kind)[0]}"'
    plain = origin or kind
    if plain in _LISTS:
        return '["..."]'
    return '"0.25"' if _is_decimal(plain) else _EXAMPLES.get(plain, "{ ... }")


def _is_decimal(kind: Any) -> bool:
    """Return whether a type is `Decimal`: whoever names that has imported its module, which is slow to import."""
    module = sys.modules.get("decimal")
    return module is not None and kind is module.Decimal


def _others(kind: Any) -> str:
    """Name the other words that may stand where one of several is wanted."""
    words = typing.get_args(kind)[1:] if typing.get_origin(kind) is typing.Literal else ()
    return f" (or {', '.join(str(word) for word in words)})" if words else ""


def describe_value(value: Any) -> str:
    """Describe a wrong value without showing what may be a secret."""
    # Strings are not shown: one that stands at the wrong key may be a secret.
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else _type_word(value)


def _shown(value: Any) -> str:
    # Shown where a short word or number is expected, so that a misspelling can be seen.
    return f'"{value}"' if isinstance(value, str) and len(value) <= 20 else describe_value(value)


def _type_word(value: Any) -> str:
    for kind in (bool, str, int, float):
        if isinstance(value, kind):
            return _WORDS[kind]
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a table"
    return "a list" if isinstance(value, list | tuple) else type(value).__name__
