"""State at the service: answers that it keeps, that a call continues, or that it computes in the background."""

from __future__ import annotations

import re
from typing import Any, Final

from jackfield import Message
from jackfield.plugin import UNSET, Capabilities, Continuation, ModelRef, Options, ParameterWriter

from ._dialect import Dialect

__all__ = ["ask_for_thinking", "continue_answer", "put_background", "put_stateless", "uses_websocket"]

_FAMILY: Final = re.compile(r"(?:.*/)?(?:ft:)?([a-z]+(?:-[a-z]+)*-?\d+)")
_ENCRYPTED: Final = "reasoning.encrypted_content"
_ONLY_RESPONSES: Final = 'only the Responses API has it; declare route = "responses" for the model'


def put_stateless(dialect: Dialect, writer: ParameterWriter, options: Options) -> None:
    """Write `store`, and refuse what keeps state, for chat completions."""
    if dialect.responses_path is not None and (dialect.background or options.store is not False):
        writer.put("store")
    if writer.take("continue_from") is not UNSET:
        writer.refuse("continue_from", _ONLY_RESPONSES)
    background = writer.take("background")
    if background is True:
        writer.refuse("background", _ONLY_RESPONSES, value=True)
    elif background is False:
        writer.drop("background", "nothing is computed in the background anyway", value=False)


def put_background(dialect: Dialect, writer: ParameterWriter, options: Options) -> bool:
    """Write `store` and `background`; return whether the answer is computed in the background."""
    background = options.background is True
    if background and not dialect.background:
        writer.refuse("background", "the service is not known to have it", writer.take("background"))
    elif background and options.store is False:
        why = "the service computes in the background only what it keeps; leave store=False out"
        writer.refuse("background", why, writer.take("background"))
    writer.put("store")
    wanted = writer.put("background") is True
    if wanted and options.store is UNSET:
        why = "the service computes in the background only what it keeps"
        writer.default("store", "store", value=True, why=why)
    return wanted


def ask_for_thinking(dialect: Dialect, body: dict[str, Any], capabilities: Capabilities) -> None:
    """Request thinking in the form that can be sent back, where the service does not keep it: it would not find it by its id.

    Source: OpenAI's API reference, `include` of Responses, November 2026.
    """
    thinks = capabilities.features.get("reasoning")
    if body.get("store") is False and dialect.background and thinks is not None and thinks.value:
        included = body.setdefault("include", [])
        if _ENCRYPTED not in included:
            body["include"] = [*included, _ENCRYPTED]


def continue_answer(
    writer: ParameterWriter, model: ModelRef, messages: tuple[Message, ...]
) -> tuple[int, Continuation | None]:
    """Write the id of the answer that is continued.

    Returns:
        How many of the messages need not be sent, and the answer; None if none is continued.

    Raises:
        UnsupportedError: It cannot be continued, and the policy is "error".
    """
    answer = writer.take("continue_from")
    if answer is UNSET:
        return 0, None
    obstacle = _find_obstacle(answer, model)
    if obstacle is not None:
        writer.refuse("continue_from", obstacle, answer.id)
        return 0, None
    writer.write("continue_from", "previous_response_id", answer.id)
    if answer.seen:
        why = f"the service knows the first {answer.seen}: they stand before the answer that is continued"
        writer.drop("messages", why)
    return answer.seen, answer


def _find_obstacle(answer: Continuation, model: ModelRef) -> str | None:
    """Return why an answer cannot be continued by a model; None if it can."""
    if answer.connection not in (None, model.connection):
        return f"{answer.id} came through the connection {answer.connection}; {model.connection} does not know it"
    # Over a WebSocket, the last answer is known to the socket, even if it is not stored.
    if answer.stored is not True and not (answer.stored is False and uses_websocket(model)):
        told = (
            "the service does not keep" if answer.stored is False else "the service did not say that it keeps"
        )
        return f"{told} {answer.id}; pass store=True to the call that is to be continued, or send the whole conversation"
    if answer.model not in (None, model.id):
        theirs, ours = _family_of(answer.answered_by or answer.model or ""), _family_of(model.known_as)
        if theirs != ours:
            return f"{answer.id} is an answer of {answer.answered_by or answer.model}, which is of another family"
    return None


def uses_websocket(model: ModelRef) -> bool:
    """Return whether chats of a model's connection go over a WebSocket."""
    settings: Any = model.settings
    return getattr(settings, "transport", None) == "websocket"


def _family_of(name: str) -> str:
    """Return the family of a model: "gpt-5" of gpt-5.1-mini, "o4" of o4-mini; a name without a number is its own."""
    found = _FAMILY.match(name)
    return name if found is None else found[1]
