"""Forms made of settings classes: what may be written, what it means, and what came back."""

from __future__ import annotations

import json
import math
import tomllib
import types
import typing
from collections.abc import (
    Collection as CollectionABC,
    Iterator,
    Mapping,
    Mapping as MappingABC,
    Sequence,
    Sequence as SequenceABC,
)
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import attrs

from jackfield import Secret
from jackfield.plugin import attribute_meanings

from ._secret_texts import HELP, find_secrets, is_hidden, looks_like_secret
from ._toml_edit import write_value

__all__ = ["HIDDEN", "WAYS", "Field", "Filled", "Form", "Posted", "fields_of", "form_of"]

Control: TypeAlias = Literal[
    "text", "number", "choice", "flag", "secret", "lines", "pairs", "toml", "models", "group"
]

HIDDEN: Final = "kept"
"""The suffix of the control that keeps a value which is not shown."""
WAYS: Final[Mapping[str, str]] = {
    "env": "environment variable",
    "file": "file",
    "keyring": "keyring (service/name)",
    "none": "none: the server wants no key",
}
"""How a secret is referred to, by the scheme of its reference."""
_EMPTY: Final = '""'
"""What is typed for an empty text; a control that is left empty leaves the key out."""
_UNIONS: Final = (typing.Union, types.UnionType)
_LISTS: Final = (tuple, list, set, frozenset, SequenceABC, CollectionABC)
_MAPPINGS: Final = (dict, MappingABC)
_NUMBERS: Final = (int, float)


@attrs.frozen(kw_only=True)
class Field:
    """One key of a table, as a control.

    Attributes:
        path: Its keys, from the form's table on.
        control: What it is filled in with.
        meaning: What its class says of it.
        default: What holds if it is left empty, in words; "" if nothing does.
        required: There is no default.
        choices: The words of a choice.
        kinds: The types that its text may be read as.
        fields: The fields of a group.
    """

    path: tuple[str, ...]
    control: Control
    meaning: str = ""
    default: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()
    kinds: frozenset[Any] = frozenset()
    fields: tuple[Field, ...] = ()

    @property
    def key(self) -> str:
        """Its own key."""
        return self.path[-1]

    @property
    def name(self) -> str:
        """The name of its control."""
        return ".".join(self.path)

    def leaves(self) -> Iterator[Field]:
        """Yield the field, or those of the group."""
        if self.control == "group":
            for field in self.fields:
                yield from field.leaves()
        else:
            yield self


@attrs.frozen
class Form:
    """The fields of one table.

    Attributes:
        fields: In the order in which they are shown.
    """

    fields: tuple[Field, ...]

    def leaves(self) -> list[Field]:
        """Return all fields that are not groups."""
        return [leaf for field in self.fields for leaf in field.leaves()]

    def fill(self, values: Mapping[str, Any]) -> Filled:
        """Fill the form with a table of the configuration; secrets that stand in it are left out."""
        texts: dict[str, str] = {}
        hidden: set[str] = set()
        for field in self.leaves():
            value = _value_at(values, field.path)
            if value is None:
                continue
            if field.control != "secret" and is_hidden(field.name, value):
                hidden.add(field.name)
            else:
                texts |= _texts_of(field, value)
        return Filled(texts, frozenset(hidden))

    def read(self, posted: Mapping[str, str], old: Mapping[str, Any] | None = None) -> Posted:
        """Read what was posted into a table of the configuration.

        Args:
            posted: Texts by name of control.
            old: The table as it is in the file; what is not changed, and what is not shown, stays as it is there.
        """
        old = old or {}
        before = self.fill(old)
        values: dict[str, Any] = {}
        faults: dict[str, str] = {}
        for field in self.leaves():
            there = _value_at(old, field.path)
            if (
                field.name in before.hidden
                and posted.get(f"{field.name}.{HIDDEN}")
                and not posted.get(field.name)
            ):
                _put(values, field.path, there)
                continue
            if there is not None and _is_unchanged(field, posted, before):
                _put(values, field.path, there)
                continue
            try:
                value = _read(field, posted)
            except ValueError as error:
                faults[field.name] = str(error)
                continue
            if value is None:
                continue
            for _, fault in find_secrets(field.name, value):
                faults[field.name] = fault
            _put(values, field.path, value)
        return Posted(_as_written(values, old), faults)


