"""Find the numbers of payment cards by their checksum, in any groups, and beside other digits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate
from typing import Final

import attrs

__all__ = ["find_cards"]

_LENGTHS: Final = range(13, 20)
_RUN: Final = re.compile(r"\d(?:(?:\s{1,3}|\s?-\s?|[._/|,:;*+~·•∙'])?\d){12,}")
_GROUP: Final = re.compile(r"\d+")

# By the networks' published ranges (ISO/IEC 7812 issuers: Visa, Mastercard, American Express, Diners Club, Discover, JCB,
# UnionPay, Maestro, Mir, RuPay, Troy), and the lengths that they issue.
_ISSUED: Final = re.compile(
    r"4\d{12}(?:\d{3}){0,2}"
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"
    r"|3[47]\d{13}"
    r"|(?:30[0-5]\d|3095|3[689]\d\d)\d{10}(?:\d\d)?"
    r"|(?:6\d{3}|5[0678]\d\d|352[89]|35[3-8]\d|220[0-4])\d{12,15}"
    r"|(?:8[12]\d\d|9792)\d{12}"
)
_USUAL: Final = re.compile(r"4{3}[1-4](?:(?<=4)[1-3])?|46[45]")
"""Lengths of groups: 4-4-4-4, perhaps with more behind it, or 4-6-5 and 4-6-4."""
_USUAL_GLUED: Final = (16, 15, 14)
_LONGEST_GLUED: Final = 25
"""A card's number, expiry date and security code without anything between them have 24 digits."""


@attrs.frozen
class _Group:
    """Digits with nothing between them."""

    start: int
    end: int


def find_cards(text: str) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of each card number in a text.

    There may be other digits before or after it (an expiry date, an amount), so each window of 13 to 19 digits that
    begins and ends with a group of digits is tried. Overlapping windows are merged, so that no digit of a number stays.
    """
    for run in _RUN.finditer(text):
        groups = [
            _Group(match.start(), match.end()) for match in _GROUP.finditer(text, run.start(), run.end())
        ]
        yield from _merge(sorted(_windows(text, groups)))


def _windows(text: str, groups: list[_Group]) -> Iterator[tuple[int, int]]:
    checksums = _Checksums(groups, text)
    for first, group in enumerate(groups):
        yield from _inside_a_group(text, group, checksums)
        separators: set[str] = set()
        for last in range(first, len(groups)):
            if last > first:
                separators.add(text[groups[last - 1].end : groups[last].start].strip() or " ")
            count = checksums.count(group.start, groups[last].end)
            if count >= _LENGTHS.stop or not (len(separators) <= 1 or separators == {" ", "-"}):
                break
            is_valid = count in _LENGTHS and checksums.is_valid(group.start, groups[last].end)
            if is_valid and _is_plausible(text, groups[first : last + 1], separators):
                yield group.start, groups[last].end


def _is_plausible(text: str, groups: list[_Group], separators: set[str]) -> bool:
    """Return whether digits with a valid checksum are written as a card's are: one number in ten has that checksum."""
    start, end = groups[0].start, groups[-1].end
    number = "".join(text[group.start : group.end] for group in groups)
    is_issued = _ISSUED.fullmatch(number) is not None
    if len(groups) == 1:
        if _is_fraction(text, start):
            return False
        beside = text[start - 1 : start] + text[end : end + 1]
        return is_issued or (number[0] in "23456" and not any(map(str.isalpha, beside)))
    is_usual = _USUAL.fullmatch("".join(str(min(group.end - group.start, 9)) for group in groups)) is not None
    if separators <= {" ", "-"}:
        return number[0] in "23456" if is_usual else is_issued and number[0] in "23456"
    return is_usual and is_issued


def _inside_a_group(text: str, group: _Group, checksums: _Checksums) -> Iterator[tuple[int, int]]:
    """Find a number at the beginning or the end of a longer group of digits."""
    size = group.end - group.start
    if size > _LONGEST_GLUED or _is_fraction(text, group.start):
        return
    for length in _USUAL_GLUED:
        for start in {group.start, group.end - length}:
            is_valid = length < size and checksums.is_valid(start, start + length)
            if is_valid and _ISSUED.fullmatch(text, start, start + length):
                yield start, start + length


def _is_fraction(text: str, start: int) -> bool:
    """Return whether digits follow the decimal point of a number: 0.4285714285714286."""
    return start > 1 and text[start - 1] in ".," and text[start - 2].isdigit()


class _Checksums:
    """Compute Luhn's checksum of any window of some digits in constant time."""

    def __init__(self, groups: list[_Group], text: str) -> None:
        self._index: dict[int, int] = {}
        digits: list[int] = []
        for group in groups:
            for at in range(group.start, group.end):
                self._index[at] = len(digits)
                digits.append(int(text[at]))
            self._index[group.end] = len(digits)
        doubled = [digit * 2 - 9 * (digit > 4) for digit in digits]
        self._sums = [
            list(
                accumulate(
                    (pair[(at + odd) % 2] for at, pair in enumerate(zip(digits, doubled, strict=True))),
                    initial=0,
                )
            )
            for odd in (0, 1)
        ]

    def count(self, start: int, end: int) -> int:
        return self._index[end] - self._index[start]

    def is_valid(self, start: int, end: int) -> bool:
        first, last = self._index[start], self._index[end]
        sums = self._sums[(last - 1) % 2]  # the last digit counts once, the one before it twice
        return (sums[last] - sums[first]) % 10 == 0


def _merge(windows: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Join windows that have digits in common."""
    if not windows:
        return
    start, end = windows[0]
    for following_start, following_end in windows[1:]:
        if following_start < end:
            end = max(end, following_end)
        else:
            yield start, end
            start, end = following_start, following_end
    yield start, end
