"""Reasoning: `reasoning=` of a request, and the thinking of an answer in the forms in which services send it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from jackfield import Event, Reasoning, ThinkingDelta
from jackfield.plugin import UNSET, Capabilities, Options, ParameterWriter, UnsupportedPolicy, nearest_effort

from ._dialect import Dialect
from ._models import efforts_of

__all__ = ["ThinkingReader", "effort_of", "put_effort", "put_reasoning"]

# DeepSeek, llama.cpp, vLLM, xAI, mistral.rs; Ollama, Groq, Cerebras, OpenRouter. A server that fills both
# fields puts the same text into both.
_FIELDS: Final = ("reasoning_content", "reasoning")
_OF_PART: Final = ("type", "summary", "thinking")
_PLAIN_PIECES: Final = ("text", "summary_text")
_TEXTS: Final = ("text", "summary", "data")


def effort_of(options: Options) -> str | None:
    """Return the effort that was asked for; None if there was none."""
    return None if options.reasoning is UNSET else options.reasoning.effort


def put_reasoning(
    dialect: Dialect, writer: ParameterWriter, capabilities: Capabilities, policy: UnsupportedPolicy
) -> None:
    """Translate `reasoning=` for chat completions."""
    reasoning = writer.take("reasoning")
    if reasoning is UNSET:
        return
    put_effort(writer, reasoning, capabilities, dialect.effort, policy)
    budget = reasoning.budget_tokens
    if budget is not None:
        if dialect.reasoning_budget is None:
            writer.refuse(
                "reasoning.budget_tokens", "the service accepts efforts, but not token budgets", budget
            )
        else:
            writer.write("reasoning.budget_tokens", dialect.reasoning_budget, budget)
    if reasoning.summary not in (None, False):
        why = "chat completions do not return a summary of the thinking"
        writer.refuse("reasoning.summary", why, reasoning.summary)


def put_effort(
    writer: ParameterWriter,
    reasoning: Reasoning,
    capabilities: Capabilities,
    path: str | None,
    policy: UnsupportedPolicy,
) -> None:
    """Write a reasoning effort, or the nearest one that the model has if `policy` is "drop".

    Args:
        writer: Receives the effort.
        reasoning: What the caller asked for.
        capabilities: What the model supports.
        path: The place of the effort in the wire; None if the service has none.
        policy: What to do about an effort that the model does not have.
    """
    effort = reasoning.effort
    if effort is None:
        return
    if path is None:
        writer.refuse("reasoning.effort", "the service does not accept an effort", effort)
        return
    if effort == "none" and capabilities.lacks("reasoning"):
        why = "the model never reasons, and the service would reject the parameter itself"
        writer.drop("reasoning.effort", why, effort)
        return
    efforts = efforts_of(capabilities)
    if efforts is not None and effort not in efforts:
        known = f"the model's efforts are {', '.join(efforts)}"
        nearest = nearest_effort(effort, efforts)
        if nearest is None or policy == "error":
            writer.refuse("reasoning.effort", f"{effort!r} is not supported: {known}", effort)
            return
        writer.note("reasoning.effort", "clamped", wire=path, value=nearest, why=known)
        effort = nearest
    writer.write("reasoning.effort", path, effort)


class ThinkingReader:
    """Reads the thinking of one choice and keeps what the service needs in later requests.

    `Thinking.data` contains `field` (the name of the field that had the text) and `reasoning_details`
    (OpenRouter), whose pieces are joined as its documentation of reasoning tokens (2026) says.

    Attributes:
        open: There was thinking, and its end has not been reported.
    """

    __slots__ = ("_block", "_choice", "_details", "_empty", "_field", "_thought", "open")

    def __init__(self, choice: int) -> None:
        self._choice = choice
        self._field: str | None = None
        self._details: list[dict[str, Any]] = []
        self._block = 0
        self._empty: str | None = None
        self._thought = False
        self.open = False

    @property
    def empty(self) -> str | None:
        """The name of a field that came without a word; None if there was thinking.

        DeepSeek refuses a later request if the field is missing in a turn with tool calls.
        """
        return None if self._thought else self._empty

    def read(self, message: Mapping[str, Any], *, whole: bool = False) -> Iterator[Event]:
        """Read the thinking of a message or a delta.

        Args:
            message: The message or the delta.
            whole: It is a message, so each of its `reasoning_details` is an entry.
        """
        details = message.get("reasoning_details") or ()
        for piece in details:
            self.open = self._thought = True
            self._join(piece, whole=whole)
        for field in _FIELDS:
            text = message.get(field)
            if text == "":
                self._empty = field
            elif isinstance(text, str) and text:
                self.open = self._thought = True
                data = None if self._field == field else {"field": field}
                self._field = field
                yield ThinkingDelta(text, self._choice, data=data)
                return
        for piece in details:  # Snowflake sends it only here
            text = piece.get("text") or piece.get("summary")
            if text:
                yield ThinkingDelta(text, self._choice)

    def read_part(self, part: Mapping[str, Any]) -> Iterator[Event]:
        """Read a content part with thinking (Databricks: `summary`; Mistral: `thinking`).

        Fields beside the part's pieces (Mistral: `signature`, `closed`) are kept as `beside`, and end it.
        """
        kind = part.get("type")
        beside = {k: v for k, v in part.items() if k not in _OF_PART and v is not None}
        pieces = part.get("summary") or part.get("thinking") or ()
        for piece in [{"text": pieces}] if isinstance(pieces, str) else pieces:
            data = {k: v for k, v in piece.items() if k not in ("type", "text")}
            if piece.get("type", "text") not in _PLAIN_PIECES:
                # A part of its own, which is sent back unchanged. Databricks: Claude's redacted thinking;
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
        """Report what is known only when the thinking has ended."""
        if not self.open:
            return
        self.open = False
        self._field = None
        if self._details:
            yield ThinkingDelta("", self._choice, data={"reasoning_details": self._details})
            self._details = []

    def _join(self, piece: Mapping[str, Any], *, whole: bool) -> None:
        last = self._details[-1] if self._details else None
        if whole or last is None or _are_different(last, piece):
            self._details.append(dict(piece))
            return
        for name, value in piece.items():
            joined = name in _TEXTS and isinstance(last.get(name), str) and isinstance(value, str)
            if joined:
                last[name] += value
            elif value is not None:
                last[name] = value


def _are_different(entry: Mapping[str, Any], piece: Mapping[str, Any]) -> bool:
    """Return whether a piece of `reasoning_details` belongs to another entry: its type, index or id differs."""
    if (entry.get("type"), entry.get("index")) != (piece.get("type"), piece.get("index")):
        return True
    ids = {entry.get("id"), piece.get("id")} - {None}
    return len(ids) > 1
