"""Hand a client's request on as it came, to an endpoint that takes it and answers as the client expects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from jackfield.plugin import ModelRef, Wire
from jackfield_anthropic.dialect import relay as relay_claude
from jackfield_openai.dialect import relay as relay_openai

from ._dialect import CLAUDE_VERSION, claude_for, dialect_for
from ._models import family_of, row_of
from ._routes import route_of

__all__ = ["relay"]

# Source: docs.databricks.com, Foundation Model APIs reference, "Chat task", as mirrored until 2026-06.
_FIELDS: Final = frozenset(
    {
        "model",
        "messages",
        "max_tokens",
        "stream",
        "temperature",
        "top_p",
        "top_k",
        "stop",
        "n",
        "tools",
        "tool_choice",
    }
)
_PLAIN: Final = {"role", "content"}


def relay(model: ModelRef, surface: str, headers: Mapping[str, str], body: bytes) -> Wire | None:
    """Return the wire that hands a request on; None if it must be translated."""
    if surface == "anthropic.messages":
        return _relay_messages(model, surface, headers, body)
    route = route_of(model, chat=surface != "openai.completions")
    if (route == "responses") != (surface == "openai.responses") or route == "messages":
        return None
    dialect = dialect_for(route, model.id, model.known_as, per_token=model.underlying is None)
    declared = {**model.declared, "route": "responses"} if route == "responses" else {}
    known = attrs.evolve(model, declared=declared)
    accepts = None if row_of(model.known_as) is None or route == "responses" else _takes_of(model)
    wire = relay_openai(dialect, known, surface, headers, body, accepts=accepts)
    return None if wire is None else attrs.evolve(wire, meta={**wire.meta, "route": route})


def _takes_of(model: ModelRef) -> Any:
    """Return the rule for bodies of a foundation model; endpoints of customers take what their models do.

    Answers of other families than Claude may have lists where OpenAI's clients read a text: thinking and text
    ("Query reasoning models", docs.databricks.com, 2026).
    """
    return _takes if family_of(model.known_as) == "claude" else lambda _: False


def _takes(asked: Mapping[str, Any]) -> bool:
    """Return whether the service takes a body as it is: documented fields, and a conversation of texts."""
    messages = asked.get("messages")
    return (
        asked.keys() <= _FIELDS
        and isinstance(messages, list)
        and all(
            isinstance(one, Mapping) and one.keys() == _PLAIN and isinstance(one["content"], str)
            for one in messages
        )
        and not any(one["role"] not in ("user", "assistant") for one in messages[1:])
    )


def _relay_messages(model: ModelRef, surface: str, headers: Mapping[str, str], body: bytes) -> Wire | None:
    if model.declared.get("route") != "messages":
        return None
    wire = relay_claude(claude_for(model.id), model, surface, headers, body)
    if wire is None:
        return None
    told = {"anthropic-version": CLAUDE_VERSION, **wire.headers}
    return attrs.evolve(wire, headers=told, meta={**wire.meta, "route": "messages"})
