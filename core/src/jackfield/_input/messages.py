"""Read messages as callers write them: objects, or plain dicts the way the OpenAI chat API shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs

from jackfield._hints import hint
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
from jackfield._types.dicts import check_keys, describe, dict_at, optional_text_at, required_at, text_at
from jackfield._types.media import media_type_of, read_base64, split_data_url

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
_WITH_FILES = frozenset((Image, Audio, Document, ToolResult))
_KEYS = ("role", "content", "name", "tool_calls", "tool_call_id", "refusal")
_NOTHING = (
    "audio",
    "function_call",
    "annotations",
    "reasoning_content",
    "reasoning",
    "cache_control",
    "prefix",
    "weight",
    "id",
)
"""Keys that OpenAI's library and services of its dialect write into messages, also where there is nothing in them."""


def normalise_messages(messages: str | Sequence[MessageLike]) -> tuple[Message, ...]:
    """Turn what a caller wrote into messages.

    Args:
        messages: A string (one user turn), or a list of `Message`, `ToolResult` (a tool turn of its own;
            neighbours are joined into one) and plain dicts.

    Raises:
        TypeError: It is none of these, nor is an entry, or a message holds what is not a part.
        ValueError: A role is missing or unknown, or a dict has a key that is.
    """
    if isinstance(messages, str):
        return (Message("user", messages),)
    if type(messages) is not list:
        _require_several(messages)
    result: list[Message] = []
    entries: Sequence[object] = messages
    for index, entry in enumerate(entries):
        if (
            type(entry) is dict
        ):  # asked first: the general question to an abstract class costs more than the rest
            result.append(message_from_dict(entry, where=f"messages[{index}]"))
        elif isinstance(entry, Message):
            result.append(_checked(entry, index))
        elif isinstance(entry, ToolResult):
            answer = entry
            if type(entry.content) is not str:
                _require_result(entry, f"messages[{index}]")
                answer = _usual_result(entry, f"messages[{index}]")
            if result and result[-1].role == "tool":
                result[-1] = attrs.evolve(result[-1], parts=(*result[-1].parts, answer))
            else:
                result.append(Message("tool", (answer,)))
        elif isinstance(entry, Mapping):
            result.append(message_from_dict(entry, where=f"messages[{index}]"))
        elif callable(getattr(entry, "model_dump", None)):
            result.append(message_from_dict(_dumped(entry, f"messages[{index}]"), where=f"messages[{index}]"))
        else:  # callers without a type checker
            pair = '; write a pair as {"role": ..., "content": ...}' if isinstance(entry, tuple) else ""
            msg = f"messages[{index}] is {describe(entry)}; want Message, ToolResult or a dict{pair}"
            raise TypeError(msg)
    return tuple(result)


def message_from_dict(entry: Mapping[str, Any], *, where: str) -> Message:
    """Turn `{"role", "content"}` (and OpenAI's `tool_calls`, `tool_call_id`, `name`) into a `Message`.

    Raises:
        ValueError: A key or the role is unknown, or the content is of an unknown form.
    """
    content, said = entry.get("content"), entry.get("role", "")
    role = _ROLES.get(said) if isinstance(said, str) else None
    if len(entry) == 2 and type(content) is str and role is not None and role != "tool":
        return Message(role, (Text(content),))  # fast path: nearly every entry is a role and a text
    if role is None:
        raise _unknown_role(entry.get("role"), where)
    check_keys(entry, _KEYS, where, nothing=_NOTHING)
    name = optional_text_at(entry, "name", where)
    if role == "tool":
        answered = text_at(entry, "tool_call_id", where)
        return Message("tool", (ToolResult(answered, _result_content(content, where), name=name),))
    if content is None and role != "assistant":  # an assistant's may hold calls of tools alone
        required_at(entry, "content", where)
    parts = list(_parts(content, where))
    refusal = optional_text_at(entry, "refusal", where)
    if refusal:
        parts.append(Text(refusal, refusal=True))
    calls = entry.get("tool_calls")
    if calls is not None and (not isinstance(calls, Sequence) or isinstance(calls, str)):
        msg = f"{where}.tool_calls is {describe(calls)}; want a list"
        raise ValueError(msg)
    for index, call in enumerate(calls or ()):
        parts.append(_tool_call(call, f"{where}.tool_calls[{index}]"))
    return Message(role, tuple(parts), name=name)


