"""Halves of surrogate pairs in texts, which tokenizers refuse: texts that a program cut while it counted in UTF-16."""

from __future__ import annotations

__all__ = ["mend_text"]


def mend_text(text: str) -> str:
    """Join halves of surrogate pairs that stand side by side, and replace the others by U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
