"""Find personal data in a text: patterns for the shape, checksums for the proof.

Phone numbers are found and proved by `phonenumbers` (Google's libphonenumber), the other numbers are proved by
`python-stdnum`. Both are data and arithmetic: neither loads a model or goes to the network.
"""

from __future__ import annotations

import ipaddress
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from typing import Any, Final, TypeAlias

import attrs

from ._settings import PiiSettings

__all__ = ["Found", "make_finder"]


@attrs.frozen
class Found:
    """A piece of personal data: from `start` to before `end`."""

    entity: str
    start: int
    end: int


Finder: TypeAlias = Callable[[str], list[Found]]
_Recognizer: TypeAlias = Callable[[str], Iterator[Found]]

_EMAIL: Final = re.compile(r"(?<![\w.%+@-])[\w.%+-]{1,64}@(?:[\w-]{1,63}\.)+[^\W\d_]{2,24}(?![\w@])")
_CARD: Final = re.compile(r"(?<![\w-])(?<!\d[ .])[2-6](?:[ -]?\d){12,18}(?![\w-])")
_SSN: Final = re.compile(r"(?<![\w-])\d{3}([- ])\d{2}\1\d{4}(?![\w-])")
_IBAN: Final = re.compile(r"(?<!\w)[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,30}")
_IP: Final = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|(?=[\w:]{0,40}:[\w:])[0-9A-Fa-f:]{2,39})(?![\w:]|\.\d)"
)
_TOKEN: Final = re.compile(r"[^\W_](?:[./-]?[^\W_])*")
_MOST_TOKENS: Final = 8
"""Pieces that a number may be written in: "12 345 678 901"."""


def make_finder(settings: PiiSettings) -> Finder:
    """Make what finds that which the settings ask for; loads the libraries."""
    recognizers = [_of_pattern(name, re.compile(pattern)) for name, pattern in settings.patterns.items()]
    chosen: dict[str, Callable[[], _Recognizer]] = {
        "IBAN": lambda: _ibans,
        "CREDIT_CARD": lambda: _of_pattern("CREDIT_CARD", _CARD, _is_card),
        "US_SSN": lambda: _of_pattern("US_SSN", _SSN, lambda text: _number("us.ssn").is_valid(_digits(text))),
        "EMAIL": lambda: _of_pattern("EMAIL", _EMAIL),
        "IP_ADDRESS": lambda: _of_pattern("IP_ADDRESS", _IP, _is_address),
        "PHONE": lambda: _phones(settings.phone_region),
    }
    exact = [name for name in chosen if name in settings.entities and name != "PHONE"]
    recognizers += [chosen[name]() for name in exact]
    recognizers += [_of_number(name, _number(name)) for name in settings.numbers]
    if "PHONE" in settings.entities:  # last: what has a checksum is no phone number
        recognizers.append(chosen["PHONE"]())

    def find(text: str) -> list[Found]:
        return _without_overlaps(found for recognizer in recognizers for found in recognizer(text))

    return find


def _without_overlaps(found: Iterable[Found]) -> list[Found]:
    """Keep, of what overlaps, that of the earlier recognizer."""
    kept: list[Found] = []  # in the order of the text, so that only the neighbours matter
    for one in found:
        at = bisect_left(kept, one.start, key=lambda other: other.start)
        before_ends = at == 0 or kept[at - 1].end <= one.start
        if before_ends and (at == len(kept) or one.end <= kept[at].start):
            kept.insert(at, one)
    return kept


def _of_pattern(entity: str, pattern: re.Pattern[str], is_one: Callable[[str], bool] = bool) -> _Recognizer:
    def recognize(text: str) -> Iterator[Found]:
        for match in pattern.finditer(text):
            if match[0] and is_one(match[0]):
                yield Found(entity, match.start(), match.end())

    return recognize


def _ibans(text: str) -> Iterator[Found]:
    iban = _number("iban")
    for match in _IBAN.finditer(text):
        # What follows may look like a part of it ("... 00 BIC COBADEFF"): the longest beginning that is one.
        for end in range(match.end(), match.start() + 14, -1):
            if text[end - 1] not in " -" and iban.is_valid(text[match.start() : end]):
                yield Found("IBAN", match.start(), end)
                break


def _phones(region: str | None) -> _Recognizer:
    import phonenumbers

    def recognize(text: str) -> Iterator[Found]:
        for match in phonenumbers.PhoneNumberMatcher(text, region):
            yield Found("PHONE", match.start, match.end)

    return recognize


def _of_number(name: str, number: Any) -> _Recognizer:
    entity = re.sub(r"\W", "_", name).upper()

    def recognize(text: str) -> Iterator[Found]:
        tokens = [(match.start(), match.end()) for match in _TOKEN.finditer(text)]
        following = 0
        for first, (start, _) in enumerate(tokens):
            if first < following:
                continue
            for last in range(min(first + _MOST_TOKENS, len(tokens)) - 1, first - 1, -1):
                piece = text[start : tokens[last][1]]
                if len(piece) <= 40 and any(map(str.isdigit, piece)) and number.is_valid(piece):
                    yield Found(entity, start, tokens[last][1])
                    following = last + 1
                    break

    return recognize


def _number(name: str) -> Any:
    return import_module(f"stdnum.{name}")


def _is_card(text: str) -> bool:
    return bool(_number("luhn").is_valid(_digits(text)))


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return any(map(str.isdigit, text))  # "a::b" is one, and more often C++
