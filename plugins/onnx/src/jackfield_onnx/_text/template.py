"""Render a conversation with a model's own chat template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
import jinja2

from jackfield_onnx._local_errors import RequestError

from .template_environment import TemplateEnvironment, TemplateTookTooLong

__all__ = ["ChatTemplate", "Turn"]

_OTHER_TEMPLATE: Final = "Declare chat_template in the model's entry to use another template."
_OTHER_MESSAGES: Final = (
    "Many templates accept user and assistant in turn only, or no system message: join neighbouring messages of one "
    "role, or write the system prompt into the first message. " + _OTHER_TEMPLATE
)


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

    It comes with the model and is a program, so it runs in Jinja's sandbox, cannot modify its arguments, and is stopped
    after a few seconds.

    Args:
        source: The Jinja template.
        for_tools: The template of conversations with tools, if the model has one of its own for them.
        begin_token: The template's `bos_token`.
        end_token: The template's `eos_token`.
        tokens: Further control tokens by name, such as `pad_token`.
        model: The model's name, for messages.

    Raises:
        RequestError: A template cannot be compiled.
    """

    def __init__(
        self,
        source: str,
        *,
        for_tools: str | None = None,
        begin_token: str = "",
        end_token: str = "",
        tokens: Mapping[str, Any] | None = None,
        model: str = "",
    ) -> None:
        self.source = source
        self.for_tools = for_tools
        self._model = model
        self._names = {**(tokens or {}), "bos_token": begin_token, "eos_token": end_token}
        self._environment = TemplateEnvironment()
        self._template = self._compile(source)
        self._tool_template = self._template if for_tools is None else self._compile(for_tools)

    def render(self, turns: Sequence[Turn], tools: Sequence[Mapping[str, Any]] = ()) -> str:
        """Render a conversation, up to the beginning of the model's reply.

        Args:
            turns: The conversation.
            tools: Tools that the model may call, in the shape that templates expect; without any, `tools` is None in the
                template, as `documents` always is.

        Raises:
            RequestError: The template refuses the conversation, such as an unknown role; or it fails, or does not end.
        """
        messages = [{**turn.fields, "role": turn.role, "content": turn.content} for turn in turns]
        template = self._tool_template if tools else self._template
        try:
            with self._environment.time_limit():
                return template.render(
                    {
                        **self._names,
                        "messages": messages,
                        "tools": list(tools) or None,
                        "documents": None,
                        "add_generation_prompt": True,
                    }
                )
        except TemplateTookTooLong as error:
            raise RequestError(
                f"the model's chat template does not end: {error}", self._model, _OTHER_TEMPLATE
            ) from error
        except Exception as error:
            # `raise_exception` raises the base class; its subclasses are faults of the template.
            if type(error) is jinja2.TemplateError:
                what, remedy = f"refused the messages: {error}", _OTHER_MESSAGES
            else:
                what, remedy = f"failed: {type(error).__name__}: {error}", _OTHER_TEMPLATE
            raise RequestError(f"the model's chat template {what}", self._model, remedy) from error

    def _compile(self, source: str) -> jinja2.Template:
        try:
            return self._environment.from_string(source)
        except Exception as error:  # Python's compiler, too, has limits
            what = (
                str(error) if isinstance(error, jinja2.TemplateError) else f"{type(error).__name__}: {error}"
            )
            raise RequestError(
                f"the model's chat template cannot be compiled: {what}", self._model, _OTHER_TEMPLATE
            ) from error