def _dumped(entry: Any, where: str) -> Mapping[str, Any]:
    """Return a message of OpenAI's library, or of another that is built on pydantic, as a dict."""
    try:
        value = entry.model_dump(exclude_none=True)
    except Exception as error:
        msg = f"{where} is {describe(entry)} that cannot be made a dict: {error}"
        raise TypeError(msg) from error
    if not isinstance(value, Mapping):
        msg = f"{where} is {describe(entry)}, whose model_dump gives {describe(value)}; want a dict"
        raise TypeError(msg)
    return value


def _require_several(messages: object) -> None:
    """Refuse a single message: a dict and bytes would be read as lists of their keys and numbers."""
    if isinstance(messages, (Mapping, bytes, bytearray)) or not isinstance(messages, Iterable):
        msg = f"want a string or a list of messages, got {describe(messages)}"
        raise TypeError(msg)


def _checked(message: Message, index: int) -> Message:
    """Return a message whose parts are parts, and whose files have their usual form."""
    if message.role not in _OBJECT_ROLES:
        raise _unknown_role(message.role, f"messages[{index}]")
    has_files = False
    for part in message.parts:
        # a set of types asked first: subclasses are rare, and this is done for each part of a history
        if type(part) not in _PART_TYPES:
            _require_parts(message.parts, f"messages[{index}].parts")
        elif type(part) is ToolResult and type(part.content) is not str:
            _require_result(part, f"messages[{index}]")
        elif type(part) is ToolCall and type(part.arguments) is not dict:
            _require_arguments(part, f"messages[{index}]")
        has_files = has_files or type(part) in _WITH_FILES
    if not has_files:
        return message
    parts = tuple(_usual_part(part, f"messages[{index}].parts[{n}]") for n, part in enumerate(message.parts))
    same = all(new is old for new, old in zip(parts, message.parts, strict=True))
    return message if same else attrs.evolve(message, parts=parts)


def _usual_part(part: Part, where: str) -> Part:
    if isinstance(part, Image | Audio | Document):
        return part if isinstance(part, Document) and part.text is not None else _usual(part, where)
    if isinstance(part, ToolResult):
        return _usual_result(part, where)
    return part


def _usual_result(result: ToolResult, where: str) -> ToolResult:
    if isinstance(result.content, str):
        return result
    content: Any = tuple(_usual_part(part, f"{where}.content[{n}]") for n, part in enumerate(result.content))
    same = all(new is old for new, old in zip(content, result.content, strict=True))
    return result if same else attrs.evolve(result, content=content)


def _unknown_role(role: object, where: str) -> ValueError:
    meant = hint(role, _ROLES) if isinstance(role, str) else ""
    return ValueError(f"{where} has the role {role!r}; want one of {', '.join(_ROLES)}{meant}")


def _require_result(result: ToolResult, where: str) -> None:
    content: Any = result.content
    if isinstance(content, str):
        return
    if not isinstance(content, Sequence) or isinstance(content, bytes | bytearray):
        msg = f"{where}: the content of a ToolResult is {describe(content)}; want a string or a list of parts"
        raise TypeError(msg)
    _require_parts(content, f"{where}: content")


def _require_arguments(call: ToolCall, where: str) -> None:
    arguments: Any = call.arguments
    if not isinstance(arguments, Mapping):
        msg = (
            f"{where}: the arguments of the ToolCall {call.name!r} are {describe(arguments)}; want a dict "
            "(or a dict message, whose arguments may be JSON text)"
        )
        raise TypeError(msg)


def _require_parts(parts: Sequence[object], where: str) -> None:
    for number, part in enumerate(parts):
        if not isinstance(part, _PARTS):
            msg = (
                f"{where}[{number}] is {describe(part)}; want a string or a part: Text, Image, Document, ..."
            )
            raise TypeError(msg)


