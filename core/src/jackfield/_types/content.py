"""What a conversation is made of: messages, their parts, tools."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

from jackfield._faces import show_in
from jackfield._values import Value, field, frozen

from .dicts import check_keys, dict_at, optional_text_at, text_at

__all__ = [
    "Audio",
    "Document",
    "Image",
    "Message",
    "MessageLike",
    "Part",
    "RawPart",
    "Role",
    "Text",
    "Thinking",
    "Tool",
    "ToolCall",
    "ToolResult",
    "parse_arguments",
]

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
_AROUND = "\0\ufeff\u200b"
"""What is no white space to Python and stands around JSON all the same."""
_NO_ARGUMENTS: tuple[Any, ...] = (None, [])
"""What may be an integer beyond 64 bits: an id, an amount in the smallest unit of a coin."""

ProviderData: TypeAlias = Mapping[str, Any]
"""What one provider wants back as it gave it, by provider id; other providers never see it."""


@frozen(slots=False)
class Text(Value):
    """Plain text.

    Attributes:
        text: The text.
        cache: Marks the end of a prefix worth caching: a lifetime such as "5m" or "1h".
        refusal: The text says why the model declined.
        provider_data: Opaque, by provider id.
    """

    text: str
    cache: str | None = None
    refusal: bool = False
    provider_data: ProviderData | None = None


@frozen
class Image(Value):
    """A picture, as bytes or by address (exactly one of the two).

    Attributes:
        data: The file's bytes.
        url: Where the service can fetch it (http, https, or a scheme the provider knows such as gs).
        media_type: Such as "image/png"; needed with `data`.
        detail: "auto", "low" or "high", where the model has such a thing.
        cache: See `Text.cache`.
    """

    data: bytes | None = field(default=None, repr=False)
    url: str | None = None
    media_type: str | None = None
    detail: str | None = None
    cache: str | None = None

    def __attrs_post_init__(self) -> None:
        _exactly_one_source(self.data, self.url, "Image")


@frozen
class Audio(Value):
    """A recording, as bytes or by address.

    Attributes:
        data: The file's bytes.
        url: Where the service can fetch it.
        media_type: Such as "audio/wav" or "audio/mpeg".
    """

    data: bytes | None = field(default=None, repr=False)
    url: str | None = None
    media_type: str | None = None

    def __attrs_post_init__(self) -> None:
        _exactly_one_source(self.data, self.url, "Audio")


@frozen
class Document(Value):
    """A document: a file's bytes, an address, or plain text (exactly one of the three).

    Attributes:
        data: The file's bytes.
        url: Where the service can fetch it.
        text: Its text.
        media_type: Such as "application/pdf"; "text/plain" if absent with `text`.
        name: A title or file name.
        citations: The answer shall cite it, where the model can.
        cache: See `Text.cache`.
    """

    data: bytes | None = field(default=None, repr=False)
    url: str | None = None
    text: str | None = None
    media_type: str | None = None
    name: str | None = None
    citations: bool = False
    cache: str | None = None

    def __attrs_post_init__(self) -> None:
        if sum(source is not None for source in (self.data, self.url, self.text)) != 1:
            msg = "a Document wants exactly one of data, url and text"
            raise ValueError(msg)


@frozen
class Thinking(Value):
    """A model's thinking, tied to the model that thought it.

    Replayed byte for byte to the same provider; dropped and reported for any other.

    Attributes:
        text: What may be read; "" where the provider shows nothing.
        provider: The provider that made it.
        model: The model that made it.
        data: Opaque: signatures, encrypted content, ids.
    """

    text: str
    provider: str | None = None
    model: str | None = None
    data: Mapping[str, Any] | None = field(default=None, repr=False)


@frozen
class ToolCall(Value):
    """A model's wish to have a tool called.

    Attributes:
        id: What the result must name.
        name: The tool.
        arguments: The arguments; {} if they could not be parsed.
        arguments_raw: The text that was sent as arguments if it is not a JSON object, else None.
        provider_data: Opaque, by provider id (thought signatures).
    """

    id: str
    name: str
    arguments: Mapping[str, Any]
    arguments_raw: str | None = None
    provider_data: ProviderData | None = field(default=None, repr=False)


def parse_arguments(text: str) -> tuple[Mapping[str, Any], str | None]:
    """Read a tool call's arguments.

    Nothing, `null`, `""` and `[]` are no arguments (languages without objects write an empty one so). An object that some
    servers write as JSON once more, as a string, is that object.

    Returns:
        The arguments, and None; or {} and the text itself if it is not a JSON object.
    """
    from jackfield._json import read_exactly, whole_text

    bare = text.strip().strip(_AROUND).strip()
    if not bare:
        return {}, None
    try:
        value = read_exactly(bare)
    except ValueError:
        return {}, whole_text(text)
    if isinstance(value, str):
        inner, broken = parse_arguments(value)
        return (inner, None) if broken is None else ({}, whole_text(text))
    if isinstance(value, dict):
        return value, None
    return {}, None if value in _NO_ARGUMENTS else whole_text(text)


@frozen
class ToolResult(Value):
    """What a tool gave.

    Attributes:
        tool_call_id: The call it answers.
        content: Text, or parts.
        is_error: The tool failed.
        name: The tool's name, for services that want it.
        cache: See `Text.cache`.
    """

    tool_call_id: str
    content: str | Sequence[Text | Image | Document] = ""
    is_error: bool = False
    name: str | None = None
    cache: str | None = None

    @property
    def text(self) -> str:
        """The text of the content, parts joined."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content if isinstance(part, Text))


