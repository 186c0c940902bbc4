"""Replace personal data in a request by placeholders, and remember their values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import attrs

from jackfield import Audio, Document, Image, Message, Part, Text, ToolCall, ToolResult
from jackfield.plugin import (
    UNSET,
    ChatRequest,
    CompletionRequest,
    CountRequest,
    EmbedRequest,
    Request,
    RerankRequest,
    SummarizeRequest,
)

from ._recognizers import Finder

__all__ = ["Change", "Redaction", "map_texts", "redact", "size_of"]

Change: TypeAlias = Callable[[str], str]

_PLACEHOLDER: Final = re.compile(r"<[A-Z][A-Z0-9_]*_\d+>")
_LONG_NUMBER: Final = 10**8
_LONGEST_NUMBER: Final = 10**40
"""Numbers with fewer or more digits are not searched."""


class Redaction:
    """The findings in one request.

    The same value has the same placeholder everywhere, and placeholders are numbered in order: equal requests become
    equal again, which a cache behind the guard needs.

    Attributes:
        counts: How often each kind was found.
        unreadable: The number of parts that could not be searched, by kind.
        values: The value of each placeholder.
    """

    def __init__(self, find: Finder, taken: frozenset[str]) -> None:
        self._find = find
        self._taken = taken
        self._placeholders: dict[tuple[str, str], str] = {}
        self._numbers: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.unreadable: Counter[str] = Counter()
        self.values: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        """Return a text with placeholders instead of personal data."""
        pieces, end = [], 0
        for found in self._find(text):
            self.counts[found.entity] += 1
            pieces += [
                text[end : found.start],
                self._placeholder(found.entity, text[found.start : found.end]),
            ]
            end = found.end
        return "".join([*pieces, text[end:]]) if pieces else text

    def _placeholder(self, entity: str, value: str) -> str:
        known = self._placeholders.get((entity, value))
        if known is None:
            while True:  # a placeholder that the caller wrote keeps its meaning
                self._numbers[entity] += 1
                known = f"<{entity}_{self._numbers[entity]}>"
                if known not in self._taken:
                    break
            self._placeholders[entity, value] = known
            self.values[known] = value
        return known


def redact(request: Request, find: Finder) -> tuple[Request, Redaction]:
    """Return a copy of a request without personal data, and what was found."""
    taken: set[str] = set()
    _read(request, lambda text: taken.update(_PLACEHOLDER.findall(text)))
    redaction = Redaction(find, frozenset(taken))
    return _Walk(redaction, redaction.unreadable).request(request), redaction


def size_of(request: Request) -> int:
    """Return the number of characters that would be searched."""
    sizes: list[int] = []
    _read(request, lambda text: sizes.append(len(text)))
    return sum(sizes)


def _read(request: Request, look: Callable[[str], object]) -> None:
    def unchanged(text: str) -> str:
        look(text)
        return text

    _Walk(unchanged, Counter()).request(request)


@attrs.frozen
class _Walk:
    """Apply a function to every text of a request.

    Opaque data is not changed: thinking, which is sent back byte for byte, raw parts, `extra`, ids. Neither is what the
    program wrote, tools and the schema of an answer, nor an address from which the service fetches something.
    """

    change: Change
    unreadable: Counter[str]

    def request(self, request: Request) -> Request:
        if isinstance(request, ChatRequest | CountRequest):
            return attrs.evolve(
                request,
                messages=tuple(self.message(message) for message in request.messages),
                options=self.options(request.options),
            )
        if isinstance(request, CompletionRequest):
            return attrs.evolve(
                request, prompt=self.change(request.prompt), options=self.options(request.options)
            )
        if isinstance(request, SummarizeRequest):
            return attrs.evolve(
                request, text=self.change(request.text), options=self.options(request.options)
            )
        if isinstance(request, EmbedRequest):
            user = request.user if request.user is UNSET else self.change(request.user)
            return attrs.evolve(request, inputs=tuple(map(self.change, request.inputs)), user=user)
        return self.rerank(request)

    def rerank(self, request: RerankRequest) -> RerankRequest:
        query = self.change(request.query)
        return attrs.evolve(request, query=query, documents=tuple(map(self.change, request.documents)))

    def options(self, options: Any) -> Any:
        texts = {name: getattr(options, name) for name in ("system", "suffix", "user")}
        given: dict[str, Any] = {name: self.change(text) for name, text in texts.items() if text is not UNSET}
        if options.stop is not UNSET:  # the model writes placeholders, so it stops at them
            given["stop"] = tuple(map(self.change, options.stop))
        return attrs.evolve(options, **given) if given else options

    def message(self, message: Message) -> Message:
        name = self.change(message.name) if isinstance(message.name, str) else message.name
        return attrs.evolve(message, parts=tuple(self.part(part) for part in message.parts), name=name)

    def part(self, part: Part) -> Part:
        if isinstance(part, Text):
            return attrs.evolve(part, text=self.change(part.text))
        if isinstance(part, Document):
            return self.document(part)
        if isinstance(part, ToolCall):
            raw = None if part.arguments_raw is None else self.change(part.arguments_raw)
            return attrs.evolve(part, arguments=map_texts(part.arguments, self.change), arguments_raw=raw)
        if isinstance(part, ToolResult):
            return attrs.evolve(part, content=self.content(part.content))
        if isinstance(part, Image | Audio):
            self.unreadable[type(part).__name__.lower()] += 1
        return part

    def content(self, content: str | Sequence[Text | Image | Document]) -> Any:
        if isinstance(content, str):
            return self.change(content)
        return tuple(self.part(part) for part in content)

    def document(self, part: Document) -> Document:
        name = None if part.name is None else self.change(part.name)
        if part.text is not None:
            return attrs.evolve(part, text=self.change(part.text), name=name)
        if part.data is not None and (part.media_type or "").startswith("text/"):
            try:
                text = part.data.decode("utf-8")
            except UnicodeDecodeError:
                pass
            else:
                return attrs.evolve(part, data=self.change(text).encode(), name=name)
        self.unreadable["document"] += 1
        return attrs.evolve(part, name=name)


def map_texts(value: Any, change: Change) -> Any:
    """Apply a function to every text of a JSON value, keys included; a number that is changed becomes a text."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, int) and _LONG_NUMBER <= abs(value) < _LONGEST_NUMBER:
        text = str(value)
        changed = change(text)
        return value if changed == text else changed
    if isinstance(value, Mapping):
        return {
            change(key) if isinstance(key, str) else key: map_texts(one, change) for key, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [map_texts(one, change) for one in value]
    return value
