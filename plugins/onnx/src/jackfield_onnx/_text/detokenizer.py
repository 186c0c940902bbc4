"""Convert tokens to text as they arrive."""

from __future__ import annotations

from collections.abc import Mapping

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

__all__ = ["TokenText"]


class TokenText:
    """Converts tokens to text, in complete characters only.

    A token may end within a character, and decoding it alone would lose both that character and the space before a
    word; so incomplete text is held back.

    Args:
        tokenizer: The model's tokenizer.
        shown: Control tokens whose names are part of the text; other control tokens are omitted.
    """

    def __init__(self, tokenizer: Tokenizer, shown: Mapping[int, str] | None = None) -> None:
        self._tokenizer = tokenizer
        self._shown = shown or {}
        self._stream = DecodeStream(skip_special_tokens=True)
        self._tokens: list[int] = []
        self._emitted = 0

    def feed(self, token: int) -> str:
        """Add one token; return the text that is now certain, often none."""
        if token in self._shown:
            held = self.flush()
            self._stream, self._tokens, self._emitted = DecodeStream(skip_special_tokens=True), [], 0
            return held + self._shown[token]
        self._tokens.append(token)
        text: str = self._stream.step(self._tokenizer, token) or ""
        self._emitted += len(text)
        return text

    def flush(self) -> str:
        """Return the remaining text at the end; an incomplete character becomes U+FFFD."""
        whole: str = self._tokenizer.decode(self._tokens, skip_special_tokens=True)
        return whole[self._emitted :]
