"""Say which known name is closest to an unknown one."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["closest"]


def closest(name: str, known: Iterable[str]) -> str:
    """Give "; did you mean 'x'?", or the list of known names if none is close, as the end of a sentence."""
    import difflib

    names = sorted(known)
    matches = [known_name for known_name in names if name and known_name.startswith(name)]
    matches = matches or difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if matches:
        return f"; did you mean {matches[0]!r}?"
    return f"; known: {', '.join(names)}" if names else ""
