"""Read what OpenAI's APIs have in common in a conversation: files, cache marks, tools, schemas."""

from __future__ import annotations

from typing import Any, Final

from jackfield import Audio, Document, Image, Tool
from jackfield.plugin import read_base64, split_data_url

from ._fields import Fields, Report

__all__ = [
    "allow_tools", "audio_of", "cache_of", "document_of", "function_tool", "image_of", "put_format", "put_numbers", "put_user",
]  # fmt: skip

_DEFAULT_LIFETIME: Final = "5m"
_OPEN: Final = {"type": "object", "properties": {}}


def cache_of(fields: Fields) -> str | None:
    """Take the mark of the end of a cacheable prefix: OpenAI's, or Anthropic's, which many clients send."""
    for name in ("prompt_cache_breakpoint", "cache_control"):
        mark = fields.inner(name)
        if mark is not None:
            mark.forget("type", "mode")
            lifetime = mark.text("ttl") or _DEFAULT_LIFETIME
            mark.end()
            return lifetime
    return None


def image_of(fields: Fields, name: str, url: str, detail: str | None, cache: str | None) -> Image:
    """Return a picture by its address; a `data:` address holds it."""
    data, kind = _file_at(fields, name, url)
    return (
        Image(url=url, detail=detail, cache=cache) if data is None else Image(data, None, kind, detail, cache)
    )


def document_of(fields: Fields, name: str, data: str, title: str | None, cache: str | None) -> Document:
    """Return a document by its `data:` address, or by base64 alone."""
    if data[:5].lower() == "data:":
        found, kind = _file_at(fields, name, data)
        return Document(data=found, media_type=kind, name=title, cache=cache)
    return Document(data=base64_of(fields, name, data), name=title, cache=cache)


def audio_of(fields: Fields) -> Audio:
    """Take sound: data and format."""
    data = fields.required("data", fields.text("data"))
    form = fields.required("format", fields.text("format"))
    fields.end()
    return Audio(base64_of(fields, "data", data), None, form if "/" in form else f"audio/{form}")


def base64_of(fields: Fields, name: str, text: str) -> bytes:
    """Return the bytes of a field in base64.

    Raises:
        SurfaceError: It is not base64.
    """
    try:
        return read_base64(text)
    except ValueError as error:
        raise fields.wrong(name, f"is not valid: {error}") from error


def _file_at(fields: Fields, name: str, url: str) -> tuple[bytes | None, str | None]:
    try:
        found = split_data_url(url)
    except ValueError as error:
        raise fields.wrong(name, f"is not valid: {error}") from error
    return (None, None) if found is None else found


def function_tool(fields: Fields, name: str, report: Report) -> Tool:
    """Take the fields of a function tool."""
    description, strict = fields.text("description"), fields.flag("strict")
    parameters = fields.mapping("parameters")
    cache = cache_of(fields)
    for field in ("defer_loading", "allowed_callers", "output_schema"):
        value = fields.take(field)
        if value:
            report.drop(fields.place(field), "only OpenAI's Responses API has it", value)
    fields.end()
    return Tool(name, description, _OPEN if parameters is None else parameters, strict, cache)


def put_format(fields: Fields | None, options: dict[str, Any], schema: Fields | None = None) -> None:
    """Read the form of the answer.

    Args:
        fields: The format.
        options: Receives `response_format`.
        schema: Where name and schema stand; None if beside the type.
    """
    if fields is None:
        return
    kind = fields.word("type", ("text", "json_object", "json_schema"))
    if kind == "json_object":
        options["response_format"] = "json"
    elif kind == "json_schema":
        inner = schema or fields
        options["response_format"] = inner.required("schema", inner.mapping("schema"))
        name = inner.text("name")
        if name and "title" not in options["response_format"]:
            options["response_format"] = {"title": name, **options["response_format"]}
        # Services are asked to follow a schema exactly wherever it can be followed exactly.
        inner.forget("strict", "description")
        inner.end()
    fields.end()


def put_numbers(fields: Fields, options: dict[str, Any], *names: str) -> None:
    """Read options that are numbers and have the same name."""
    for name in names:
        value = fields.number(name)
        if value is not None:
            options[name] = value


def put_user(fields: Fields, options: dict[str, Any]) -> None:
    """Read the id of the end user, by its new name or by the old one."""
    new, old = fields.text("safety_identifier"), fields.text("user")
    user = new if new is not None else old
    if user is not None:
        options["user"] = user


def allow_tools(
    fields: Fields, tools: list[Tool], names: list[str], mode: str, options: dict[str, Any], report: Report
) -> list[Tool]:
    """Return the tools of a choice among some of them.

    Args:
        fields: The choice.
        tools: All tools.
        names: Those that are allowed.
        mode: "auto" or "required".
        options: Receives `tool_choice`.
        report: Receives what was done.
    """
    for name in names:
        if all(tool.name != name for tool in tools):
            raise fields.wrong("tools", f"names no tool that is given: {name!r}")
    report.emulate(fields.where, "the other tools were left out", names)
    options["tool_choice"] = mode
    return [tool for tool in tools if tool.name in names]
