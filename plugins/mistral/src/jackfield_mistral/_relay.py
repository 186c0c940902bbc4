"""Hand a client's request on as it came, if every field of it is the service's own: others get status 422."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

from jackfield.plugin import ModelRef, Wire
from jackfield_openai.dialect import relay as relay_openai

from ._dialect import MISTRAL, RESPONSES

__all__ = ["relay"]

# Source: `ChatCompletionRequest` and the messages of the API description of 2026-08-21.
_FIELDS: Final = frozenset(
    {"model", "messages", "temperature", "top_p", "max_tokens", "stream", "stop", "random_seed", "metadata",
     "response_format", "tools", "tool_choice", "presence_penalty", "frequency_penalty", "n", "prediction",
     "parallel_tool_calls", "guardrails", "safe_prompt", "prompt_cache_key"}
)  # fmt: skip
_MESSAGES: Final[Mapping[str, frozenset[str]]] = {
    "system": frozenset({"role", "content"}),
    "user": frozenset({"role", "content"}),
    "assistant": frozenset({"role", "content", "tool_calls", "prefix"}),
    "tool": frozenset({"role", "content", "tool_call_id", "name"}),
}
_OWN_ID: Final = re.compile(r"[a-zA-Z0-9]{9}")


def relay(model: ModelRef, surface: str, headers: Mapping[str, str], body: bytes) -> Wire | None:
    """Return the wire that hands a request on; None if it must be translated.

    A model that thinks answers with lists where OpenAI's clients read a text, so its calls are translated.
    """
    if surface == "openai.responses" and model.declared.get("route") == "responses":
        return relay_openai(RESPONSES, model, surface, headers, body, accepts=_keeps_nothing)
    if surface == "openai.chat" and not model.known_as.startswith("magistral"):
        return relay_openai(MISTRAL, model, surface, headers, body, accepts=_takes)
    return None


def _keeps_nothing(asked: Mapping[str, Any]) -> bool:
    return not any(asked.get(name) for name in ("store", "background", "previous_response_id"))


def _takes(asked: Mapping[str, Any]) -> bool:
    """Return whether the service takes a body of a chat as it is."""
    messages = asked.get("messages")
    if not asked.keys() <= _FIELDS or not isinstance(messages, list) or not messages:
        return False
    if not all(_takes_message(message) for message in messages):
        return False
    roles = [message["role"] for message in messages]
    # A user's turn does not follow a tool's result, and an answer that is continued has a mark.
    if any(pair == ("tool", "user") for pair in pairwise(roles)):
        return False
    return roles[-1] != "assistant" or messages[-1].get("prefix") is True


def _takes_message(message: Any) -> bool:
    if not isinstance(message, Mapping) or not message.keys() <= _MESSAGES.get(
        str(message.get("role")), frozenset()
    ):
        return False
    content, calls = message.get("content"), message.get("tool_calls") or []
    if not isinstance(content, str) and not (content is None and calls):
        return False  # lists of parts differ in their types
    if message["role"] == "assistant" and not content and not calls:
        return False
    ids = [call.get("id") if isinstance(call, Mapping) else None for call in calls]
    if message["role"] == "tool":
        ids.append(message.get("tool_call_id"))
    return all(isinstance(one, str) and _OWN_ID.fullmatch(one) for one in ids)
