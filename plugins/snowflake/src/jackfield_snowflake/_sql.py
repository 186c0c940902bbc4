"""The SQL functions of Cortex: the request. All values are bound; no caller input is ever put into a statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from jackfield import Message, Text, Thinking, ToolCall, ToolResult, UnsupportedError
from jackfield.plugin import (
    UNSET,
    Capabilities,
    ChatRequest,
    EmbedRequest,
    ModelRef,
    ParameterWriter,
    Request,
    SummarizeRequest,
    Translation,
    Wire,
    write_json,
)

from ._embeddings import put_truncate

__all__ = ["translate_sql"]

# Sources: docs.snowflake.com, COMPLETE, AI_COMPLETE, AI_EMBED, EMBED_TEXT_768 and _1024, SUMMARIZE, AI_SUMMARIZE (2026).
# COMPLETE returns JSON with usage if there are options, else bare text; so there are always options, at least {}.
_COMPLETE: Final = "SELECT SNOWFLAKE.CORTEX.COMPLETE(?, PARSE_JSON(?), PARSE_JSON(?)) AS answer"
_AI_COMPLETE: Final = (
    "SELECT AI_COMPLETE(model => ?, prompt => ?, model_parameters => PARSE_JSON(?), "
    "show_details => TRUE, return_error_details => TRUE) AS answer"
)
_AI_COMPLETE_AS: Final = (
    "SELECT AI_COMPLETE(model => ?, prompt => ?, model_parameters => PARSE_JSON(?), response_format => PARSE_JSON(?), "
    "show_details => TRUE, return_error_details => TRUE) AS answer"
)
_ROWS: Final = "FROM (SELECT index AS i, value::VARCHAR AS t FROM TABLE(FLATTEN(INPUT => PARSE_JSON(?))))"
_EMBED: Final = {
    "sql": f"SELECT i, AI_EMBED(?, t) AS answer {_ROWS}",
    768: f"SELECT i, SNOWFLAKE.CORTEX.EMBED_TEXT_768(?, t) AS answer {_ROWS}",
    1024: f"SELECT i, SNOWFLAKE.CORTEX.EMBED_TEXT_1024(?, t) AS answer {_ROWS}",
}
_SUMMARIZE: Final = "SELECT SNOWFLAKE.CORTEX.SUMMARIZE(?) AS answer"
_AI_SUMMARIZE: Final = "SELECT AI_SUMMARIZE(?) AS answer"
_ROLES: Final = {"system": "System", "user": "User", "assistant": "Assistant", "tool": "User"}


def translate_sql(
    model: ModelRef, request: Request, capabilities: Capabilities, *, legacy: bool
) -> Translation:
    """Translate a request into one statement with its bindings.

    Args:
        model: The model.
        request: The request.
        capabilities: The model's capabilities.
        legacy: Whether to use the functions of `SNOWFLAKE.CORTEX` instead of their successors `AI_…`.

    Raises:
        UnsupportedError: There is no such function, or it cannot honour an option.
    """
    if isinstance(request, EmbedRequest):
        return _embedding(model, request, capabilities, legacy=legacy)
    if isinstance(request, SummarizeRequest):
        return _summary(model, request, capabilities, legacy=legacy)
    if isinstance(request, ChatRequest) and not request.stream:
        return _chat(model, request, capabilities, legacy=legacy)
    how = (
        "cannot stream" if isinstance(request, ChatRequest) else f"does not serve a {type(request).__name__}"
    )
    raise UnsupportedError(f"SQL {how}; choose a route of REST", parameter="stream")


def _wire(function: str, statement: str, bind: dict[str, Any], **meta: Any) -> Wire:
    """Return a wire: `bind` has the bound values, in the order of the question marks; the transport writes JSON."""
    body = {"statement": statement, "bind": bind}
    return Wire(function, body, meta={"api": "sql", "function": function, **meta})


def _chat(model: ModelRef, request: ChatRequest, capabilities: Capabilities, *, legacy: bool) -> Translation:
    options = request.options
    bind: dict[str, Any] = {"model": model.id}
    place = "options" if legacy else "model_parameters"
    parameters: dict[str, Any] = {}
    writer = ParameterWriter.of(request, model, capabilities, {"bind": bind})
    messages = request.messages
    system = writer.take("system")
    if system is not UNSET:
        writer.note("system", "renamed", value=system)
        messages = (Message("system", system), *messages)
    turns = [
        {"role": message.role, "content": _text(i, message, writer)} for i, message in enumerate(messages)
    ]
    if legacy:
        bind["messages"] = turns
    else:
        bind["prompt"] = _prompt(turns, writer, emulate=options.emulate)
    bind[place] = parameters
    for name in ("max_tokens", "temperature", "top_p"):
        writer.put(name, f"bind.{place}.{name}")
    _put_format(writer, f"bind.{place}" if legacy else "bind")
    writer.merge_extra(options.extra, "snowflake", into=parameters)
    if not legacy and "response_format" in parameters:
        bind["response_format"] = parameters.pop("response_format")
    statement = _AI_COMPLETE_AS if "response_format" in bind else _AI_COMPLETE
    meta = {"model": model.id, "limit": parameters.get("max_tokens")}
    return Translation(_wire("complete", _COMPLETE if legacy else statement, bind, **meta), writer.finish())


def _text(index: int, message: Message, writer: ParameterWriter) -> str:
    """Return the text of a turn, which is all that SQL accepts."""
    texts: list[str] = []
    where = f"messages[{index}]"
    for part in message.parts:
        text = part.text if isinstance(part, Text) else getattr(part, "text", None)
        if isinstance(part, Thinking):
            writer.drop(f"{where}.thinking", "the SQL functions accept no thinking")
        elif isinstance(part, ToolCall):
            writer.note(where, "emulated", why="a tool call was written as text")
            texts.append(
                f"[called {part.name} with {part.arguments_raw or write_json(part.arguments).decode()}]"
            )
        elif isinstance(part, ToolResult):
            writer.note(where, "emulated", why="a tool's result was written as text")
            texts.append(f"[result of {part.name or part.tool_call_id}: {part.text}]")
        elif isinstance(text, str):
            if not isinstance(part, Text):
                writer.note(where, "emulated", why="the document's text was sent as text")
            texts.append(text)
        else:
            writer.drop(where, f"the SQL functions do not accept a {type(part).__name__}", part)
        if getattr(part, "cache", None) is not None:
            writer.drop(f"{where}.cache", "the SQL functions have no marks of cacheable prefixes", part)
    return "\n\n".join(texts)


def _prompt(turns: Sequence[dict[str, str]], writer: ParameterWriter, *, emulate: bool) -> str:
    """Write a conversation as the single text that AI_COMPLETE accepts.

    Raises:
        UnsupportedError: It has several turns, and emulation is forbidden.
    """
    if len(turns) == 1 and turns[0]["role"] == "user":
        return turns[0]["content"]
    if not emulate:
        raise UnsupportedError(
            "AI_COMPLETE accepts one text, and emulate=False forbids writing a conversation as one; choose the route "
            "legacy_sql or one of REST",
            parameter="emulate",
        )
    writer.note(
        "messages",
        "emulated",
        wire="prompt",
        why="AI_COMPLETE accepts one text: each turn was written after its role",
    )
    return "\n\n".join([f"{_ROLES[turn['role']]}: {turn['content']}" for turn in turns] + ["Assistant:"])


def _put_format(writer: ParameterWriter, place: str) -> None:
    given = writer.take("response_format")
    if given is UNSET:
        return
    schema = {"type": "object"} if given == "json" else given
    if given == "json":
        path = f"{place}.response_format.schema"
        writer.note(
            "response_format.schema",
            "defaulted",
            wire=path,
            value=schema,
            why="the service requires a schema",
        )
    writer.write("response_format", f"{place}.response_format", {"type": "json", "schema": schema})


def _embedding(
    model: ModelRef, request: EmbedRequest, capabilities: Capabilities, *, legacy: bool
) -> Translation:
    writer = ParameterWriter.of(request, model, capabilities, {})
    put_truncate(writer)
    key: Any = capabilities.limits.dimensions if legacy else "sql"
    if key not in _EMBED:
        raise UnsupportedError(
            f"the dimensions of {model.id} are unknown, so neither EMBED_TEXT_768 nor EMBED_TEXT_1024 can be chosen; "
            "declare limits = { dimensions = … } in its entry of models",
            parameter="model",
        )
    bind = {"model": model.id, "texts": list(request.inputs)}
    return Translation(_wire("embed", _EMBED[key], bind, model=model.id), writer.finish())


def _summary(
    model: ModelRef, request: SummarizeRequest, capabilities: Capabilities, *, legacy: bool
) -> Translation:
    writer = ParameterWriter.of(request, model, capabilities, {})
    statement = _SUMMARIZE if legacy else _AI_SUMMARIZE
    return Translation(_wire("summarize", statement, {"text": request.text}, model=model.id), writer.finish())