@frozen
class RawPart(Value):
    """A part that only one provider understands, as its wire shows it.

    Made by decoders for what has no neutral form (a server tool's result, code execution), and by
    callers for what we do not name. Sent back to the same provider as it is; dropped and reported for others.

    Attributes:
        provider: Provider id.
        data: JSON-able.
    """

    provider: str
    data: Mapping[str, Any]


Part: TypeAlias = Text | Image | Audio | Document | Thinking | ToolCall | ToolResult | RawPart

_PARTS: Final = frozenset({Text, Image, Audio, Document, Thinking, ToolCall, ToolResult, RawPart})


def _parts(value: str | Part | Iterable[str | Part]) -> tuple[Part, ...]:
    if value.__class__ is tuple and _PARTS.issuperset(map(type, value)):
        return value  # seen by its class, which costs less than `isinstance`
    if isinstance(value, str):
        return (Text(value),)
    if isinstance(value, tuple | list):
        return tuple([Text(part) if isinstance(part, str) else part for part in value])
    if isinstance(value, Iterable):
        return tuple(Text(part) if isinstance(part, str) else part for part in value)
    return (value,)


@frozen(slots=False)
class Message(Value):
    """One turn of a conversation.

    Attributes:
        role: "system", "user", "assistant" or "tool".
        parts: A tuple of parts; a string stands for one `Text`.
        name: A participant's name, where the service knows such.
    """

    role: Role
    parts: tuple[Part, ...] = field(converter=_parts)
    name: str | None = None

    @property
    def text(self) -> str:
        """The text parts joined; refusals left out."""
        parts = self.parts
        if len(parts) == 1 and parts[0].__class__ is Text and not parts[0].refusal:
            return parts[0].text  # fast path: most answers are one text
        return "".join(part.text for part in parts if isinstance(part, Text) and not part.refusal)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls among the parts."""
        return tuple(part for part in self.parts if isinstance(part, ToolCall))


@frozen
class Tool(Value):
    """A tool that a model may ask for.

    Attributes:
        name: Letters, digits, `_` and `-`.
        description: What it does and when to use it.
        parameters: JSON schema of the arguments, an object schema.
        strict: Arguments must follow the schema exactly, where the service can promise it.
        cache: See `Text.cache`.
    """

    name: str
    description: str | None = None
    parameters: Mapping[str, Any] = field(factory=lambda: {"type": "object", "properties": {}})
    strict: bool | None = None
    cache: str | None = None

    @classmethod
    def from_dict(cls, value: Mapping[str, Any], *, where: str = "a tool dict") -> Tool:
        """Read an OpenAI tool dict, with or without its `{"type": "function"}` wrapper.

        Args:
            value: The dict.
            where: What errors call it.

        Raises:
            ValueError: The dict is not one of a function.
        """
        kind = value.get("type", "function")
        if kind != "function":
            msg = f"{where} has the type {kind!r}; want function"
            raise ValueError(msg)
        if "function" in value:
            check_keys(value, ("type", "function"), where)
            value, where = dict_at(value, "function", where, _TOOL_KEYS), f"{where}.function"
        else:
            check_keys(value, ("type", *_TOOL_KEYS), where)
        parameters = value.get("parameters")
        return cls(
            name=text_at(value, "name", where),
            description=optional_text_at(value, "description", where),
            parameters={"type": "object", "properties": {}} if parameters is None else parameters,
            strict=value.get("strict"),
        )


_TOOL_KEYS: Final = ("name", "description", "parameters", "strict")


def _exactly_one_source(data: bytes | None, url: str | None, what: str) -> None:
    if (data is None) == (url is None):
        msg = f"an {what} wants exactly one of data and url"
        raise ValueError(msg)


MessageLike: TypeAlias = Message | ToolResult | Mapping[str, Any]
"""What a conversation may be written as: a message, a tool's result, or a dict with `role` and `content`."""


show_in("jackfield", Audio, Document, Image, Message, RawPart, Text, Thinking, Tool, ToolCall, ToolResult)
