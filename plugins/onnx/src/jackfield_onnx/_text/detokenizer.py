"""Convert tokens to text as they arrive."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from tokenizers import Tokenizer

__all__ = ["TokenText", "decode_token"]

# In vocabularies with byte fallback (Llama 2, Mistral 7B, Gemma), a character without a token of its own is written as
# the bytes of its UTF-8, one token each.
_BYTE: Final = re.compile(r"<0x[0-9A-Fa-f]{2}>")
_INCOMPLETE: Final = "\ufffd"
_CONTEXT: Final = 4


class TokenText:
    """Converts tokens to text, such that all pieces together are what decoding all tokens at once gives.

    The text of a token depends on its neighbours: it may end within a character, decoders of the SentencePiece kind remove
    the space before the first token, and one broken byte breaks every other byte token beside it. So tokens are decoded
    together with some before them, and text that the next token may still change is held back.

    Args:
        tokenizer: The model's tokenizer.
        shown: Control tokens whose names are part of the text; other control tokens are omitted.
        before: Tokens of a text that this one continues, to whose last word this text is attached.
    """

    def __init__(
        self, tokenizer: Tokenizer, shown: Mapping[int, str] | None = None, before: Sequence[int] = ()
    ) -> None:
        self._tokenizer = tokenizer
        self._shown = shown or {}
        self._tokens = self._choose_context(before)
        self._decoded = len(self._tokens)
        self._prefix = self._decode(self._tokens)
        self._in_bytes = False

    def feed(self, token: int) -> str:
        """Add one token; return the text that is now certain, often none."""
        if token in self._shown:
            held = self.flush()
            if self._prefix.endswith(
                _INCOMPLETE
            ):  # bytes behind the control token do not complete those before it
                self._tokens, self._decoded, self._prefix = [], 0, ""
            return held + self._shown[token]
        piece = self._tokenizer.id_to_token(token)
        if piece is None:
            return ""  # vocabularies of graphs may be larger than those of tokenizers
        self._tokens.append(token)
        if _is_byte(piece):
            self._in_bytes = True
            return ""
        if self._in_bytes and self._has_no_text(token):
            return ""  # decoders do not see a control token, so the bytes may go on behind it
        self._in_bytes = False
        text = self._decode(self._tokens)
        if len(text) <= len(self._prefix) or text.endswith(_INCOMPLETE):
            return ""
        return self._take(text)

    def flush(self) -> str:
        """Return the remaining text at the end; an incomplete character becomes U+FFFD."""
        self._in_bytes = False
        return self._take(self._decode(self._tokens))

    def _take(self, text: str) -> str:
        """Return the new part of the text of all held tokens, of which the new ones are the next tokens' context."""
        new = text[len(self._prefix) :]
        if not text.startswith(
            self._prefix
        ):  # a decoder that changes earlier text, which was delivered already
            new = text[_measure_agreement(text, self._prefix) :]
        if new:
            self._tokens = self._tokens[self._decoded :]
            self._prefix = self._decode(self._tokens)
        self._decoded = len(self._tokens)
        return new

    def _choose_context(self, before: Sequence[int]) -> list[int]:
        """Return the last tokens with a text of their own.

        Bytes are left out if there are others: those of the text before are complete characters, which bytes that follow
        must not break.
        """
        found: list[int] = []
        for token in reversed(before):
            if len(found) == _CONTEXT:
                break
            piece = self._tokenizer.id_to_token(token)
            if piece is not None and not _is_byte(piece) and not self._has_no_text(token):
                found.append(token)
        return found[::-1] or list(before)

    def _has_no_text(self, token: int) -> bool:
        """Return whether this is a control token, which has a name but no text."""
        return not self._decode([token]) and bool(self._tokenizer.decode([token], skip_special_tokens=False))

    def _decode(self, tokens: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(tokens, skip_special_tokens=True)
        return text


def _is_byte(piece: str) -> bool:
    return len(piece) == 6 and _BYTE.fullmatch(piece) is not None


def _measure_agreement(one: str, other: str) -> int:
    """Return the number of characters in which two texts agree at their beginning."""
    differing = (at for at, (left, right) in enumerate(zip(one, other, strict=False)) if left != right)
    return next(differing, min(len(one), len(other)))


def decode_token(tokenizer: Tokenizer, token: int, before: int | None) -> str:
    """Return the text of one token within a text, control tokens included.

    Args:
        tokenizer: The model's tokenizer.
        token: The token.
        before: An ordinary token to decode it behind, so that the space before a word is kept; None for no token.
    """
    alone: str = tokenizer.decode([token], skip_special_tokens=False)
    if before is None:
        return alone
    prefix: str = tokenizer.decode([before], skip_special_tokens=False)
    both: str = tokenizer.decode([before, token], skip_special_tokens=False)
    return both[len(prefix) :] if both.startswith(prefix) else alone
