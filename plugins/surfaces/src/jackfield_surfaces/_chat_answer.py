"""Chat completions: the parts that streamed and whole answers have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from jackfield import Citation, FinishReason, Text, TokenLogprob, ToolCall
from jackfield.plugin import write_json

from ._tool_forms import ToolForms, custom_input

__all__ = [
    "FINISHES", "annotation_of", "arguments_of", "call_wire", "details_entry", "finish_of", "logprobs_of", "visible_text",
]  # fmt: skip

FINISHES: Final[Mapping[FinishReason, str]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "stop",
    "pause": "length",
    "other": "stop",
}


def finish_of(reason: FinishReason | None, *, calls: bool) -> str:
    """Return the API's word for why a choice ended."""
    found = FINISHES[reason or "other"]
    return "tool_calls" if calls and found == "stop" else found


def annotation_of(citation: Citation) -> dict[str, Any]:
    """Return a citation in the nested form of chat completions."""
    inner: dict[str, Any] = {
        "url": citation.url or "",
        "title": citation.title or "",
        "start_index": citation.start or 0,
        "end_index": citation.end or 0,
    }
    if citation.text is not None:
        inner["content"] = citation.text
    return {"type": "url_citation", "url_citation": inner}


def logprobs_of(tokens: Iterable[TokenLogprob]) -> list[dict[str, Any]]:
    """Return log probabilities, one entry a token."""
    return [{**_token(token), "top_logprobs": [_token(other) for other in token.top]} for token in tokens]


def _token(token: TokenLogprob) -> dict[str, Any]:
    raw = None if token.token_bytes is None else list(token.token_bytes)
    # JSON has no word for what is not a number: the first token of an echoed prompt.
    logprob = token.logprob if token.logprob == token.logprob else None
    return {"token": token.token, "logprob": logprob, "bytes": raw}


def details_entry(envelope: str, text_length: int = 0) -> dict[str, Any]:
    """Return an envelope as an entry of `reasoning_details`, which clients of many services send back."""
    entry: dict[str, Any] = {"type": "reasoning.encrypted", "data": envelope, "format": "jackfield"}
    return {**entry, "text_length": text_length} if text_length else entry


def arguments_of(call: ToolCall) -> str:
    """Return the arguments of a call as text."""
    return call.arguments_raw if call.arguments_raw is not None else write_json(call.arguments).decode()


def call_wire(call: ToolCall, forms: ToolForms, envelope: str | None) -> dict[str, Any]:
    """Return a whole tool call."""
    form = forms.form_of(call.name)
    beside = {} if envelope is None else {"extra_content": {"jackfield": envelope}}
    if form.custom:
        custom = {"name": form.name, "input": custom_input([arguments_of(call)])}
        return {"id": call.id, "type": "custom", "custom": custom, **beside}
    function = {"name": form.name, "arguments": arguments_of(call)}
    return {"id": call.id, "type": "function", "function": function, **beside}


def visible_text(parts: Iterable[object], *, refusal: bool) -> str:
    """Return the text, or the refusal, among parts."""
    return "".join(part.text for part in parts if isinstance(part, Text) and part.refusal == refusal)
