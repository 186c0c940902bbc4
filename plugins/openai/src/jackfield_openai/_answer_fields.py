"""Fields that the answers of several APIs have in common."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from math import nan
from typing import Any, Final

from jackfield import Citation, FinishReason, TokenLogprob
from jackfield.plugin import exact_numbers

__all__ = [
    "FILTER_FIELDS",
    "FINISH_REASONS",
    "GenerationWatch",
    "exact_event",
    "is_end_marker",
    "join_verdicts",
    "read_citation",
    "read_logprobs",
    "read_part_citation",
]

FINISH_REASONS: Final[Mapping[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    # Other servers: TGI, Together, vLLM, llama.cpp, gateways that forward another provider's word
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "stop_token": "stop",
    "completed": "stop",
    "complete": "stop",
    "end": "stop",
    "done": "stop",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_length": "length",
    "tool_use": "tool_calls",
    "tool_call": "tool_calls",
    "safety": "content_filter",
    "refusal": "refusal",
}
"""The finish reasons of services, in lower case, and ours."""


def is_end_marker(data: bytes) -> bool:
    """Return whether the data of an event is `[DONE]`."""
    return data.removeprefix(BOM_UTF8).lstrip()[:6].upper() == b"[DONE]"


@cache
def _find_object() -> Callable[[bytes], object]:
    return re.compile(rb'"(?:arguments|input)"\s*:\s*[{\[]').search


def exact_event(event: dict[str, Any], data: bytes) -> dict[str, Any]:
    """Return an event with exact numbers, if it has arguments of a call that are an object and not a text."""
    if b"_call" not in data or not _find_object()(data):
        return event
    exact: dict[str, Any] = exact_numbers(event, data)
    return exact


def read_logprobs(value: Mapping[str, Any]) -> list[TokenLogprob]:
    """Read the log probabilities of a chat (a list of tokens) or of a completion (parallel lists)."""
    tokens = value.get("tokens")
    if isinstance(tokens, list):
        return _read_parallel(tokens, value)
    listed = [*(value.get("content") or ()), *(value.get("refusal") or ())]
    return [_read_token(entry) for entry in listed]


def _read_token(entry: Mapping[str, Any]) -> TokenLogprob:
    top = tuple(_read_token(other) for other in entry.get("top_logprobs") or ())
    raw, logprob = entry.get("bytes"), entry.get("logprob")
    # Servers that divide by zero write NaN, or null for it.
    return TokenLogprob(
        entry["token"], nan if logprob is None else logprob, None if raw is None else bytes(raw), top
    )


def _read_parallel(tokens: Sequence[str], value: Mapping[str, Any]) -> list[TokenLogprob]:
    tops = value.get("top_logprobs") or [None] * len(tokens)
    found = []
    for token, logprob, top in zip(tokens, value.get("token_logprobs") or (), tops, strict=False):
        others = tuple(TokenLogprob(text, other) for text, other in (top or {}).items())
        # The first token of an echoed prompt has no probability.
        found.append(TokenLogprob(token, nan if logprob is None else logprob, None, others))
    return found


def read_citation(value: Mapping[str, Any]) -> Citation | None:
    """Read a `url_citation` annotation, nested (chat) or flat (Responses); None for other kinds."""
    if value.get("type") != "url_citation":
        return None
    inner = value.get("url_citation", value)
    return Citation(
        text=inner.get("content"),
        title=inner.get("title"),
        url=inner.get("url"),
        start=inner.get("start_index"),
        end=inner.get("end_index"),
        data=value,
    )


def read_part_citation(value: Mapping[str, Any]) -> Citation:
    """Read a citation of a content part in Anthropic's form (Claude behind Databricks)."""
    return Citation(
        text=value.get("cited_text"),
        title=value.get("document_title") or value.get("title"),
        url=value.get("url"),
        data=value,
    )


FILTER_FIELDS: Final = frozenset(
    {"index", "finish_reason", "content_filter_results", "content_filter_result", "content_filter_offsets"}
)
"""The fields of a note of Azure's asynchronous filter. Source: Microsoft's page on content streaming, January 2026."""

_SEVERITIES: Final = ("safe", "very_low", "low", "medium", "high")


def join_verdicts(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> Mapping[str, Any]:
    """Join the verdicts of a content filter on pieces of one answer: the worst of each category."""
    if not old:
        return new
    worse = {name: value for name, value in new.items() if _rank(value) >= _rank(old.get(name))}
    return {**old, **worse}


def _rank(verdict: Any) -> tuple[bool, bool, int]:
    if not isinstance(verdict, Mapping):
        return (False, False, -1)
    severity = verdict.get("severity")
    level = _SEVERITIES.index(severity) if severity in _SEVERITIES else 0
    return (bool(verdict.get("filtered")), bool(verdict.get("detected")), level)


class GenerationWatch:
    """Notices that another generation began in the middle of a choice.

    A gateway that loses its upstream may ask again and continue in the same body; only the id of the chunks tells. An id
    counts as one of a generation if two chunks have it, because some servers make a new one for each chunk; after a single
    chunk, the next must also begin as an answer does, with a role.
    """

    __slots__ = ("_changed", "_chunks", "_fresh", "_id", "_spoken")

    def __init__(self) -> None:
        self._id: str | None = None
        self._chunks = 0
        self._spoken = False  # something was said before the id changed
        self._changed = False  # the id has changed after one chunk: the next one shows why
        self._fresh = False  # each chunk has an id of its own

    def begin(self, identity: str | None, delta: Mapping[str, Any]) -> None:
        """Handle the first chunk of the choice."""
        self.is_another(identity, delta, steady=False)

    @property
    def is_unsure(self) -> bool:
        """Whether the next chunk must be looked at."""
        return self._changed

    def is_another(self, identity: str | None, delta: Mapping[str, Any], *, steady: bool) -> bool:
        """Return whether a chunk belongs to another generation than those before.

        Args:
            identity: The chunk's id.
            delta: What it adds to the choice.
            steady: Pieces with the last id were read that were not looked at here.
        """
        if (
            identity == self._id and self._spoken and not self._changed
        ):  # most chunks go on with the same generation
            self._chunks += 1
            return False
        says = any(value for name, value in delta.items() if name != "role")
        if not identity or self._fresh:
            return False
        spoken, self._spoken = self._spoken or steady, self._spoken or steady or says
        self._chunks += steady
        if self._id is None or identity == self._id:
            another = self._changed
            self._id, self._changed = identity, False
            self._chunks += 1
        elif self._chunks > 1:
            another = spoken and bool(says or delta.get("role"))
        else:
            another = False
            begins = bool(delta.get("role")) and not self._changed
            self._fresh = spoken and not begins
            self._id, self._chunks, self._changed = identity, 1, spoken and begins
        return another
