"""What a check may find besides a fault."""

from __future__ import annotations

__all__ = ["SkipCheck", "Warn"]


class SkipCheck(Exception):  # noqa: N818 -- no fault
    """Raised by a check that finds nothing to look at."""


class Warn(str):
    """A finding that is worth a word and no failure."""

    __slots__ = ()
