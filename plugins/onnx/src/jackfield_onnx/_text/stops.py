"""Cut a text at the first stop string while it arrives in pieces."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["StopScanner", "measure_overlap"]


class StopScanner:
    """Cuts a text at the first stop string, also if it is split between pieces.

    Only text that could still become a stop string is held back: usually none.

    Args:
        stops: The stop strings, none of them empty.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._held = ""

    def feed(self, text: str) -> tuple[str, str | None]:
        """Add a piece.

        Returns:
            The text that may be emitted, and the stop string that ended it, if any.
        """
        if not self._stops:
            return text, None
        text = self._held + text
        found = min(((at, stop) for stop in self._stops if (at := text.find(stop)) >= 0), default=None)
        if found is not None:
            self._held = ""
            return text[: found[0]], found[1]
        keep = max(measure_overlap(text, stop) for stop in self._stops)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep], None

    def flush(self) -> str:
        """Return the text that was held back; nothing follows that could complete a stop string."""
        held, self._held = self._held, ""
        return held


def measure_overlap(text: str, stop: str) -> int:
    """Return the length of the longest suffix of a text that is a proper prefix of a word."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
