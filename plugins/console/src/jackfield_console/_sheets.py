"""A form of settings as a page shows it: texts, hints and mistakes of each field."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs
from markupsafe import Markup, escape

from ._connection_forms import Sheet
from ._secret_texts import find_secrets, looks_like_secret, show_text
from ._setting_forms import HIDDEN, WAYS, Field, Filled
from ._toml_edit import remove, set_value

__all__ = ["ShownField", "ShownSection", "prose", "show_sheet", "write_table"]

_CODE: Final = re.compile(r"`([^`]+)`")
_NONE: Final = re.compile(r"(?:(?<=[,;:(a-z] )(?=(N)))?\bNone\b")
"""What docstrings call a value that is left out."""
_LINES: Final = {"lines": 3, "pairs": 3, "toml": 3, "models": 6}
_NAMES: Final = {
    "lines": "One a line.",
    "pairs": 'One a line: name = "value".',
    "toml": "As TOML.",
}


@attrs.frozen(kw_only=True)
class ShownField:
    """A field as the template needs it.

    Attributes:
        name: The name of its control.
        label: What stands above it.
        control: What it is filled in with.
        hint: What it means.
        text: Its text.
        way: Of a secret: how it is referred to.
        only: Of models: whether only those that are listed are allowed.
        default: What holds if it is left empty.
        required: It must be filled in.
        options: The options of a choice: value and words.
        rows: The lines of a text area; 0 is one line.
        kept: The file has a value that is not shown.
        error: What is wrong with it.
        fields: The fields of a group.
    """

    name: str
    label: str
    control: str
    hint: Markup
    text: str = ""
    way: str = ""
    only: bool = False
    default: str = ""
    required: bool = False
    options: tuple[tuple[str, str], ...] = ()
    rows: int = 0
    kept: bool = False
    error: str = ""
    fields: tuple[ShownField, ...] = ()

    @property
    def is_set(self) -> bool:
        """Whether there is something to see in it."""
        return bool(self.text or self.way or self.kept or self.error) or any(
            field.is_set for field in self.fields
        )


@attrs.frozen(kw_only=True)
class ShownSection:
    """A section as the template needs it."""

    title: str
    lead: str
    folded: bool
    fields: tuple[ShownField, ...]


def prose(text: str) -> Markup:
    """Return a docstring's words for a page: escaped, with what stands in backticks as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 -- it is escaped first


def show_sheet(sheet: Sheet, filled: Filled, errors: Mapping[str, str]) -> list[ShownSection]:
    """Return the sections of a sheet; one with something in it or wrong in it is not folded."""
    shown = []
    for section in sheet.sections:
        fields = tuple(_show(field, filled, errors) for field in section.fields)
        is_set = any(field.is_set for field in fields)
        shown.append(
            ShownSection(
                title=section.title, lead=section.lead, folded=section.folded and not is_set, fields=fields
            )
        )
    return shown


def _show(field: Field, filled: Filled, errors: Mapping[str, str]) -> ShownField:
    text = filled.texts.get(field.name, "")
    hint = _NONE.sub(lambda found: "empty" if found[1] else "Empty", field.meaning)
    if field.control in _NAMES:
        hint = f"{hint} {_NAMES[field.control]}".strip()
    options: tuple[tuple[str, str], ...] = ()
    if field.control in ("choice", "flag"):
        empty = f"default: {field.default}" if field.default else "–"
        words = dict.fromkeys((*field.choices, *([text] if text else [])))
        options = (*([] if field.required and not text else [("", empty)]), *((word, word) for word in words))
        if field.required and not text:
            options = (("", "choose"), *options)
    elif field.control == "secret":
        empty = f"default: {field.default}" if field.default else "not set"
        options = (("", empty), *WAYS.items())
    return ShownField(
        name=field.name,
        label=field.key,
        control=field.control,
        hint=prose(hint),
        text=text,
        way=filled.texts.get(f"{field.name}.way", ""),
        only=filled.texts.get(f"{field.name}.mode", "") == "only",
        default=field.default,
        required=field.required,
        options=options,
        rows=max(
            _LINES.get(field.control, 0), min(text.count("\n") + 2, 24) if field.control in _LINES else 0
        ),
        kept=field.name in filled.hidden,
        error=errors.get(field.name, ""),
        fields=tuple(_show(inner, filled, errors) for inner in field.fields),
    )


def posted_texts(names: Iterator[str] | list[str], read: Any) -> dict[str, str]:
    """Return the posted texts of a form, without its token."""
    return {name: read(name) for name in names if name != "csrf"}


def filled_again(sheet: Sheet, texts: Mapping[str, str], old: Mapping[str, Any]) -> Filled:
    """Return what was posted, to be shown again; what the file has and is not shown stays so.

    A secret that was typed is not sent back: its field comes back empty.
    """
    form = sheet.form
    shown = {}
    for field in form.leaves():
        for name in (field.name, f"{field.name}.way", f"{field.name}.mode"):
            text = texts.get(name, "")
            if field.control == "secret" and name == field.name and looks_like_secret(text):
                continue
            if text and show_text(text) == text and not any(True for _ in find_secrets(field.name, text)):
                shown[name] = text
    kept = {name for name in form.fill(old).hidden if texts.get(f"{name}.{HIDDEN}")}
    return Filled(shown, frozenset(kept))


def write_table(
    text: str, path: tuple[str | int, ...], sheet: Sheet, old: Mapping[str, Any], new: Mapping[str, Any]
) -> str:
    """Return a configuration in which the keys of a form have new values; keys that the form does not know stay.

    Args:
        text: The configuration.
        path: The table.
        sheet: Its form.
        old: What the table says now.
        new: What the form says.
    """
    asked = sheet.keys()
    for key in old:
        if key in asked and key not in new and key not in sheet.fixed:
            text = remove(text, (*path, key))
    for key, value in new.items():
        if key not in old or old[key] != value or type(old[key]) is not type(value):
            text = set_value(text, (*path, key), value)
    return text
