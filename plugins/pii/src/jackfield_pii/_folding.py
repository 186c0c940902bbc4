"""Normalize the spelling of a text, and keep the position of each character in the original."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Final

import attrs

__all__ = ["FoldedText", "fold"]


@attrs.frozen
class FoldedText:
    """A text in which digits, spaces, dashes and apostrophes are those of ASCII, without invisible characters.

    Attributes:
        text: The text.
        offsets: The position of each of its characters in the original; None if nothing was removed.
    """

    text: str
    offsets: tuple[int, ...] | None = None

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Return the part of the original text that a part of this one comes from."""
        if self.offsets is None:
            return start, end
        return self.offsets[start], self.offsets[end - 1] + 1


def fold(text: str) -> FoldedText:
    """Return a text as patterns for ASCII expect it: full-width digits become digits, thin spaces become spaces."""
    if text.isascii():
        return FoldedText(text)
    folded = text.translate(_TABLE)
    if len(folded) == len(text):
        return FoldedText(folded)
    return FoldedText(folded, tuple(_kept_positions(text)))


def _kept_positions(text: str) -> Iterator[int]:
    return (at for at, character in enumerate(text) if _TABLE[ord(character)] is not None)


class _Table(dict[int, str | None]):
    """Map each character to its replacement, or to None if it is removed; computed when it first occurs."""

    def __missing__(self, code: int) -> str | None:
        self[code] = folded = _fold_character(chr(code))
        return folded


def _fold_character(character: str) -> str | None:
    if character.isascii():
        return character
    match unicodedata.category(character):
        case "Nd":
            return str(unicodedata.decimal(character))
        case "Zs" | "No":  # the number of a footnote after a value is not part of its digits
            return " "
        case "Pd":
            return "-"
        case "Cf":  # zero-width spaces, soft hyphens
            return None
    if character in _APOSTROPHES:
        return "'"
    if character in _DASHES:
        return "-"
    plain = unicodedata.normalize("NFKC", character)
    return plain if len(plain) == 1 and plain.isascii() else character


_APOSTROPHES: Final = "\u2018\u2019\u201b\u02bc\u02b9\u2032\uff07"
_DASHES: Final = "\u2212\u2043\u02d7"
_TABLE: Final = _Table()
