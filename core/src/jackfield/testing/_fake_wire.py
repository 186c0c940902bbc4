"""The wire of a fake provider: requests as plain JSON, and the decoder of its frames."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import attrs

from jackfield._contract.decoding import vector_reader
from jackfield._contract.protocols import FailureInStream
from jackfield._contract.translating import ParameterWriter
from jackfield._json import read_json
from jackfield._types import events as ev
from jackfield._types.capabilities import Capabilities, ModelRef
from jackfield._types.content import Message, RawPart, Thinking, Tool
from jackfield._types.errors import StreamInterruptedError, UnsupportedError
from jackfield._types.failures import Failure
from jackfield._types.options import PARAMETER_NAMES
from jackfield._types.parameters import Translation
from jackfield._types.requests import (
    EMBED_OPTIONS,
    RERANK_OPTIONS,
    ChatRequest,
    CompletionRequest,
    CountRequest,
    EmbedRequest,
    Request,
    RerankRequest,
    SummarizeRequest,
)
from jackfield._types.usage import Usage
from jackfield._types.wire import Frame, Head, Wire

__all__ = ["FakeDecoder", "meta_of", "translate"]

# What the core itself refuses (tools, images, streaming...) never comes here.
_FEATURE_BY_OPTION = {"parallel_tool_calls": "parallel_tool_calls", "dimensions": "dimensions"}


def translate(provider: str, model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Write a request as plain JSON, refusing what the capabilities deny."""
    body: dict[str, Any] = {"model": model.id}
    options: Any = request if isinstance(request, EmbedRequest | RerankRequest) else request.options
    given = options.given()
    writer = ParameterWriter(given, capabilities, options.unsupported, body, model=model.id)
    _write_input(provider, request, capabilities, writer)
    for name in dict.fromkeys((*PARAMETER_NAMES, *EMBED_OPTIONS, *RERANK_OPTIONS)):
        if name in given:
            _write_option(name, given[name], capabilities, writer)
    if request.stream:
        body["stream"] = True
    writer.merge_extra(options.extra, provider)
    wire = Wire(
        _OPERATIONS[type(request)],
        body,
        stream=request.stream,
        framing="jsonlines",
        meta=meta_of(model, request),
    )
    return Translation(wire, writer.finish())


def meta_of(model: ModelRef, request: Request) -> dict[str, Any]:
    """Return what a fake transport needs to answer a wire."""
    return {"request": request, "model": model.id}


_OPERATIONS: Mapping[type, str] = {
    ChatRequest: "chat",
    CompletionRequest: "completion",
    EmbedRequest: "embedding",
    SummarizeRequest: "summarization",
    RerankRequest: "rerank",
    CountRequest: "count",
}


def _write_input(
    provider: str, request: Request, capabilities: Capabilities, writer: ParameterWriter
) -> None:
    body = writer.body
    if isinstance(request, ChatRequest | CountRequest):
        if isinstance(request, CountRequest) and capabilities.lacks("count_tokens"):
            raise UnsupportedError("the model cannot count tokens", parameter="count_tokens")
        body["messages"] = [
            _message(provider, message, f"messages[{i}]", writer)
            for i, message in enumerate(request.messages)
        ]
    elif isinstance(request, CompletionRequest):
        body["prompt"] = request.prompt
    elif isinstance(request, SummarizeRequest):
        body["text"] = request.text
    elif isinstance(request, EmbedRequest):
        body["inputs"] = list(request.inputs)
    else:
        body["query"] = request.query
        body["documents"] = list(request.documents)


def _write_option(name: str, value: Any, capabilities: Capabilities, writer: ParameterWriter) -> None:
    feature = _FEATURE_BY_OPTION.get(name)
    if feature is not None and capabilities.lacks(feature):
        writer.take(name)
        writer.refuse(name, f"the model has no {feature}", value)
        return
    writer.put(name, convert=_CONVERTERS.get(name, _as_it_is))


