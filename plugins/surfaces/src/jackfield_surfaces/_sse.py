"""Server-sent events as bytes."""

from __future__ import annotations

from typing import Any, Final

from jackfield.plugin import write_json

__all__ = ["DONE", "data_event", "named_event"]

DONE: Final = b"data: [DONE]\n\n"


def data_event(value: Any) -> bytes:
    """Return an event without a name."""
    return b"data: %b\n\n" % write_json(value)


def named_event(value: dict[str, Any]) -> bytes:
    """Return an event with its type for a name."""
    return b"event: %b\ndata: %b\n\n" % (value["type"].encode(), write_json(value))
