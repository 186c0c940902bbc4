"""Convert a wire's body to a request to the engine, according to what its model supports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from jackfield.plugin import suggestion

from ._engine.replies import GenerateRequest
from ._local_errors import RequestError
from ._text.template import Turn
from ._text.tools import (
    FORMATS,
    PLAIN_CALLS,
    ToolFormat,
    build_call_grammar,
    build_json_grammar,
    detect_format,
)

if TYPE_CHECKING:
    from ._engine.engine import Engine

__all__ = ["choose_tool_format", "read_request"]

_PLAIN: Final = (
    "max_tokens", "temperature", "top_p", "top_k", "min_p", "seed", "presence_penalty", "frequency_penalty",
    "repetition_penalty",
)  # fmt: skip
_KNOWN: Final = frozenset(
    {
        *_PLAIN, "model", "folder", "hub", "revision", "chat_template", "prompt", "messages", "stop", "logit_bias", "logprobs",
        "top_logprobs", "n", "tools", "tool_choice", "tool_format", "parallel_tool_calls", "response_format",
    }
)  # fmt: skip


def read_request(body: Mapping[str, Any], engine: Engine) -> GenerateRequest:
    """Convert the body of a `chat`, `completion` or `count` wire. Blocks while a grammar is compiled.

    Raises:
        RequestError: A parameter is unknown, or its value or format cannot be used.
    """
    for name in body:
        if name not in _KNOWN:
            near = suggestion(name, _KNOWN)
            raise RequestError(
                "the engine has no such parameter",
                name,
                f"Did you mean {near!r}?" if near else "Leave it out.",
            )
    form = choose_tool_format(body, engine)
    given = {name: body[name] for name in _PLAIN if name in body}
    grammar = _build_grammar(body, engine, form)
    shown = {} if form is None else {engine.find_control_token(word): word for word in form.words}
    try:
        return GenerateRequest(
            prompt=body["prompt"] if "prompt" in body else tuple(_read_turns(body["messages"])),
            stop=tuple(body.get("stop", ())),
            logit_bias={int(token): float(bias) for token, bias in body.get("logit_bias", {}).items()},
            top_logprobs=_read_top_logprobs(body),
            tools=tuple(body.get("tools", ())),
            constraint=None if grammar is None else engine.grammars.make_constraint(grammar),
            shown={token: name for token, name in shown.items() if token is not None},
            **given,
        )
    except (TypeError, ValueError) as error:
        raise RequestError(f"a parameter is not valid: {error}", "the request") from error


def choose_tool_format(body: Mapping[str, Any], engine: Engine) -> ToolFormat | None:
    """Choose the format in which the model writes tool calls; None if the request has no tools.

    Raises:
        RequestError: The request has tools, and the model's chat template does not support any.
    """
    if not body.get("tools"):
        return None
    template = engine.template
    source = None if template is None else template.for_tools or template.source
    name = body.get("tool_format") or detect_format(source)
    if name is None and template is not None and template.for_tools is not None:
        name = PLAIN_CALLS  # its author says that the model takes tools
    if name is None or source is None or "tools" not in source:
        raise RequestError(
            "the model's chat template does not support tools, or writes tool calls in an unknown format",
            "tools",
            f"Use another model, or declare chat_template, and tool_format: one of {', '.join(FORMATS)}.",
        )
    return FORMATS[name]


def _build_grammar(body: Mapping[str, Any], engine: Engine, form: ToolFormat | None) -> str | None:
    """Build the grammar that constrains the reply; None for no constraint."""
    wanted = body.get("response_format")
    schema = None if wanted is None else {"type": "object"} if wanted == "json" else wanted
    choice = body.get("tool_choice", "auto")
    if form is None or (choice == "auto" and schema is None):
        return None if schema is None else build_json_grammar(schema)
    tools = body["tools"]
    if isinstance(choice, Mapping):
        tools = [tool for tool in tools if tool["function"]["name"] == choice["function"]["name"]]
    return build_call_grammar(
        form,
        tools,
        several=bool(body.get("parallel_tool_calls", True)),
        token=engine.find_control_token,
        otherwise=schema if choice == "auto" else None,
    )


def _read_turns(messages: list[dict[str, Any]]) -> list[Turn]:
    return [
        Turn(
            message["role"],
            message["content"],
            {name: value for name, value in message.items() if name not in {"role", "content"}},
        )
        for message in messages
    ]


def _read_top_logprobs(body: Mapping[str, Any]) -> int | None:
    """Return the number of alternative tokens to report; None for no log-probabilities at all."""
    top: int | None = body.get("top_logprobs")
    if body.get("logprobs", top is not None) is False:
        return None
    return 0 if top is None else top
