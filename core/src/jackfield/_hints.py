"""Say which known name is closest to an unknown one."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["a_or_an", "closest"]


def closest(name: str, known: Iterable[str]) -> str:
    """Give "; did you mean 'x'?", or the list of known names if none is close, as the end of a sentence."""
    import difflib

    names = sorted(known)
    matches = sorted((known_name for known_name in names if name and known_name.startswith(name)), key=len)
    matches = matches or difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if matches:
        return f"; did you mean {matches[0]!r}?"
    return f"; known: {', '.join(names)}" if names else ""


def a_or_an(word: str) -> str:
    """Put the article before a word, by its first letter."""
    return f"{'an' if word[:1].lower() in 'aeiou' else 'a'} {word}"
