"""Thinking of one choice, in the forms in which services show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from jackfield import Event, ThinkingDelta

__all__ = ["ThinkingReader"]

# DeepSeek, llama.cpp, vLLM, xAI, mistral.rs; Ollama, Groq, Cerebras, OpenRouter. A server that fills both
# says the same in both.
_FIELDS: Final = ("reasoning_content", "reasoning")
_OF_PART: Final = ("type", "summary", "thinking")
_PLAIN_PIECES: Final = ("text", "summary_text")
_TEXTS: Final = ("text", "summary", "data")


class ThinkingReader:
    """Reads the thinking of one choice and keeps what the service wants back.

    `Thinking.data` holds `field` (where the text came in) and `reasoning_details` (OpenRouter), whose
    pieces are joined as its documentation of reasoning tokens (2026) says.

    Attributes:
        open: There was thinking, and its end has not been told.
    """

    __slots__ = ("_block", "_choice", "_details", "_field", "open")

    def __init__(self, choice: int) -> None:
        self._choice = choice
        self._field: str | None = None
        self._details: list[dict[str, Any]] = []
        self._block = 0
        self.open = False

    def read(self, message: Mapping[str, Any]) -> Iterator[Event]:
        """Read the thinking of a message or a delta."""
        details = message.get("reasoning_details") or ()
        for piece in details:
            self.open = True
            self._join(piece)
        for field in _FIELDS:
            text = message.get(field)
            if isinstance(text, str) and text:
                self.open = True
                data = None if self._field == field else {"field": field}
                self._field = field
                yield ThinkingDelta(text, self._choice, data=data)
                return
        for piece in details:  # Snowflake says it here alone
            text = piece.get("text") or piece.get("summary")
            if text:
                yield ThinkingDelta(text, self._choice)

    def read_part(self, part: Mapping[str, Any]) -> Iterator[Event]:
        """Read a content part that holds thinking (Databricks: `summary`; Mistral: `thinking`).

        What the part says beside its pieces (Mistral: `signature`, `closed`) is kept as `beside`, and ends it.
        """
        kind = part.get("type")
        beside = {k: v for k, v in part.items() if k not in _OF_PART and v is not None}
        pieces = part.get("summary") or part.get("thinking") or ()
        for piece in [{"text": pieces}] if isinstance(pieces, str) else pieces:
            data = {k: v for k, v in piece.items() if k not in ("type", "text")}
            if piece.get("type", "text") not in _PLAIN_PIECES:
                # A part of its own, that goes back as it came. Databricks: what Claude thought in secret;
                # Mistral: references.
                self._block += 1
                data["piece"] = piece["type"]
            block = self._block or None
            yield ThinkingDelta(piece.get("text") or "", self._choice, block, data={"part": kind, **data})
            self._block += "piece" in data
        if beside:
            yield ThinkingDelta("", self._choice, self._block or None, {"part": kind, "beside": beside})
            self._block += 1

    def end(self) -> Iterator[Event]:
        """Tell what is known only when the thinking is over."""
        if not self.open:
            return
        self.open = False
        self._field = None
        if self._details:
            yield ThinkingDelta("", self._choice, data={"reasoning_details": self._details})
            self._details = []

    def _join(self, piece: Mapping[str, Any]) -> None:
        last = self._details[-1] if self._details else None
        if last is None or (last.get("type"), last.get("index")) != (piece.get("type"), piece.get("index")):
            self._details.append(dict(piece))
            return
        for name, value in piece.items():
            joined = name in _TEXTS and isinstance(last.get(name), str) and isinstance(value, str)
            if joined:
                last[name] += value
            elif value is not None:
                last[name] = value