def _as_it_is(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _tools(tools: tuple[Tool, ...]) -> list[dict[str, Any]]:
    return [attrs.asdict(tool, recurse=False) for tool in tools]


_CONVERTERS: Mapping[str, Callable[[Any], Any]] = {
    "tools": _tools,
    "reasoning": attrs.asdict,
    "continue_from": lambda answer: answer.id,
    "logit_bias": lambda bias: {str(token): value for token, value in bias.items()},
}


def _message(provider: str, message: Message, where: str, writer: ParameterWriter) -> dict[str, Any]:
    parts = []
    for part in message.parts:
        if isinstance(part, Thinking | RawPart) and part.provider != provider:
            writer.drop(where, f"{type(part).__name__} of another provider", part)
        else:
            parts.append({"type": type(part).__name__, **_plain(part)})
    named = {} if message.name is None else {"name": message.name}
    return {"role": message.role, "content": parts, **named}


def _plain(part: Any) -> dict[str, Any]:
    return attrs.asdict(part, value_serializer=_serialised, filter=_is_said)


def _is_said(attribute: attrs.Attribute[Any], value: Any) -> bool:
    del attribute
    return value is not None


def _serialised(owner: Any, attribute: Any, value: Any) -> Any:
    del owner, attribute
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


class FakeDecoder:
    """Read the frames of a fake answer: mappings, or the same as JSON.

    Args:
        model: Its id, for messages.
    """

    def __init__(self, model: str = "") -> None:
        self._model = model
        self._done = False
        self.lacks_end = False

    def start(self, head: Head) -> list[ev.Event]:
        """Handle the response head."""
        del head
        return []

    def feed(self, frame: Frame) -> list[ev.Event]:
        """Read one frame."""
        data = read_json(frame.data, halves=True) if isinstance(frame.data, bytes | str) else frame.data
        if isinstance(data, list):  # a whole answer
            return [event for entry in data for event in self._read(entry)]
        return self._read(data)

    def _read(self, data: Mapping[str, Any]) -> list[ev.Event]:
        kind = data["type"]
        if kind == "error":
            raise FailureInStream(
                Failure(status=data.get("status"), data=data, exception=data.get("exception"))
            )
        if kind == "done":
            self._done = True
            self.lacks_end = data.get("unmarked", False)
            return []
        make = _EVENTS.get(kind)
        return [ev.RawEvent(kind, data) if make is None else make(data)]

    def finish(self) -> list[ev.Event]:
        """Check that the end marker came."""
        if not self._done:
            raise StreamInterruptedError(
                "the fake answer ended without its end marker (it was scripted to be truncated)",
                model=self._model,
            )
        return []


def _usage(data: Mapping[str, Any]) -> ev.UsageUpdate:
    counts = {name: value for name, value in data.items() if name != "type"}
    units = {name: Decimal(value) for name, value in data.get("units", {}).items()}
    return ev.UsageUpdate(Usage(**{**counts, "units": units}))


_EVENTS: Mapping[str, Callable[[Mapping[str, Any]], ev.Event]] = {
    "started": lambda d: ev.Started(d.get("id"), d.get("model"), stored=d.get("stored")),
    "text": lambda d: ev.TextDelta(d["text"], d.get("choice", 0)),
    "thinking": lambda d: ev.ThinkingDelta(d["text"], d.get("choice", 0)),
    "tool_call": lambda d: ev.ToolCallStart(d["index"], d["id"], d["name"], d.get("choice", 0)),
    "tool_arguments": lambda d: ev.ToolCallDelta(d["index"], d["text"], d.get("choice", 0)),
    "tool_end": lambda d: ev.ToolCallEnd(d["index"], d.get("choice", 0)),
    "finish": lambda d: ev.Finish(d["reason"], d.get("choice", 0), raw=d["reason"]),
    "usage": _usage,
    "embedding": lambda d: ev.EmbeddingData(d["index"], vector_reader()(d["vector"])),
    "score": lambda d: ev.RerankScore(d["index"], d["score"]),
    "count": lambda d: ev.TokensCounted(d["input_tokens"]),
}
