"""What `[middleware.pii]` says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Literal

import attrs

__all__ = ["PiiSettings"]

Entity = Literal["CREDIT_CARD", "EMAIL", "IBAN", "IP_ADDRESS", "PHONE", "US_SSN"]


def _all_patterns(instance: object, attribute: attrs.Attribute[Any], value: Mapping[str, str]) -> None:
    for name, pattern in value.items():
        if not re.fullmatch(r"[A-Z][A-Z0-9_]*", name):
            msg = f"patterns: the name {name!r} must be of capital letters, digits and _"
            raise ValueError(msg)
        try:
            compiled = re.compile(pattern)
        except re.error as error:
            msg = f"patterns.{name} is no regular expression: {error}"
            raise ValueError(msg) from error
        if compiled.match(""):
            msg = f"patterns.{name} matches nothing at all, so it would match everywhere"
            raise ValueError(msg)


def _all_numbers(instance: object, attribute: attrs.Attribute[Any], value: tuple[str, ...]) -> None:
    for name in value:
        known = re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)?", name) and _has_number(name)
        if not known:
            msg = f'numbers: python-stdnum has no number {name!r}; write its module, such as "de.idnr"'
            raise ValueError(msg)


def _has_number(name: str) -> bool:
    try:
        module = import_module(f"stdnum.{name}")
    except ModuleNotFoundError:
        return False
    return callable(getattr(module, "is_valid", None))


def _a_region(instance: object, attribute: attrs.Attribute[Any], value: str | None) -> None:
    if value is not None:
        import phonenumbers

        if value not in phonenumbers.SUPPORTED_REGIONS:
            msg = f'phone_region: {value!r} is no country; write its two letters, such as "DE"'
            raise ValueError(msg)


@attrs.frozen(kw_only=True)
class PiiSettings:
    """Settings of the guard.

    Attributes:
        mode: `redact` sends placeholders, `block` refuses the call, `report` only says what was found.
        entities: What is looked for.
        numbers: Numbers that have a checksum, by their module in python-stdnum: "de.idnr", "gb.nhs", "fr.nir".
        patterns: Regular expressions of your own, by the name of what they find.
        phone_region: The country (ISO 3166) of phone numbers without a country's prefix; None finds those with one only.
        restore: Put what was replaced back into the answer.
        unreadable: What becomes of images, recordings and documents that are no text: `pass` or `block`.
    """

    mode: Literal["redact", "block", "report"] = "redact"
    entities: tuple[Entity, ...] = ("CREDIT_CARD", "EMAIL", "IBAN", "IP_ADDRESS", "PHONE", "US_SSN")
    numbers: tuple[str, ...] = attrs.field(default=(), validator=_all_numbers)
    patterns: Mapping[str, str] = attrs.field(factory=dict, validator=_all_patterns)
    phone_region: str | None = attrs.field(default=None, validator=_a_region)
    restore: bool = True
    unreadable: Literal["pass", "block"] = "pass"