@attrs.frozen
class Filled:
    """The texts of a form.

    Attributes:
        texts: By name of control.
        hidden: Names of fields whose value is in the file and is not shown.
    """

    texts: Mapping[str, str]
    hidden: frozenset[str] = frozenset()


@attrs.frozen
class Posted:
    """What a form says.

    Attributes:
        values: The table.
        faults: What is wrong with a field, by its name.
    """

    values: dict[str, Any]
    faults: dict[str, str]


def form_of(cls: type, *, leave_out: CollectionABC[str] = ()) -> Form:
    """Return the form of a settings class.

    Args:
        cls: An attrs class.
        leave_out: Keys that are filled in elsewhere.
    """
    return Form(tuple(fields_of(cls, (), leave_out)))


def fields_of(cls: type, path: tuple[str, ...], leave_out: CollectionABC[str] = ()) -> Iterator[Field]:
    """Yield the fields of a settings class, below a path."""
    hints, meanings = _hints(cls), attribute_meanings(cls)
    for field in attrs.fields(typing.cast("Any", cls)):
        key = field.alias or field.name
        if not field.init or key in leave_out:
            continue
        hint = hints.get(field.name, Any)
        if field.metadata.get("secret"):
            hint = Secret
        yield make_field(
            (*path, key),
            hint,
            meaning=meanings.get(field.name, ""),
            default="" if field.default is attrs.NOTHING else _default_words(field),
            required=field.default is attrs.NOTHING,
        )


def make_field(
    path: tuple[str, ...], hint: Any, *, meaning: str = "", default: str = "", required: bool = False
) -> Field:
    """Return the field of a type.

    Args:
        path: Its keys.
        hint: The annotation.
        meaning: What it means.
        default: What holds if it is left empty.
        required: There is no default.
    """
    kinds = _alternatives(hint)
    nested = [kind for kind in kinds if isinstance(kind, type) and attrs.has(kind)]
    common: dict[str, Any] = {"path": path, "meaning": meaning, "default": default, "required": required}
    if Secret in kinds:
        return Field(control="secret", **common)
    if len(kinds) == 1 and nested:
        fields = tuple(fields_of(nested[0], path))
        # A table with keys of its own that are required is not half filled in by a form: it is written as TOML.
        if not any(field.required or field.control == "group" for field in fields):
            return Field(control="group", fields=fields, **common)
    choices = _choices(kinds)
    if choices is not None:
        return Field(control="choice", choices=choices, **common)
    plain = frozenset(typing.get_origin(kind) or kind for kind in kinds)
    if plain == {bool}:
        return Field(control="flag", choices=("true", "false"), **common)
    if plain and plain <= {*_NUMBERS}:
        return Field(control="number", kinds=plain, **common)
    if plain and plain <= {str, Path, Decimal, *_NUMBERS}:
        return Field(control="text", kinds=plain, **common)
    if len(kinds) == 1 and plain & {*_LISTS}:
        item = next(iter(typing.get_args(kinds[0])), Any)
        inner = _alternatives(item)
        if all(kind in (str, int, float, Path, Decimal) for kind in inner):
            return Field(control="lines", kinds=frozenset(inner), **common)
    if len(kinds) == 1 and plain & {*_MAPPINGS}:
        return Field(control="pairs", **common)
    return Field(control="toml", **common)


def _alternatives(hint: Any) -> list[Any]:
    """Return the types that a hint allows, None left out."""
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        return _alternatives(typing.get_args(hint)[0])
    if origin in _UNIONS:
        return [kind for one in typing.get_args(hint) if one is not type(None) for kind in _alternatives(one)]
    return [hint]


def _choices(kinds: Sequence[Any]) -> tuple[str, ...] | None:
    words = [
        word for kind in kinds if typing.get_origin(kind) is typing.Literal for word in typing.get_args(kind)
    ]
    if not words or any(typing.get_origin(kind) is not typing.Literal for kind in kinds):
        return None
    return tuple(words) if all(isinstance(word, str) for word in words) else None


