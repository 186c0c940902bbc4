"""Responses: continue an answer by its id, where somebody keeps what it left; and events as frames of a WebSocket."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import attrs

from jackfield.plugin import write_json

from ._asked import Asked
from ._failures import SurfaceError
from ._responses_encoder import begin_response

__all__ = [
    "Turn",
    "continue_turn",
    "echo_in_answer",
    "empty_response",
    "end_turn",
    "event_frame",
    "input_items",
    "portable_items",
    "unknown_response",
]

_NAMED: Final = b"event: "
_DATA: Final = b"\ndata: "
_OUTPUTS: Final = ("function_call_output", "custom_tool_call_output")
_CALLS: Final = ("function_call", "custom_tool_call")
_OPAQUE: Final = ("compaction", "item_reference")
"""Items behind which calls may be hidden."""


@attrs.frozen(kw_only=True)
class Turn:
    """What an answer leaves for the request that continues it.

    Attributes:
        id: The answer's id.
        items: The whole input that led to it, and its output.
        size: About how many bytes they have.
        base: The id of an earlier answer, which the service keeps, that comes before the items.
    """

    id: str
    items: Sequence[Mapping[str, Any]] = attrs.field(repr=False)
    size: int = 0
    base: str | None = None


def continue_turn(content: Mapping[str, Any], turn: Turn | None) -> dict[str, Any]:
    """Return a request as it would be without `previous_response_id`: with the whole conversation as its input.

    Args:
        content: The request.
        turn: What the answer that it names has left; None if it names none.

    Raises:
        SurfaceError: The input is not valid, or holds the output of a call that nobody made.
    """
    items = input_items(content.get("input"))
    if turn is None:
        return {**content, "input": items}
    whole = [*turn.items, *items]
    _require_calls(whole, items)
    continued = {**content, "input": whole}
    continued.pop("previous_response_id", None)
    return continued if turn.base is None else {**continued, "previous_response_id": turn.base}


def end_turn(content: Mapping[str, Any], response: Mapping[str, Any], *, stored: bool = True) -> Turn:
    """Return what an answer leaves.

    Args:
        content: The request, with the whole conversation.
        response: The answer.
        stored: Whether the service that answered keeps the items of its answer. If not, it would not find them by their ids
            when they come back.
    """
    output = response.get("output")
    made = [item for item in output if isinstance(item, Mapping)] if isinstance(output, list) else []
    items = (*input_items(content.get("input")), *(made if stored else portable_items(made)))
    base = content.get("previous_response_id")
    return Turn(
        id=str(response.get("id") or ""),
        items=items,
        size=len(write_json(items)),
        base=base if isinstance(base, str) else None,
    )


def input_items(given: object) -> list[Mapping[str, Any]]:
    """Return the items of an input, of which a text is one.

    Raises:
        SurfaceError: It is neither a string nor an array of objects.
    """
    if given is None:
        return []
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    if isinstance(given, list) and all(isinstance(item, Mapping) for item in given):
        return given
    raise SurfaceError("input must be a string or an array of items", parameter="input", kind="invalid_type")


def unknown_response(identity: object) -> SurfaceError:
    """Return the error of a `previous_response_id` that nobody keeps."""
    return SurfaceError(
        f"Previous response with id '{identity}' not found.",
        parameter="previous_response_id",
        kind="previous_response_not_found",
    )


def empty_response(asked: Asked) -> list[dict[str, Any]]:
    """Return the events of an answer for which no model is asked: it only names what was prepared (`generate: false`)."""
    begun = begin_response(asked)
    ended = {**begun, "status": "completed", "completed_at": begun["created_at"]}
    return [
        {"type": "response.created", "response": begun, "sequence_number": 0},
        {"type": "response.in_progress", "response": begun, "sequence_number": 1},
        {"type": "response.completed", "response": ended, "sequence_number": 2},
    ]


def echo_in_answer(asked: Asked, **fields: Any) -> Asked:
    """Return a request whose answer repeats other values than it holds, such as an id that was resolved before."""
    return attrs.evolve(asked, context={**asked.context, "echo": {**asked.context.get("echo", {}), **fields}})


def event_frame(piece: bytes) -> tuple[str, bytes] | None:
    """Return the type and the JSON of one event that an encoder wrote; None for what only server-sent events have."""
    if not piece.startswith(_NAMED):
        return None
    name, _, data = piece[len(_NAMED) :].partition(_DATA)
    return name.decode(), data.rstrip(b"\n")


def _require_calls(items: Iterable[Mapping[str, Any]], new: Iterable[Mapping[str, Any]]) -> None:
    outputs = [item.get("call_id") for item in new if item.get("type") in _OUTPUTS]
    if not outputs:
        return
    called = set()
    for item in items:
        if item.get("type") in _OPAQUE:
            return
        if item.get("type") in _CALLS:
            called.add(item.get("call_id"))
    for identity in outputs:
        if identity not in called:
            raise SurfaceError(
                f"No tool call found for function call output with call_id {identity}.", parameter="input"
            )


def portable_items(items: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return items that a service takes which has not stored them.

    Thinking without its encrypted content would be looked up by its id, and so would the calls that belong to it.
    """
    kept = [item for item in items if item.get("type") != "reasoning" or item.get("encrypted_content")]
    if len(kept) == len(items):
        return items
    return [{name: value for name, value in item.items() if name != "id"} for item in kept]
