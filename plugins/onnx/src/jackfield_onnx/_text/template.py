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
    """A message of a conversation, for a chat template.

    Args:
        role: Its role.
        content: Its text.
        fields: Other fields of the message, such as `tool_calls` or `tool_call_id`.
    """

    role: str
    content: str
    fields: Mapping[str, Any] = attrs.field(factory=dict)


class ChatTemplate:
    """A model's chat template.

    It comes with the model and is a program, so it runs in Jinja's sandbox and cannot modify its arguments.

    Args:
        source: The Jinja template.
        begin_token: The template's `bos_token`.
        end_token: The template's `eos_token`.

    Raises:
        RequestError: The template cannot be compiled.
    """

    def __init__(self, source: str, *, begin_token: str = "", end_token: str = "") -> None:
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        # Templates written for Hugging Face's transformers use these.
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
        """Render a conversation, up to the beginning of the model's reply.

        Args:
            turns: The conversation.
            tools: Tools that the model may call, in the shape that templates expect; if empty, `tools` is undefined in
                the template, because templates test for that.

        Raises:
            RequestError: The template refuses the conversation, such as an unknown role.
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
    # Jinja's own filter escapes <, > and & for HTML, which the model would see.
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _raise_exception(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


def _format_now(form: str) -> str:
    return dt.datetime.now().astimezone().strftime(form)
