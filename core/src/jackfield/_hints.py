"""Find what an unknown name was meant to be, for messages."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["a_or_an", "hint", "suggestion"]


def suggestion(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the known name that an unknown one stands for: one that it abbreviates, else the most alike; None if none is.

    Args:
        name: What was written; upper and lower case make no difference.
        known: The names that exist.
        cutoff: How much alike two names must be at least, from 0 to 1.
    """
    import difflib  # for those who made a slip

    by_lower = {one.lower(): one for one in sorted(known, reverse=True)}
    text = name.lower()
    if text in by_lower:
        return by_lower[text]
    begun = sorted(
        (one for one in by_lower if len(text) > 1 and one.startswith(text)), key=lambda one: (len(one), one)
    )
    close = begun or difflib.get_close_matches(text, by_lower, n=1, cutoff=cutoff)
    return by_lower[close[0]] if close else None


def hint(name: str, known: Iterable[str]) -> str:
    """Return how a message about an unknown name ends: "; did you mean 'x'?", or the known names if none is close."""
    names = sorted(known)
    meant = suggestion(name, names)
    if meant is not None:
        return f"; did you mean {meant!r}?"
    return f"; known: {', '.join(names)}" if names else ""


def a_or_an(word: str) -> str:
    """Put the article before a word, by its first letter."""
    return f"{'an' if word[:1].lower() in 'aeiou' else 'a'} {word}"