def _hints(cls: type) -> Mapping[str, Any]:
    try:
        return typing.get_type_hints(cls)
    except Exception:  # a plugin's annotations are its own; what cannot be read is written as TOML
        fields = attrs.fields(typing.cast("Any", cls))
        return {field.name: field.type for field in fields if not isinstance(field.type, str | None)}


def _default_words(field: attrs.Attribute[Any]) -> str:
    """Return in words what holds if a key is left out; "" where only its meaning can say it."""
    written = field.metadata.get("written")
    if isinstance(written, str):
        return written
    value: Any = field.default
    if isinstance(value, attrs.Factory):  # type: ignore[arg-type]
        return ""
    if isinstance(value, Secret):
        return value.reference or ""
    if value is None or (isinstance(value, tuple | list | Mapping) and not value):
        return ""
    if isinstance(value, bool | str | int | float | Decimal | Path | tuple | list):
        text = (
            str(value).lower()
            if isinstance(value, bool)
            else ", ".join(map(str, value))
            if isinstance(value, tuple | list)
            else str(value)
        )
        return text or _EMPTY
    return ""


# Texts


def _texts_of(field: Field, value: Any) -> dict[str, str]:
    """Return the texts of a field's controls for a value of the file."""
    if field.control == "secret":
        scheme, _, rest = str(value if value is not False else "none").partition(":")
        if scheme not in WAYS or (scheme != "none" and not rest):
            return {}  # not a reference: it is not shown
        return {f"{field.name}.way": scheme, field.name: rest}
    return {field.name: _text_of(field, value)}


def _text_of(field: Field, value: Any) -> str:
    if field.control in ("text", "choice"):
        return _EMPTY if value == "" else value if isinstance(value, str) else _number_text(value)
    if field.control == "flag":
        return str(value).lower()
    if field.control == "number":
        return _number_text(value)
    if (
        field.control == "lines"
        and isinstance(value, list)
        and all(isinstance(item, str | int | float) for item in value)
    ):
        return "\n".join(_line_of(item) for item in value)
    if field.control == "pairs" and isinstance(value, Mapping):
        return "\n".join(f"{_key(name)} = {write_value(item)}" for name, item in value.items())
    if field.control == "models" and isinstance(value, list):
        return "\n".join(
            item if isinstance(item, str) and _is_plain(item) else write_value(item) for item in value
        )
    return write_value(value)


def _line_of(item: Any) -> str:
    return (
        (item if _is_plain(item) else json.dumps(item, ensure_ascii=False))
        if isinstance(item, str)
        else _number_text(item)
    )


def _is_plain(text: str) -> bool:
    return bool(text) and text == text.strip() and text[0] not in "\"'{[#" and "\n" not in text


def _key(name: str) -> str:
    return write_value({name: 0}).removeprefix("{ ").partition(" = 0")[0]


def _number_text(value: Any) -> str:
    if isinstance(value, float):
        return "inf" if value == math.inf else f"{value:.12g}"
    return str(value)


def _is_unchanged(field: Field, posted: Mapping[str, str], before: Filled) -> bool:
    names = [field.name, f"{field.name}.way", f"{field.name}.mode"]
    shown = {name: text for name in names if (text := before.texts.get(name, ""))}
    came = {
        name: text.replace("\r\n", "\n").strip() for name in names if (text := posted.get(name, "").strip())
    }
    if field.control == "models":
        shown[f"{field.name}.mode"] = "only"  # there is a list
    return bool(shown) and shown == came


