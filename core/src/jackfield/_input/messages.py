"""Read messages as callers write them: objects, or plain dicts the way the OpenAI chat API shows them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from jackfield._hints import a_or_an, hint
from jackfield._types.content import (
    Audio,
    Document,
    Image,
    Message,
    MessageLike,
    Part,
    RawPart,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    parse_arguments,
)

__all__ = ["message_from_dict", "normalise_messages"]

_ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}
_OBJECT_ROLES = frozenset(_ROLES.values())
_PARTS = (Text, Image, Audio, Document, Thinking, ToolCall, ToolResult, RawPart)
_PART_TYPES = frozenset(_PARTS)
_KEYS = ("role", "content", "name", "tool_calls", "tool_call_id", "refusal")


def normalise_messages(messages: str | Sequence[MessageLike]) -> tuple[Message, ...]:
    """Turn what a caller wrote into messages.

    Args:
        messages: A string (one user turn), or a list of `Message`, `ToolResult` (a tool turn of its own;
            neighbours are joined into one) and plain dicts.

    Raises:
        TypeError: An entry is none of these, or a message holds what is no part.
        ValueError: A role is missing or unknown, or a dict has a key that is.
    """
    if isinstance(messages, str):
        return (Message("user", messages),)
    result: list[Message] = []
    entries: Sequence[object] = messages
    for index, entry in enumerate(entries):
        if (
            type(entry) is dict
        ):  # asked first: the general question to an abstract class costs more than the rest
            result.append(message_from_dict(entry, where=f"messages[{index}]"))
        elif isinstance(entry, Message):
            _check_message(entry, index)
            result.append(entry)
        elif isinstance(entry, ToolResult):
            if type(entry.content) is not str:
                _require_result(entry, f"messages[{index}]")
            if result and result[-1].role == "tool":
                result[-1] = attrs.evolve(result[-1], parts=(*result[-1].parts, entry))
            else:
                result.append(Message("tool", (entry,)))
        elif isinstance(entry, Mapping):
            result.append(message_from_dict(entry, where=f"messages[{index}]"))
        else:  # callers without a type checker
            msg = f"messages[{index}] is {_named(entry)}; want Message, ToolResult or a dict"
            raise TypeError(msg)
    return tuple(result)


def message_from_dict(entry: Mapping[str, Any], *, where: str) -> Message:
    """Turn `{"role", "content"}` (and OpenAI's `tool_calls`, `tool_call_id`, `name`) into a `Message`.

    Raises:
        ValueError: A key or the role is unknown, or the content is of an unknown form.
    """
    content = entry.get("content")
    role = _ROLES.get(entry.get("role", ""))
    if len(entry) == 2 and type(content) is str and role is not None and role != "tool":
        return Message(role, (Text(content),))  # fast path: nearly every entry is a role and a text
    if role is None:
        raise _unknown_role(entry.get("role"), where)
    for key in entry:
        if key not in _KEYS:
            msg = f"{where} has the unknown key {key!r}{hint(key, _KEYS)}"
            raise ValueError(msg)
    if role == "tool":
        answered = _required(entry, "tool_call_id", where)
        result = ToolResult(answered, _result_content(content, where), name=entry.get("name"))
        return Message("tool", (result,))
    if content is None and role != "assistant":  # an assistant's may hold calls of tools alone
        _required(entry, "content", where)
    parts = list(_parts(content, where))
    if entry.get("refusal"):
        parts.append(Text(entry["refusal"], refusal=True))
    for index, call in enumerate(entry.get("tool_calls") or ()):
        parts.append(_tool_call(call, f"{where}.tool_calls[{index}]"))
    return Message(role, tuple(parts), name=entry.get("name"))


def _check_message(message: Message, index: int) -> None:
    if message.role not in _OBJECT_ROLES:
        raise _unknown_role(message.role, f"messages[{index}]")
    for part in message.parts:
        # a set of types asked first: subclasses are rare, and this is done for each part of a history
        if type(part) not in _PART_TYPES:
            _require_parts(message.parts, f"messages[{index}].parts")
        elif type(part) is ToolResult and type(part.content) is not str:
            _require_result(part, f"messages[{index}]")


def _unknown_role(role: object, where: str) -> ValueError:
    meant = hint(role, _ROLES) if isinstance(role, str) else ""
    return ValueError(f"{where} has the role {role!r}; want one of {', '.join(_ROLES)}{meant}")


def _require_result(result: ToolResult, where: str) -> None:
    content: Any = result.content
    if isinstance(content, str):
        return
    if not isinstance(content, Sequence) or isinstance(content, bytes | bytearray):
        msg = f"{where}: the content of a ToolResult is {_named(content)}; want a string or a list of parts"
        raise TypeError(msg)
    _require_parts(content, f"{where}: content")


def _require_parts(parts: Sequence[object], where: str) -> None:
    for number, part in enumerate(parts):
        if not isinstance(part, _PARTS):
            msg = f"{where}[{number}] is {_named(part)}; want a string or a part: Text, Image, Document, ..."
            raise TypeError(msg)


def _named(value: object) -> str:
    return a_or_an(type(value).__name__)


def _parts(content: Any, where: str) -> Sequence[Part]:
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(content),)
    if isinstance(content, Sequence):
        return [_part(part, f"{where}.content[{i}]") for i, part in enumerate(content)]
    msg = f"{where}.content is {_named(content)}; want a string or a list of parts"
    raise ValueError(msg)


def _result_content(content: Any, where: str) -> Any:
    if content is None or isinstance(content, str):
        return content or ""
    return tuple(_parts(content, where))


def _part(part: Any, where: str) -> Part:
    if not isinstance(part, Mapping):
        if isinstance(part, str):
            return Text(part)
        if isinstance(part, _PARTS):
            return part
        msg = f"{where} is {_named(part)}; want a part or a dict with a type"
        raise TypeError(msg)
    kind = part.get("type")
    if kind == "text":
        return Text(part["text"])
    if kind == "refusal":
        return Text(part["refusal"], refusal=True)
    if kind == "image_url":
        image = part["image_url"]
        url, detail = (image, None) if isinstance(image, str) else (image["url"], image.get("detail"))
        data, media_type = _data_url(url, where)
        return Image(data=data, url=None if data is not None else url, media_type=media_type, detail=detail)
    if kind == "input_audio":
        audio = part["input_audio"]
        return Audio(data=_base64(audio["data"], where), media_type=f"audio/{audio['format']}")
    if kind == "file" and "file_data" in part["file"]:
        file = part["file"]
        data, media_type = _data_url(file["file_data"], where)
        return Document(data=data, media_type=media_type, name=file.get("filename"))
    msg = f"{where} has the type {kind!r}; want text, image_url, input_audio, file or refusal (or a part object)"
    raise ValueError(msg)


def _data_url(url: str, where: str) -> tuple[bytes | None, str | None]:
    if not url.startswith("data:"):
        return None, None
    head, comma, body = url.partition(",")
    if not comma or not head.endswith(";base64"):
        msg = f"{where} has a data: address that is not base64"
        raise ValueError(msg)
    return _base64(body, where), head.removeprefix("data:").removesuffix(";base64") or None


def _base64(text: str, where: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        msg = f"{where} holds data that is not base64: {error}"
        raise ValueError(msg) from error


def _required(entry: Any, key: str, where: str) -> Any:
    """Give what a dict has to have.

    Raises:
        ValueError: It has it not, or is none.
    """
    if not isinstance(entry, Mapping) or entry.get(key) is None:
        msg = (
            f"{where} has no {key!r}"
            if isinstance(entry, Mapping)
            else f"{where} is {_named(entry)}; want a dict"
        )
        raise ValueError(msg)
    return entry[key]


def _tool_call(call: Any, where: str) -> ToolCall:
    function = _required(call, "function", where)
    number, name = _required(call, "id", where), _required(function, "name", f"{where}.function")
    raw = function.get("arguments") or ""
    if isinstance(raw, Mapping):
        return ToolCall(number, name, dict(raw))
    arguments, unparsed = parse_arguments(raw)
    return ToolCall(number, name, arguments, unparsed)
