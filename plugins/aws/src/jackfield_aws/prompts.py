"""Write conversations as one prompt, for models that complete text; shared by the providers on AWS.

    write, title, takes_system = chat_prompt("llama-3")
    prompt, stops = write(messages)

The formats are in `prompts.json`. Source: Bedrock user guide, model parameters by maker (2024-2026); for Llama the
notebooks of aws/amazon-sagemaker-examples have the same formats.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from jackfield import Message, RawPart, Text, Thinking, UnsupportedError
from jackfield.plugin import load_table

__all__ = ["ChatPrompt", "chat_prompt", "formats"]

ChatPrompt: TypeAlias = Callable[[tuple[Message, ...]], tuple[str, tuple[str, ...]]]
"""Returns the prompt of a conversation, and its stop sequences."""


def _table() -> Mapping[str, Mapping[str, Any]]:
    return load_table(__file__, "prompts.json")


def formats() -> tuple[str, ...]:
    """Return the names of the formats."""
    return tuple(_table())


@lru_cache(maxsize=16)
def chat_prompt(name: str) -> tuple[ChatPrompt, str, bool]:
    """Return the writer of a format, the format's title, and whether it accepts a system prompt.

    Special tokens inside texts are broken up, so that a text cannot end its own turn.
    """
    form = _table()[name]

    def write(messages: tuple[Message, ...]) -> tuple[str, tuple[str, ...]]:
        return _write(form, messages), ()

    title = f"{form['name']}, Bedrock user guide"
    if form["special"]:
        title += "; special tokens inside texts are broken up"
    return write, title, form["system"] is not None


def _write(form: Mapping[str, Any], messages: tuple[Message, ...]) -> str:
    turns = _turns(form, messages)
    system = "".join(form["system"].replace("{text}", text) for role, text in turns if role == "system")
    spoken = [(role, text) for role, text in turns if role != "system"]
    pieces = [form["begin"]]
    if not form.get("system_in_user"):
        pieces.append(system)
        system = ""
    for number, (role, content) in enumerate(spoken):
        text = content
        if system and role == "user":
            text, system = system + content, ""
        if role == "assistant" and number == len(spoken) - 1:  # the model continues its own message
            pieces.append(form[role].partition("{text}")[0] + text)
        else:
            pieces.append(form[role].replace("{text}", text))
    if not spoken or spoken[-1][0] != "assistant":
        pieces.append(form["end"])
    return "".join(pieces)


def _turns(form: Mapping[str, Any], messages: Sequence[Message]) -> list[tuple[str, str]]:
    """Return the role and text of each turn; adjacent turns of one role are joined.

    Raises:
        UnsupportedError: The format does not support a role or a part.
    """
    special = None if form["special"] is None else re.compile(form["special"])
    turns: list[tuple[str, str]] = []
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if message.role == "tool" or form[message.role] is None:
            raise UnsupportedError(
                f"{where} has the role {message.role}, which {form['name']} does not support",
                parameter="messages",
            )
        for part in message.parts:
            # Thinking and raw parts of other models are left out.
            if not isinstance(part, Text | Thinking | RawPart):
                raise UnsupportedError(
                    f"{where} contains a {type(part).__name__}; a prompt is only text", parameter="messages"
                )
        text = message.text if special is None else special.sub(_break_up, message.text)
        if turns and turns[-1][0] == message.role:
            text = f"{turns.pop()[1]}\n\n{text}"
        turns.append((message.role, text))
    if form["assistant"] is None and len(turns) > 1:
        raise UnsupportedError("the model accepts only a single user turn", parameter="messages")
    return turns


def _break_up(found: re.Match[str]) -> str:
    """Break up a special token, so that the model reads it as text."""
    token = found[0]
    return f"{token[0]} {token[1:]}"