def _parts(content: Any, where: str) -> Sequence[Part]:
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(content),)
    if isinstance(content, Sequence):
        return [_part(part, f"{where}.content[{i}]") for i, part in enumerate(content)]
    msg = f"{where}.content is {describe(content)}; want a string or a list of parts"
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
            return _usual_part(part, where)
        msg = f"{where} is {describe(part)}; want a part or a dict with a type"
        raise TypeError(msg)
    kind = required_at(part, "type", where)
    form = _FORMS.get(kind) if isinstance(kind, str) else None
    if form is None:
        meant = hint(kind, _FORMS) if isinstance(kind, str) else ""
        msg = f"{where} has the type {kind!r}; want {', '.join(_FORMS)} (or a part object){meant}"
        raise ValueError(msg)
    # The key of what a part holds is its type.
    check_keys(part, ("type", kind), where)
    return form(part, where)


def _text_part(part: Mapping[str, Any], where: str) -> Part:
    return Text(text_at(part, "text", where))


def _refusal_part(part: Mapping[str, Any], where: str) -> Part:
    return Text(text_at(part, "refusal", where), refusal=True)


def _image_part(part: Mapping[str, Any], where: str) -> Part:
    url, detail = part.get("image_url"), None
    if not isinstance(url, str):
        image, place = dict_at(part, "image_url", where, ("url", "detail")), f"{where}.image_url"
        url, detail = text_at(image, "url", place), optional_text_at(image, "detail", place)
    return _usual(Image(url=url, detail=detail), where)


def _audio_part(part: Mapping[str, Any], where: str) -> Part:
    audio, place = dict_at(part, "input_audio", where, ("data", "format")), f"{where}.input_audio"
    form = text_at(audio, "format", place)
    kind, data = form if "/" in form else f"audio/{form}", text_at(audio, "data", place)
    if data[:5].lower() == "data:":
        return _usual(Audio(url=data, media_type=kind), place)
    return Audio(data=_base64(data, place), media_type=kind)


def _file_part(part: Mapping[str, Any], where: str) -> Part:
    file, place = dict_at(part, "file", where, ("file_data", "filename")), f"{where}.file"
    data, name = text_at(file, "file_data", place), optional_text_at(file, "filename", place)
    if data[:5].lower() != "data:":
        msg = f"{place}.file_data is not a data: address (data:application/pdf;base64,...)"
        raise ValueError(msg)
    return _usual(Document(url=data, name=name), place)


_FORMS: Mapping[str, Callable[[Mapping[str, Any], str], Part]] = {
    "text": _text_part,
    "image_url": _image_part,
    "input_audio": _audio_part,
    "file": _file_part,
    "refusal": _refusal_part,
}


def _usual(part: Image | Audio | Document, where: str) -> Part:
    """Return a file with the data that its `data:` address holds, and its media type in the usual spelling."""
    changed: dict[str, Any] = {}
    data, told = part.data, part.media_type
    if part.url is not None:
        try:
            found = split_data_url(part.url)
        except ValueError as error:
            msg = f"{where}: {error}"
            raise ValueError(msg) from error
        if found is not None:
            data, told = found[0], told or found[1]
            changed = {"data": data, "url": None}
    kind = media_type_of(told, data, part.name if isinstance(part, Document) else None)
    if kind != part.media_type and (data is not None or kind is not None):
        changed["media_type"] = kind
    return attrs.evolve(part, **changed) if changed else part


def _base64(text: str, where: str) -> bytes:
    try:
        return read_base64(text)
    except ValueError as error:
        msg = f"{where}: {error}"
        raise ValueError(msg) from error


def _tool_call(call: Any, where: str) -> ToolCall:
    if not isinstance(call, Mapping):
        msg = f"{where} is {describe(call)}; want a dict"
        raise ValueError(msg)  # noqa: TRY004 -- one class for whatever is wrong with a dict
    check_keys(call, ("id", "type", "function", "index"), where)
    kind = call.get("type")
    if kind not in (None, "function"):
        msg = f"{where} has the type {kind!r}; want function"
        raise ValueError(msg)
    function = dict_at(call, "function", where, ("name", "arguments"))
    number, name = text_at(call, "id", where), text_at(function, "name", f"{where}.function")
    raw = function.get("arguments") or ""
    if isinstance(raw, Mapping):
        return ToolCall(number, name, dict(raw))
    if not isinstance(raw, str):
        msg = f"{where}.function.arguments is {describe(raw)}; want a string or a dict"
        raise ValueError(msg)  # noqa: TRY004 -- as above
    arguments, unparsed = parse_arguments(raw)
    return ToolCall(number, name, arguments, unparsed)