def _read(field: Field, posted: Mapping[str, str]) -> Any:
    """Read the value of a field; None if it is left empty.

    Raises:
        ValueError: It is not valid; the text says what to write.
    """
    text = posted.get(field.name, "").replace("\r\n", "\n").strip()
    if field.control == "secret":
        return _read_secret(posted.get(f"{field.name}.way", ""), text)
    if field.control == "models":
        return _read_models(text) if posted.get(f"{field.name}.mode", "all") == "only" else None
    if not text:
        return None
    if field.control in ("number", "text"):
        return "" if text == _EMPTY and str in field.kinds else _read_scalar(text, field.kinds)
    if field.control == "choice":
        return "" if text == _EMPTY else text
    if field.control == "flag":
        return {"true": True, "false": False}.get(text, text)
    if field.control == "lines":
        return [_read_line(line, field.kinds) for line in text.splitlines() if line.strip()]
    if field.control == "pairs":
        return _parse(text)
    return _read_toml(text)


def _read_scalar(text: str, kinds: CollectionABC[Any]) -> Any:
    if int in kinds or float in kinds:
        try:
            return int(text)
        except ValueError:
            pass
        try:
            return float(text)
        except ValueError:
            pass
    return text  # what is wrong with it, the core says


def _read_line(line: str, kinds: CollectionABC[Any]) -> Any:
    line = line.strip()
    if line.startswith(('"', "'")):
        return _read_toml(line)
    return _read_scalar(line, kinds)


def _read_secret(way: str, text: str) -> str | None:
    if way == "none":
        return "none"
    scheme, colon, rest = text.partition(":")
    if colon and scheme in WAYS and scheme != "none":
        way, text = scheme, rest.strip()  # a whole reference was typed
    elif text == "none" and not way:
        return "none"
    if not text:
        if way:
            raise ValueError(
                {
                    "env": "write the name of the variable",
                    "file": "write the path of the file",
                    "keyring": "write service/name",
                }[way]
            )
        return None
    if looks_like_secret(text) or (way == "keyring" and "/" not in text and len(text) > 15):
        raise ValueError(HELP)
    if not way:
        raise ValueError(
            "choose where the secret is: an environment variable or a file; its name or path stands here"
        )
    if way not in WAYS:
        raise ValueError(f"there is no way {way!r} to refer to a secret")
    return f"{way}:{text}"


def _read_models(text: str) -> list[Any]:
    """Read one entry a line: an id, or an inline table, which may go on over further lines."""
    entries: list[Any] = []
    waiting = ""
    for line in text.splitlines():
        waiting = f"{waiting}\n{line}" if waiting else line.strip()
        if not waiting or waiting.startswith("#"):
            waiting = ""
            continue
        if waiting[0] not in "{\"'":
            entries.append(waiting)
            waiting = ""
            continue
        try:
            entries.append(tomllib.loads(f"x = {waiting.rstrip().removesuffix(',')}\n")["x"])
        except tomllib.TOMLDecodeError:
            continue
        waiting = ""
    if waiting:
        raise ValueError(_toml_fault(waiting))
    return entries


def _read_toml(text: str) -> Any:
    return _parse(f"x = {text}")["x"]


def _parse(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(f"{text}\n")
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"this is not valid TOML: {error}") from error


def _toml_fault(entry: str) -> str:
    try:
        tomllib.loads(f"x = {entry}\n")
    except tomllib.TOMLDecodeError as error:
        return f'this entry is not valid TOML: {error}; write an id, or a table such as {{ id = "model" }}'
    return "this entry is not valid"


# Tables


def _value_at(values: Mapping[str, Any], path: Sequence[str]) -> Any:
    found: Any = values
    for key in path:
        if (
            len(path) > 1
            and key == path[-1]
            and isinstance(found, int | float)
            and not isinstance(found, bool)
        ):
            return found if key == "total" else None  # timeout = 60 is the limit of the whole call
        found = (
            found.get(key)
            if isinstance(found, Mapping)
            else found
            if isinstance(found, int | float) and key == path[0]
            else None
        )
        if found is None:
            return None
    return found


def _put(values: dict[str, Any], path: Sequence[str], value: Any) -> None:
    here = values
    for key in path[:-1]:
        here = here.setdefault(key, {})
    here[path[-1]] = value


def _as_written(values: dict[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """Keep a short form of the file (timeout = 60) where it still says the same."""
    for key, value in values.items():
        before = old.get(key)
        if isinstance(before, int | float) and not isinstance(before, bool) and value == {"total": before}:
            values[key] = before
    return values
