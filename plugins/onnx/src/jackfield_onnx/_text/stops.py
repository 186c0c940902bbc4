"""Cut a text that arrives in pieces at the first stop string."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["StopScanner", "measure_overlap"]


class StopScanner:
    """Cuts a text at the first stop string, across the borders of its pieces.

    It holds back only what could still become a stop string: nothing at all, most of the time.

    Args:
        stops: The strings, none of them empty.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._held = ""

    def feed(self, text: str) -> tuple[str, str | None]:
        """Take a piece.

        Returns:
            The text that may be shown, and the stop string that ended it, if one did.
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
        """Give what was held back, since nothing follows that could complete a stop string."""
        held, self._held = self._held, ""
        return held


def measure_overlap(text: str, stop: str) -> int:
    """Measure the longest end of a text that begins a stop string without completing it."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
