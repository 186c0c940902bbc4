"""Turn tokens into text as they arrive, and stop at stop strings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

__all__ = ["StopScanner", "TokenText"]


class TokenText:
    """Text of tokens as they come, in whole characters only.

    A token may end within a character, and decoding it alone would lose both that character and the space before a
    word; so the stream holds back what is not whole yet.

    Args:
        tokenizer: The model's tokenizer.
        shown: Control tokens whose names are text here; others are left out.
    """

    def __init__(self, tokenizer: Tokenizer, shown: Mapping[int, str] | None = None) -> None:
        self._tokenizer = tokenizer
        self._shown = shown or {}
        self._stream = DecodeStream(skip_special_tokens=True)
        self._tokens: list[int] = []
        self._emitted = 0

    def feed(self, token: int) -> str:
        """Take one token and give the text that it makes certain, often none."""
        if token in self._shown:
            held = self.flush()
            self._stream, self._tokens, self._emitted = DecodeStream(skip_special_tokens=True), [], 0
            return held + self._shown[token]
        self._tokens.append(token)
        text: str = self._stream.step(self._tokenizer, token) or ""
        self._emitted += len(text)
        return text

    def flush(self) -> str:
        """Give what is still held at the end; a character cut in two becomes U+FFFD."""
        whole: str = self._tokenizer.decode(self._tokens, skip_special_tokens=True)
        return whole[self._emitted :]


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
        keep = max(_overlap(text, stop) for stop in self._stops)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep], None

    def flush(self) -> str:
        """Give what was held back, since nothing follows that could complete a stop string."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """Measure the longest end of a text that begins a stop string without completing it."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
