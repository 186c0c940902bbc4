"""Turn tokens into text as they arrive."""

from __future__ import annotations

from collections.abc import Mapping

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

__all__ = ["TokenText"]


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
