"""Small readings that the decoders of chat, completions and Responses share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from jackfield import Citation, FinishReason, TokenLogprob

__all__ = ["FINISH_REASONS", "read_citation", "read_cited", "read_logprobs"]

FINISH_REASONS: Final[Mapping[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    # Other servers: TGI, Together, vLLM, llama.cpp, gateways that pass on another provider's word
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
"""What services say at the end of an answer, in lower case, and what we say."""


def read_logprobs(value: Mapping[str, Any]) -> list[TokenLogprob]:
    """Read the log probabilities of a chat (a list of tokens) or of a completion (parallel lists)."""
    tokens = value.get("tokens")
    if isinstance(tokens, list):
        return _parallel(tokens, value)
    listed = [*(value.get("content") or ()), *(value.get("refusal") or ())]
    return [_token(entry) for entry in listed]


def _token(entry: Mapping[str, Any]) -> TokenLogprob:
    top = tuple(_token(other) for other in entry.get("top_logprobs") or ())
    raw = entry.get("bytes")
    return TokenLogprob(entry["token"], entry["logprob"], None if raw is None else bytes(raw), top)


def _parallel(tokens: Sequence[str], value: Mapping[str, Any]) -> list[TokenLogprob]:
    tops = value.get("top_logprobs") or [None] * len(tokens)
    found = []
    for token, logprob, top in zip(tokens, value.get("token_logprobs") or (), tops, strict=False):
        others = tuple(TokenLogprob(text, other) for text, other in (top or {}).items())
        # The first token of an echoed prompt has no probability.
        found.append(TokenLogprob(token, float("nan") if logprob is None else logprob, None, others))
    return found


def read_citation(value: Mapping[str, Any]) -> Citation | None:
    """Read a `url_citation` annotation, nested as in chat or flat as in Responses; None for other kinds."""
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


def read_cited(value: Mapping[str, Any]) -> Citation:
    """Read a citation of a content part, which has the shape of Anthropic's (Claude behind Databricks)."""
    return Citation(
        text=value.get("cited_text"),
        title=value.get("document_title") or value.get("title"),
        url=value.get("url"),
        data=value,
    )
