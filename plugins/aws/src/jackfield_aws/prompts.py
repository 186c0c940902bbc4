"""Conversations as one prompt, for models that complete text; shared by the providers on AWS.

    write, title, takes_system = chat_prompt("llama-3")
    prompt, stops = write(messages)

The formats stand in `prompts.json`. Source: Bedrock user guide, model parameters by maker (2024-2026); for Llama the
same formats stand in the notebooks of aws/amazon-sagemaker-examples.
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
"""Gives the prompt of a conversation, and the stop sequences that belong to it."""


def _table() -> Mapping[str, Mapping[str, Any]]:
    return load_table(__file__, "prompts.json")


def formats() -> tuple[str, ...]:
    """Name the formats."""
    return tuple(_table())


@lru_cache(maxsize=16)
def chat_prompt(name: str) -> tuple[ChatPrompt, str, bool]:
    """Give the writer of a format, what it is called, and whether it has a place for a system prompt.

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
    for number, (role, said) in enumerate(spoken):
        text = said
        if system and role == "user":
            text, system = system + said, ""
        if role == "assistant" and number == len(spoken) - 1:  # the model goes on with its own words
            pieces.append(form[role].partition("{text}")[0] + text)
        else:
            pieces.append(form[role].replace("{text}", text))
    if not spoken or spoken[-1][0] != "assistant":
        pieces.append(form["end"])
    return "".join(pieces)


def _turns(form: Mapping[str, Any], messages: Sequence[Message]) -> list[tuple[str, str]]:
    """Give role and text of each turn, neighbours of one role joined.

    Raises:
        UnsupportedError: The format has no place for a role or a part.
    """
    special = None if form["special"] is None else re.compile(form["special"])
    turns: list[tuple[str, str]] = []
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if message.role == "tool" or form[message.role] is None:
            raise UnsupportedError(
                f"{where} is of the role {message.role}, for which {form['name']} has no place",
                parameter="messages",
            )
        for part in message.parts:
            # What other models thought and what only they can read stays behind.
            if not isinstance(part, Text | Thinking | RawPart):
                raise UnsupportedError(
                    f"{where} holds a {type(part).__name__}; a prompt is text alone", parameter="messages"
                )
        text = message.text if special is None else special.sub(_broken, message.text)
        if turns and turns[-1][0] == message.role:
            text = f"{turns.pop()[1]}\n\n{text}"
        turns.append((message.role, text))
    if form["assistant"] is None and len(turns) > 1:
        raise UnsupportedError("the model takes a single user turn", parameter="messages")
    return turns


def _broken(found: re.Match[str]) -> str:
    """Break a special token up, so that it is text to the model and no command."""
    token = found[0]
    return f"{token[0]} {token[1:]}"
