"""The configuration keys of `[middleware.pii]`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Literal

import attrs

from jackfield import ConfigurationError

__all__ = ["PiiSettings"]

Entity = Literal["CREDIT_CARD", "EMAIL", "IBAN", "IP_ADDRESS", "PHONE", "US_SSN"]


def _pattern_faults(patterns: Mapping[str, str]) -> Iterator[str]:
    for name, pattern in patterns.items():
        if not re.fullmatch(r"[A-Z][A-Z0-9_]*", name):
            yield f"patterns: the name {name!r} must consist of capital letters, digits and _"
        try:
            compiled = re.compile(pattern)
        except (re.error, OverflowError, RecursionError) as error:
            yield f"patterns.{name} is not a valid regular expression: {error}"
        else:
            if compiled.match(""):
                yield f"patterns.{name} matches an empty text, so it would match everywhere"


def _number_faults(numbers: tuple[str, ...]) -> Iterator[str]:
    for name in numbers:
        if not (re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)?", name) and _has_number(name)):
            yield f'numbers: python-stdnum has no number {name!r}; write its module, such as "de.idnr"'


def _has_number(name: str) -> bool:
    try:
        module = import_module(f"stdnum.{name}")
    except ModuleNotFoundError:
        return False
    return callable(getattr(module, "is_valid", None))


def _region_faults(region: str | None) -> Iterator[str]:
    if region is not None:
        import phonenumbers

        if region not in phonenumbers.SUPPORTED_REGIONS:
            yield f'phone_region: {region!r} is not a country; write its two letters, such as "DE"'


@attrs.frozen(kw_only=True)
class PiiSettings:
    """The settings of the guard.

    Attributes:
        mode: `redact` sends placeholders, `block` refuses the call, `report` only says what was found.
        entities: The kinds of personal data to find.
        numbers: Further numbers with a checksum, by their module in python-stdnum: "de.idnr", "gb.nhs", "fr.nir".
        patterns: Regular expressions of your own, each under the name of what it finds.
        phone_region: The country (ISO 3166) of phone numbers without a country code; None finds only those with one.
        restore: Whether to put the values back into the answer.
        unreadable: What to do with images, recordings and documents that are not text: `pass` or `block`.
    """

    mode: Literal["redact", "block", "report"] = "redact"
    entities: tuple[Entity, ...] = ("CREDIT_CARD", "EMAIL", "IBAN", "IP_ADDRESS", "PHONE", "US_SSN")
    numbers: tuple[str, ...] = ()
    patterns: Mapping[str, str] = attrs.field(factory=dict)
    phone_region: str | None = None
    restore: bool = True
    unreadable: Literal["pass", "block"] = "pass"

    def __attrs_post_init__(self) -> None:
        """Report all mistakes at once, when the configuration is loaded."""
        if faults := tuple(self._faults()):
            raise ConfigurationError("; ".join(faults), mistakes=faults)

    def _faults(self) -> Iterator[str]:
        yield from _pattern_faults(self.patterns)
        yield from _number_faults(self.numbers)
        yield from _region_faults(self.phone_region)
