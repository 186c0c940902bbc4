"""What a surface cannot carry: one table, from which tests know what may differ and the documentation says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import attrs

from jackfield import Citation, Usage

__all__ = ["LOSSES", "Loss", "expected"]

View: TypeAlias = Mapping[str, Any]
_Change: TypeAlias = Callable[[Any, View], Any]


@attrs.frozen
class Loss:
    """Something of a reply that reads otherwise after it was written in a surface's form.

    Attributes:
        surface: The surface.
        field: An attribute of the reply.
        what: What is lost.
        becomes: What it reads as afterwards.
        why: The reason.
        change: Returns the field's value afterwards, from its value before and all fields.
    """

    surface: str
    field: str
    what: str
    becomes: str
    why: str
    change: _Change = attrs.field(repr=False)


def expected(surface: str, view: View) -> dict[str, Any]:
    """Return the fields of a reply as they read after the reply was written in a surface's form and read again.

    Args:
        surface: The surface's name.
        view: The fields: `choices` (text and finish reason of each), `text`, `refusal`, `thinking`, `tool_calls`, `citations`,
            `finish_reason`, `logprobs`, `usage`.
    """
    changed = dict(view)
    for loss in LOSSES:
        if loss.surface == surface and loss.field in changed:
            changed[loss.field] = loss.change(changed[loss.field], view)
    return changed


def _to(value: Any) -> _Change:
    return lambda _old, _view: value


def _word(word: str, becomes: str) -> _Change:
    return lambda old, _view: becomes if old == word else old


def _bare_refusal(old: Any, view: View) -> Any:
    return "stop" if old == "refusal" and not view["refusal"] else old


def _calls_end(old: Any, view: View) -> Any:
    return "tool_calls" if view["tool_calls"] and old in ("stop", "other", "refusal") else old


def _joined_text(old: Any, view: View) -> Any:
    return old + view["refusal"] if view["refusal"] else old


def _citations(change: Callable[[Citation], Citation | None]) -> _Change:
    def apply(old: Any, view: View) -> Any:
        return tuple(found for citation in old if (found := change(citation)) is not None)

    return apply


def _without_source(citation: Citation) -> Citation:
    return attrs.evolve(citation, source_id=None, data=None)


def _with_place(citation: Citation) -> Citation:
    start, end = citation.start or 0, citation.end or 0
    return attrs.evolve(citation, start=start, end=end, title=citation.title or "", url=citation.url or "")


def _only_addresses(citation: Citation) -> Citation | None:
    return None if citation.url is None else citation


def _without_place(citation: Citation) -> Citation:
    return attrs.evolve(citation, start=None, end=None, text=citation.text or "", url=citation.url or None)


def _source_as_address(citation: Citation) -> Citation:
    if citation.url is not None:
        return attrs.evolve(citation, source_id=None)
    if citation.source_id is None or citation.source_id.isdecimal():
        return citation
    return attrs.evolve(citation, url=citation.source_id, source_id="0")


def _usage(**names: Callable[[Any, Usage], Any]) -> _Change:
    def apply(old: Usage, view: View) -> Usage:
        return attrs.evolve(old, **{name: change(getattr(old, name), old) for name, change in names.items()})

    return apply


def _or_zero(value: int | None, usage: Usage) -> int:
    return value or 0


def _kept(*names: str) -> Callable[[Any, Usage], Any]:
    return lambda value, _usage: {name: value[name] for name in names if name in value}


def _disjoint(value: int | None, usage: Usage) -> int:
    return max(value or 0, (usage.cached_input_tokens or 0) + (usage.cache_write_tokens or 0))


def _split(value: Any, usage: Usage) -> Any:
    kept = {name: value[name] for name in _WRITES if name in value}
    return dict.fromkeys(_WRITES, 0) | kept if kept else {}


def _all_tools(value: Any, usage: Usage) -> Any:
    kept = {name: value[name] for name in _TOOLS if name in value}
    return dict.fromkeys(_TOOLS, 0) | kept if kept else {}


def _both_or_none(old: Usage, view: View) -> Usage:
    return Usage() if old.total_tokens is None else old


def _unparsed(old: Any, view: View) -> Any:
    return tuple(
        attrs.evolve(call, arguments={"INVALID_JSON": call.arguments_raw}, arguments_raw=None)
        if call.arguments_raw is not None
        else call
        for call in old
    )


def _first(old: Any, view: View) -> Any:
    return ((view["text"], view["finish_reason"]),)


_DETAILS: Final = (
    "input_audio_tokens",
    "input_image_tokens",
    "input_video_tokens",
    "output_audio_tokens",
    "output_image_tokens",
    "accepted_prediction_tokens",
    "rejected_prediction_tokens",
)
_WRITES: Final = ("cache_write_5m_tokens", "cache_write_1h_tokens")
_TOOLS: Final = ("web_search_request", "web_fetch_request")

_CHAT: Final = "openai.chat"
_RESPONSES: Final = "openai.responses"
_MESSAGES: Final = "anthropic.messages"
_COMPLETIONS: Final = "openai.completions"
_NO_WORD: Final = "the API has no word for it"
_NO_FIELD: Final = "the API has no field for it"
_REQUIRED: Final = "the API requires it"
_BY_TEXT: Final = "the API shows a refusal by its text alone"
_ONE: Final = "the API has one answer"
_COUNTS: Final = (
    "counts of parts of the input and the output other than sound, pictures, films and predictions"
)


def _openai(surface: str) -> tuple[Loss, ...]:
    """Return what the two APIs for chats have in common."""
    return (
        Loss(surface, "finish_reason", "`refusal` without a text", "`stop`", _BY_TEXT, _bare_refusal),
        Loss(surface, "finish_reason", "`other`", "`stop`", _NO_WORD, _word("other", "stop")),
        Loss(
            surface,
            "finish_reason",
            "`stop` after tool calls",
            "`tool_calls`",
            "clients run calls at this word alone",
            _calls_end,
        ),
        Loss(
            surface,
            "citations",
            "the place of a source that is not an address",
            "nothing",
            _NO_FIELD,
            _citations(_without_source),
        ),
        Loss(
            surface,
            "citations",
            "a missing title, address or place",
            "empty, or 0",
            _REQUIRED,
            _citations(_with_place),
        ),
        Loss(
            surface,
            "usage",
            "units, such as searches",
            "nothing",
            _NO_FIELD,
            _usage(units=_kept()),
        ),
        Loss(surface, "usage", _COUNTS, "nothing", _NO_FIELD, _usage(details=_kept(*_DETAILS))),
        Loss(
            surface,
            "usage",
            "one of input and output alone",
            "no usage",
            "clients add them up",
            _both_or_none,
        ),
    )


LOSSES: Final[tuple[Loss, ...]] = (
    *_openai(_CHAT),
    Loss(_CHAT, "finish_reason", "`pause`", "`length`", f"{_NO_WORD}; it says that there is more", _word("pause", "length")),
    Loss(_RESPONSES, "citations", "a citation without an address", "`file_citation`, which is not read as a citation", _NO_FIELD,
         _citations(_only_addresses)),
    *_openai(_RESPONSES),
    Loss(_RESPONSES, "finish_reason", "`pause`", "`incomplete` with a reason of our own", _NO_WORD, _word("pause", "other")),
    Loss(_RESPONSES, "usage", "unknown counts of cached and reasoning tokens", "0", _REQUIRED, lambda old, view: old
         if old.total_tokens is None else _usage(cached_input_tokens=_or_zero, cache_write_tokens=_or_zero, reasoning_tokens=_or_zero)(old, view)),
    Loss(_RESPONSES, "choices", "all choices but the first", "nothing", _ONE, _first),
    Loss(_MESSAGES, "text", "the text of a refusal", "a part of the text", "the stop reason says that it is one", _joined_text),
    Loss(_MESSAGES, "refusal", "the text of a refusal", "a part of the text", "the stop reason says that it is one", _to(None)),
    Loss(_MESSAGES, "finish_reason", "`content_filter`", "`refusal`", _NO_WORD, _word("content_filter", "refusal")),
    Loss(_MESSAGES, "finish_reason", "`other`", "`stop`", _NO_WORD, _word("other", "stop")),
    Loss(_MESSAGES, "finish_reason", "`stop` of another service after tool calls", "`tool_calls`", "clients run calls at this word alone",
         _calls_end),
    Loss(_MESSAGES, "tool_calls", "arguments that are not a JSON object, in whole answers", "`INVALID_JSON` with their text",
         "the API requires an object", _unparsed),
    Loss(_MESSAGES, "citations", "the place in the answer", "the text block that it follows", "citations belong to a block",
         _citations(_without_place)),
    Loss(_MESSAGES, "citations", "the name of a source that is neither an address nor a number", "an address", _NO_FIELD,
         _citations(_source_as_address)),
    Loss(_MESSAGES, "logprobs", "log probabilities", "nothing", _NO_FIELD, _to(None)),
    Loss(_MESSAGES, "usage", "an unknown count of input or output", "0", _REQUIRED, _usage(input_tokens=_disjoint, output_tokens=_or_zero)),
    Loss(_MESSAGES, "usage", "counts of parts, but for tokens written to a cache", "nothing", _NO_FIELD, _usage(details=_split)),
    Loss(_MESSAGES, "usage", "units, but for searches and fetched pages", "nothing", _NO_FIELD, _usage(units=_all_tools)),
    Loss(_MESSAGES, "choices", "all choices but the first", "nothing", _ONE, _first),
    Loss(_COMPLETIONS, "thinking", "thinking", "nothing", _NO_FIELD, _to("")),
    Loss(_COMPLETIONS, "tool_calls", "tool calls", "nothing", _NO_FIELD, _to(())),
    Loss(_COMPLETIONS, "citations", "citations", "nothing", _NO_FIELD, _to(())),
)  # fmt: skip
"""All losses. What is not listed comes back as it was. `pause` alone is checked before the other words, in the order above."""
