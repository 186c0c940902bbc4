"""What a call may use, computed without translating it and without any I/O."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import attrs

from jackfield._contract.protocols import CostContext
from jackfield._types.content import Document, Image, Text, Thinking, ToolCall, ToolResult
from jackfield._types.cost import Cost
from jackfield._types.option_rules import UNSET
from jackfield._types.requests import CountRequest, EmbedRequest, RerankRequest
from jackfield._types.usage import Usage

from .tiers import requested_tier

if TYPE_CHECKING:
    from jackfield._types.calls import Call
    from jackfield._types.content import Message
    from jackfield._types.options import Options
    from jackfield._types.requests import Request

    from .connection import Connection
    from .relay import RelayRequest

__all__ = ["CallForecast", "RelayForecast"]

_OF_REQUEST: Final = 64
_OF_MESSAGE: Final = 16
_OF_TOOL: Final = 32
_OF_TOOLS: Final = 1_000
"""Tokens that services add: marks of turns, and the prompt that explains tools. Assumptions, on the high side: no service promises
a bound. For the prompt of tools, Anthropic's page https://docs.anthropic.com/es/docs/tool-use-pricing-and-tokens lists up to 530
tokens (Claude 3 Opus)."""
_MEDIA: Final = 5_000
"""Tokens of an image or a page of which only an address is known, or whose few bytes are many tokens."""
_CACHE: Final = "cache"
_MOST_TOKENS: Final[Mapping[str, tuple[str, ...]]] = {
    "openai.chat": ("max_completion_tokens", "max_tokens"),
    "openai.responses": ("max_output_tokens",),
}
"""Their names in the bodies of the surfaces that are relayed: what another surface calls so, a service may pass over."""
_MAX_TOKENS: Final = ("max_tokens",)
_CHOICES: Final = ("n", "best_of")
_STORED: Final = ("previous_response_id", "conversation", "prompt")
"""Fields of Responses by which the service adds to the input what it has stored."""
_MAY_ADD: Final = re.compile(rb'\\u00|url"|"(?:file_id|file_data|data|id)"')
"""What a body has that lets the service read more than the body; or a letter as an escape, which hides it."""
_INLINE: Final = ("data", "file_data")
_ELSEWHERE: Final = ("item_reference", "image_generation_call")
_NAMED_ALONE: Final = frozenset({"id", "type"})


_T = TypeVar("_T")


class _once(Generic[_T]):  # noqa: N801 -- a decorator
    """A property that is computed when it is first read. That of `functools` takes a lock in Python 3.11, for each forecast."""

    def __init__(self, compute: Callable[[Any], _T]) -> None:
        self._compute = compute
        self._name = compute.__name__
        self.__doc__ = compute.__doc__

    def __get__(self, instance: object, owner: type | None = None) -> _T:
        value = instance.__dict__[self._name] = self._compute(instance)
        return value


class CallForecast:
    """The forecast of a call that is translated."""

    def __init__(self, connection: Connection, call: Call) -> None:
        self._connection = connection
        self._call = call
        self._target = connection.find_target(call.model.id, call.kind)

    @_once
    def input_tokens(self) -> int:
        """See `Forecast`."""
        from .explain import estimate_tokens

        return estimate_tokens(self._call.request).input_tokens

    @_once
    def most_input_tokens(self) -> int:
        """See `Forecast`."""
        bound, limits = self._bound_of_input(), self._target.capabilities.limits
        window = limits.context_window
        if isinstance(self._call.request, EmbedRequest | RerankRequest):
            return bound if bound is not None else 0  # each text has a window of its own
        if bound is None:
            return window if window is not None else self.input_tokens + _MEDIA
        return bound if window is None else min(bound, window)

    @_once
    def most_output_tokens(self) -> int | None:
        """See `Forecast`."""
        if isinstance(self._call.request, EmbedRequest | RerankRequest | CountRequest):
            return 0
        asked = self._asked_output()
        if asked is None:
            limits = self._target.capabilities.limits
            asked = limits.context_window if limits.max_output_tokens is None else limits.max_output_tokens
        return None if asked is None else asked * self.choices

    @_once
    def choices(self) -> int:
        """See `Forecast`."""
        options: Options | None = getattr(self._call.request, "options", None)
        return 1 if options is None or options.n is UNSET else options.n

    @property
    def most_seconds(self) -> float | None:
        """See `Forecast`."""
        timeout = self._call.timeout
        return None if timeout is None else timeout.total

    def price(self, input_tokens: int, output_tokens: int) -> Cost:
        """See `Forecast`."""
        cost = self._price(Usage(input_tokens, output_tokens))
        if self._may_write_cache:
            written = Usage(
                input_tokens,
                output_tokens,
                cache_write_tokens=input_tokens,
                details={"cache_write_1h_tokens": input_tokens},
            )
            other = self._price(written)
            if other.amount is not None and (cost.amount is None or other.amount > cost.amount):
                return other
        return cost

    @_once
    def most_cost(self) -> Cost | None:
        """See `Forecast`."""
        if self.most_output_tokens is None:
            return None
        cost = self.price(self.most_input_tokens, self.most_output_tokens)
        return cost if cost.status == "complete" else None

    def _price(self, usage: Usage) -> Cost:
        connection, target = self._connection, self._target
        context = CostContext(
            when=time.time(),
            kind=self._call.kind,
            service_tier=requested_tier(self._choices_of_price, connection.config.headers),
            requested=self._choices_of_price,
            duration=self.most_seconds,
        )
        return connection.pricing.cost(target.model, target.entry, usage, context)

    @_once
    def _choices_of_price(self) -> Mapping[str, Any]:
        """What the caller adds to the body, on which a price may depend."""
        extra = _extra_of(self._call.request)
        return {name: value for part in extra.values() for name, value in part.items()} if extra else {}

    @_once
    def _may_write_cache(self) -> bool:
        request = self._call.request
        return any(
            getattr(part, _CACHE, None) is not None
            for message in getattr(request, "messages", ())
            for part in message.parts
        ) or _CACHE in str(_extra_of(request) or "")

    def _asked_output(self) -> int | None:
        options: Options | None = getattr(self._call.request, "options", None)
        return None if options is None or options.max_tokens is UNSET else options.max_tokens

    def _bound_of_input(self) -> int | None:
        return _bound_of(self._call.request)


class RelayForecast(CallForecast):
    """The forecast of a call whose request is a client's body."""

    def __init__(self, connection: Connection, call: Call, asked: RelayRequest) -> None:
        super().__init__(connection, call)
        self._asked = asked

    @_once
    def input_tokens(self) -> int:
        """See `Forecast`."""
        return -(-len(self._asked.body) // 4)

    @_once
    def choices(self) -> int:
        """See `Forecast`."""
        asked = max(1, *(_count(self._body.get(name)) for name in _CHOICES))
        return asked * _count_prompts(self._body.get("prompt")) if self._call.kind == "completion" else asked

    @_once
    def _body(self) -> Mapping[str, Any]:
        if self._asked.parsed is not None:
            return self._asked.parsed
        from jackfield._json import read_json

        body = read_json(self._asked.body)
        return body if isinstance(body, Mapping) else {}

    @property
    def _choices_of_price(self) -> Mapping[str, Any]:
        return {name: value for name, value in self._body.items() if isinstance(value, str | dict)}

    @_once
    def _may_write_cache(self) -> bool:
        return b'"cache_control"' in self._asked.body

    def _asked_output(self) -> int | None:
        # 0 and less are no limit: some services read them as "without end".
        names = _MOST_TOKENS.get(self._asked.surface, _MAX_TOKENS)
        return max((_count(self._body.get(name)) for name in names), default=0) or None

    def _bound_of_input(self) -> int | None:
        body = self._asked.body
        if self._asked.surface == "openai.responses" and any(self._body.get(name) for name in _STORED):
            return None
        media = _count_media(self._body) if _MAY_ADD.search(body) is not None else 0
        if media is None:
            return None
        return len(body) + media * _MEDIA + _OF_REQUEST + (_OF_TOOLS if self._body.get("tools") else 0)


def _count(value: object) -> int:
    """Return a count that a client wrote as a service may read it: lenient ones take texts and floats, too."""
    try:
        return max(0, int(float(value))) if isinstance(value, int | float | str) and value is not True else 0
    except (ValueError, OverflowError):
        return 0


def _count_prompts(prompt: object) -> int:
    """Return how many prompts a client of completions sends in one request: texts, or lists of tokens."""
    if not isinstance(prompt, list) or not prompt:
        return 1
    return 1 if isinstance(prompt[0], int) else len(prompt)


def _count_media(body: Mapping[str, Any]) -> int | None:
    """Return how many pictures and documents a body holds; None if the service fetches some, or has them already."""
    found, left = 0, [body]
    while left:
        value = left.pop()
        kind = value.get("type")
        if kind in _ELSEWHERE or "file_id" in value or ("id" in value and value.keys() <= _NAMED_ALONE):
            return None
        for name, one in value.items():
            if one.__class__ is str:
                if name.endswith("url") and one[:6].lower().startswith("http"):
                    return None
                found += name in _INLINE or (name.endswith("url") and one.startswith("data:"))
            elif one.__class__ is dict:
                if kind != "tool_use" or name != "input":  # what a model wants a tool to do
                    left.append(one)
            elif one.__class__ is list:
                left += _mappings_in(one)
    return found


def _mappings_in(values: list[Any]) -> list[Any]:
    """Return the objects of a list, those of lists in it included."""
    found, left = [], [values]
    while left:
        for one in left.pop():
            if one.__class__ is dict:
                found.append(one)
            elif one.__class__ is list:
                left.append(one)
    return found


def _extra_of(request: Request) -> Mapping[str, Mapping[str, Any]]:
    options = getattr(request, "options", request)
    extra: Mapping[str, Mapping[str, Any]] = getattr(options, "extra", {})
    return extra


def _bound_of(request: Request) -> int | None:
    """Return the most tokens of a request's input; None if the service adds what is not seen here."""
    if isinstance(request, EmbedRequest):
        return sum(map(_size, request.inputs)) + _OF_MESSAGE * len(request.inputs)
    if isinstance(request, RerankRequest):  # services read the query with each document
        return sum(map(_size, request.documents)) + len(request.documents) * (
            _size(request.query) + _OF_MESSAGE
        )
    options: Options = request.options
    if options.continue_from is not UNSET:
        return None
    bound = _OF_REQUEST + (0 if options.system is UNSET else _size(options.system))
    bound += sum(
        _size(value) for name in ("prompt", "text") if isinstance(value := getattr(request, name, None), str)
    )
    if options.tools is not UNSET and options.tools:
        bound += _OF_TOOLS + sum(
            _OF_TOOL + _size_of_value(attrs.asdict(tool, recurse=False)) for tool in options.tools
        )
    if isinstance(options.response_format, Mapping):
        bound += _size_of_value(options.response_format)
    messages: Iterable[Message] = getattr(request, "messages", ())
    for message in messages:
        bound += _OF_MESSAGE
        for part in message.parts:
            if type(part) is Text:
                bound += _size(part.text)
            else:
                size = _size_of_part(part)
                if size is None:
                    return None
                bound += size
    return bound


def _size_of_part(part: object) -> int | None:
    if isinstance(part, Text):
        return _size(part.text)
    if isinstance(part, Thinking):
        return _size(part.text) + (0 if part.data is None else _size_of_value(part.data))
    if isinstance(part, ToolCall):
        return _OF_TOOL + _size(part.name) + _size_of_value(part.arguments_raw or part.arguments)
    if isinstance(part, ToolResult):
        if isinstance(part.content, str):
            return _OF_TOOL + _size(part.content)
        sizes = [_size_of_part(piece) for piece in part.content]
        return None if None in sizes else _OF_TOOL + sum(filter(None, sizes))
    if isinstance(part, Document) and part.text is not None:
        return _size(part.text) + _OF_MESSAGE
    data = getattr(part, "data", None)
    if isinstance(data, bytes):
        return max(len(data), _MEDIA)
    if isinstance(part, Image):
        return _MEDIA
    return _size_of_value(data) if data is not None else None  # a file elsewhere may be of any length


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _size_of_value(value: object) -> int:
    return _size(value if isinstance(value, str) else json.dumps(value, default=_plain, ensure_ascii=False))


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else str(value)
