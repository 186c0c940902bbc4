"""Write requests and answers to the log, where an administrator asks for it (`log_content`)."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Final

from jackfield import Text, Thinking, ToolCall
from jackfield.plugin import write_json

from ._exchange import Visit

__all__ = ["log_content"]

logger = logging.getLogger("jackfield.gateway.content")

_LONGEST: Final = 100_000
"""Characters of a request or an answer; pictures are longer."""


def log_content(visit: Visit) -> None:
    """Write a request that has ended, and its answer as far as it came, at level debug; headers and keys never.

    Each is one line of JSON, so that no content looks like a line of the log.
    """
    if not logger.isEnabledFor(logging.DEBUG):
        return
    who = f"{visit.id} of {visit.key.owner}"
    logger.debug("request %s: %s", who, _line(visit.content))
    reply = visit.reply if visit.reply is not None else getattr(visit.error, "partial", None)
    logger.debug("answer %s: %s", who, _line(_answer(reply)))


def _answer(reply: Any) -> dict[str, Any]:
    choices = [
        {**_parts(choice.message.parts), "finish": choice.finish_reason}
        for choice in getattr(reply, "choices", ())
    ]
    return {"choices": choices} if choices else {}


def _parts(parts: Iterable[object]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for part in parts:
        if isinstance(part, Thinking):
            told["thinking"] = told.get("thinking", "") + part.text
        elif isinstance(part, Text):
            name = "refusal" if part.refusal else "text"
            told[name] = told.get(name, "") + part.text
        elif isinstance(part, ToolCall):
            call = {"name": part.name, "arguments": part.arguments}
            told.setdefault("tool_calls", []).append(call)
    return told


def _line(value: Any) -> str:
    text = write_json(value).decode("utf-8", "replace")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text)} characters)"
