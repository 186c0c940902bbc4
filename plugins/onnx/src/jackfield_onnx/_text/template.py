"""Render a conversation with a model's own chat template."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import attrs
import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from jackfield_onnx._local_errors import RequestError

__all__ = ["ChatTemplate", "Turn"]


@attrs.frozen
class Turn:
    """One message of a conversation, as a chat template sees it.

    Args:
        role: Who speaks.
        content: What is said.
        fields: What else the template finds in the message, such as `tool_calls` or `tool_call_id`.
    """

    role: str
    content: str
    fields: Mapping[str, Any] = attrs.field(factory=dict)


class ChatTemplate:
    """A model's own way of writing a conversation as one text.

    The template comes with the model and is a program, so it runs in Jinja's sandbox and cannot change what it is
    given.

    Args:
        source: The Jinja template.
        begin_token: Given to the template as `bos_token`.
        end_token: Given to the template as `eos_token`.
    """

    def __init__(self, source: str, *, begin_token: str = "", end_token: str = "") -> None:
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        # What templates written for Hugging Face's transformers expect to find.
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _raise_exception
        environment.globals["strftime_now"] = _format_now
        self._tokens = {"bos_token": begin_token, "eos_token": end_token}
        self.source = source
        try:
            self._template = environment.from_string(source)
        except jinja2.TemplateError as error:
            raise RequestError(f"the model's chat template cannot be compiled: {error}") from error

    def render(self, turns: Sequence[Turn], tools: Sequence[Mapping[str, Any]] = ()) -> str:
        """Write a conversation so that the model's answer comes next.

        Args:
            turns: The conversation.
            tools: Tools that the model may call, in the shape that templates expect; without any, the template finds
                none instead of an empty list, for that is what it tests.

        Raises:
            RequestError: When the template refuses the conversation, such as an unknown role.
        """
        messages = [{**turn.fields, "role": turn.role, "content": turn.content} for turn in turns]
        offered = {"tools": list(tools)} if tools else {}
        try:
            return self._template.render(
                messages=messages, add_generation_prompt=True, **offered, **self._tokens
            )
        except jinja2.TemplateError as error:
            raise RequestError(f"the model's chat template refused the messages: {error}") from error


def _to_json(value: object, indent: int | None = None) -> str:
    # Jinja's own escapes <, > and & for web pages; a model would see the escapes.
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _raise_exception(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


def _format_now(form: str) -> str:
    return dt.datetime.now().astimezone().strftime(form)
