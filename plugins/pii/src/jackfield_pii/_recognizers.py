"""Find personal data in a text: by patterns, and by checksums.

Phone numbers are found and validated by `phonenumbers` (Google's libphonenumber), other numbers are validated by
`python-stdnum`. Both are data and arithmetic: neither loads a model or uses the network.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from itertools import chain
from typing import Any, Final, TypeAlias

import attrs

from ._addresses import find_ip_addresses, find_mail_addresses
from ._cards import find_cards
from ._folding import fold
from ._settings import PiiSettings

__all__ = ["Found", "make_finder"]


@attrs.frozen
class Found:
    """A piece of personal data, from `start` up to `end`."""

    entity: str
    start: int
    end: int


Finder: TypeAlias = Callable[[str], list[Found]]
_Recognizer: TypeAlias = Callable[[str], Iterator[Found]]

_SSN: Final = re.compile(r"(?<!\d)(?<!\d[-./])\d{3}(\s{1,3}|\s?-\s?|[./_])\d{2}\1\d{4}(?![-./]?\d)")
_NAMED_SSN: Final = re.compile(
    r"(?i)(?<![a-z])(?:ssn|social[\s_-]*security)\D{0,40}(\d{9})(?!\d)|(?<!\d)(\d{9})\D{0,20}(?:ssn(?![a-z])|social\s*security)"
)
"""Nine digits in a row are usually a valid number, but mean something else: one of these words must be beside them."""
_SEPARATORS: Final = re.compile(r"[\s./:_-]")
_IBAN: Final = re.compile(r"(?=([A-Za-z]{2}\d{2}(?:[\s./:_-]{0,2}[A-Za-z0-9]){11,30}))")
_TOKEN: Final = re.compile(r"[^\W_]+")
_MOST_TOKENS: Final = 8
"""The greatest number of pieces of a number: "12 345 678 901" has four."""


def make_finder(settings: PiiSettings) -> Finder:
    """Return the function that finds what the settings name; loads the libraries."""
    own = [_of_pattern(name, re.compile(pattern)) for name, pattern in settings.patterns.items()]
    chosen: dict[str, Callable[[], _Recognizer]] = {
        "IBAN": lambda: _ibans,
        "CREDIT_CARD": lambda: _of_spans("CREDIT_CARD", find_cards),
        "US_SSN": lambda: _of_spans("US_SSN", _social_security_numbers),
        "EMAIL": lambda: _of_spans("EMAIL", find_mail_addresses),
        "IP_ADDRESS": lambda: _of_spans("IP_ADDRESS", find_ip_addresses),
        "PHONE": lambda: _phones(settings.phone_region),
    }
    exact = [name for name in chosen if name in settings.entities and name != "PHONE"]
    recognizers = [chosen[name]() for name in exact]
    recognizers += [_of_number(name, _number(name)) for name in settings.numbers]
    if "PHONE" in settings.entities:  # last: a number with a valid checksum is not a phone number
        recognizers.append(chosen["PHONE"]())

    def find(text: str) -> list[Found]:
        folded = fold(text)
        of_own = (found for recognizer in own for found in recognizer(text))
        others = (found for recognizer in recognizers for found in recognizer(folded.text))
        return _without_overlaps(
            chain(of_own, (Found(one.entity, *folded.original(one.start, one.end)) for one in others))
        )

    return find


def _without_overlaps(found: Iterable[Found]) -> list[Found]:
    """Drop findings that overlap with one of an earlier recognizer."""
    kept: list[Found] = []  # in the order of the text, so that only the neighbours matter
    for one in found:
        at = bisect_left(kept, one.start, key=lambda other: other.start)
        before_ends = at == 0 or kept[at - 1].end <= one.start
        if before_ends and (at == len(kept) or one.end <= kept[at].start):
            kept.insert(at, one)
    return kept


def _of_pattern(entity: str, pattern: re.Pattern[str]) -> _Recognizer:
    return _of_spans(entity, lambda text: (match.span() for match in pattern.finditer(text) if match[0]))


def _of_spans(entity: str, find: Callable[[str], Iterable[tuple[int, int]]]) -> _Recognizer:
    return lambda text: (Found(entity, start, end) for start, end in find(text))


def _social_security_numbers(text: str) -> Iterator[tuple[int, int]]:
    is_valid = _number("us.ssn").is_valid
    for match in _SSN.finditer(text):
        if is_valid(re.sub(r"\D", "", match[0])):
            yield match.span()
    for match in _NAMED_SSN.finditer(text):
        group = 1 if match[1] else 2
        if is_valid(match[group]):
            yield match.span(group)


def _ibans(text: str) -> Iterator[Found]:
    iban, done = _number("iban"), 0
    for match in _IBAN.finditer(text):
        start = match.start(1)
        # What follows may look like a part of it ("... 00 BIC COBADEFF"): take the longest valid prefix.
        for end in reversed(_ends_of_checksum(text, *match.span(1))) if start >= done else ():
            if iban.is_valid(_SEPARATORS.sub("", text[start:end])):
                yield Found("IBAN", start, end)
                done = end
                break


def _ends_of_checksum(text: str, start: int, end: int) -> list[int]:
    """Return where an IBAN with this beginning may end: where the number modulo 97 is 1 (ISO 13616)."""
    head = int("".join(str(int(character, 36)) for character in text[start : start + 4]))
    ends, remainder = [], 0
    for at in range(start + 4, end):
        if text[at].isalnum():
            value = int(text[at], 36)
            remainder = (remainder * (10 if value < 10 else 100) + value) % 97
            if (remainder * 1_000_000 + head) % 97 == 1:
                ends.append(at + 1)
    return ends


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
