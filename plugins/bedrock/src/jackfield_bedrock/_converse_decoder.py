"""Converse: the answer, streamed or whole; also of Nova's own body, whose events come unnamed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Final

import orjson

from jackfield import (
    Citation,
    CitationDelta,
    Event,
    Finish,
    FinishReason,
    MalformedResponseError,
    PartAdded,
    RawEvent,
    RawPart,
    Started,
    StreamInterruptedError,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    UsageUpdate,
)
from jackfield.plugin import Failure, FailureInStream, Frame, Head

from ._converse_fast_path import ANSWER, STOPS, read_text_answer
from ._guardrails import INTERVENED, fail_blocked, is_blocked
from ._usage import read_usage

__all__ = ["ConverseDecoder", "fail_by_frame"]

_SERVER: Final = "server_tool_use"


def fail_by_frame(frame: Frame) -> None:
    """Raise the error that a frame of an event stream holds, if it is no event.

    Raises:
        FailureInStream: It holds one.
    """
    headers = frame.headers or {}
    if headers.get(":message-type", "event") == "event":
        return
    try:
        data = orjson.loads(frame.data) if frame.data else {}
    except orjson.JSONDecodeError:
        data = {"message": frame.data.decode("utf-8", "replace")}
    if ":error-message" in headers:
        data = {"message": headers[":error-message"], **(data if isinstance(data, dict) else {})}
    raise FailureInStream(Failure(status=200, body=frame.data, in_stream=True, data=data, event=frame.event))


class ConverseDecoder:
    """Reads one answer. A stream ends with `messageStop`; `metadata` comes after it.

    Args:
        json_tool: The tool through which an answer in JSON comes; its arguments are the text.
        stream: The answer was asked for as a stream.
    """

    def __init__(self, json_tool: str | None = None, *, stream: bool) -> None:
        self._json_tool = json_tool
        self._stream = stream
        self._calls: dict[int, int] = {}
        self._other_calls = False
        self._answers: set[int] = set()  # blocks that hold the answer in JSON
        self._server: dict[int, dict[str, Any]] = {}
        self._cited: dict[int, list[Any]] = {}
        self._said: list[str] = []
        self._stopped = False
        self._stop: str | None = None
        self._detail: Any = None
        self._ended = False
        self._trace: Any = None

    def start(self, head: Head) -> list[Event]:
        """Hear that the answer began; its id is in a header."""
        return [Started(head.headers.get("x-amzn-requestid"))]

    def feed(self, frame: Frame) -> list[Event]:
        """Read one event of a stream, or a whole answer."""
        if frame.event == "contentBlockDelta":  # fast path: nearly every event of a stream is a piece of text
            event = orjson.loads(frame.data)
            delta = event["delta"]
            text = delta.get("text") if len(delta) == 1 else None
            if text is not None and self._json_tool is None:
                return [TextDelta(text, 0, event.get("contentBlockIndex", 0))]
            return list(self._block_delta(event))
        fail_by_frame(frame)
        event = orjson.loads(frame.data)
        if not isinstance(event, dict):
            raise MalformedResponseError("the answer is no JSON object", body=frame.data)
        name = frame.event
        if name is None:
            if "output" in event:
                return self._short(event) or list(self._whole(event))
            name = next((key for key in self._readers if key in event), None)
            if name is None:
                self._fail_by_key(event, frame)
                if self._stream:  # services add events without asking
                    return [RawEvent(next(iter(event), "empty"), event)]
                raise MalformedResponseError(
                    f"the answer has no output; it has {', '.join(event) or 'nothing'}"
                )
            event = event[name]
        reader = self._readers.get(name)
        return [RawEvent(name, event)] if reader is None else list(reader(self, event))

    def finish(self) -> list[Event]:
        """Check that the answer has its end, and that no guardrail stopped it.

        Raises:
            StreamInterruptedError: A stream has no end.
            FailureInStream: A guardrail stopped the answer.
        """
        if not self._stopped:
            if self._stream:
                raise StreamInterruptedError("the stream ended before messageStop; ask again")
            raise MalformedResponseError("the answer has no stopReason")
        if self._stop == INTERVENED and not self._ended and is_blocked(self._trace):
            fail_blocked("".join(self._said), self._trace)
        return [] if self._ended else list(self._finish())

    def _nothing(self, event: Mapping[str, Any]) -> Iterator[Event]:
        return iter(())

    def _fail_by_key(self, event: Mapping[str, Any], frame: Frame) -> None:
        """Raise an exception that stands as the key of an event (Nova's own body; parsed streams)."""
        name = next((key for key in event if key.endswith("Exception")), None)
        if name is not None:
            raise FailureInStream(
                Failure(status=200, body=frame.data, in_stream=True, data=event[name], event=name)
            )

    def _block_start(self, event: Mapping[str, Any]) -> Iterator[Event]:
        index, start = event.get("contentBlockIndex", 0), _told(event.get("start"))
        call = start.get("toolUse")
        if call is not None and call.get("type") != _SERVER:
            yield from self._call(index, call)
            return
        for name, told in start.items():
            self._server[index] = {name: dict(told)}

    def _call(self, index: int, call: Mapping[str, Any]) -> Iterator[Event]:
        if call["name"] == self._json_tool:
            self._answers.add(index)
            return
        self._other_calls = True
        self._calls[index] = number = len(self._calls)
        yield ToolCallStart(number, call["toolUseId"], call["name"])

    def _block_delta(self, event: Mapping[str, Any]) -> Iterator[Event]:
        index = event.get("contentBlockIndex", 0)
        for name, told in _told(event.get("delta")).items():
            if name == "text":
                yield from self._text(told, index)
            elif name == "toolUse":
                yield from self._arguments(told.get("input") or "", index)
            elif name == "reasoningContent":
                yield self._thought(told, index)
            elif name == "citation":
                yield CitationDelta(_citation(told))
                self._cited.setdefault(index, []).append(told)
            elif index in self._server:
                self._collect(index, name, told)
            else:
                yield RawEvent(f"contentBlockDelta.{name}", event)

    def _text(self, text: str, index: int) -> Iterator[Event]:
        """Give text; where the answer comes as JSON through a tool, what is said beside it is no part of it."""
        if self._json_tool is None:
            yield TextDelta(text, 0, index)
        else:
            yield RawEvent("text", text)

    def _arguments(self, piece: str, index: int) -> Iterator[Event]:
        if index in self._answers:
            yield TextDelta(piece, 0, index)
        elif index in self._calls:
            yield ToolCallDelta(self._calls[index], piece)
        elif index in self._server:
            self._collect(index, "toolUse", {"input": piece})
        else:
            raise MalformedResponseError("a piece of a tool call came before its name")

    def _collect(self, index: int, name: str, told: Any) -> None:
        """Add to a block of one of the service's own tools: pieces of JSON text, or a list of what it gave."""
        block = self._server[index].setdefault(name, {})
        if isinstance(told, list):
            block.setdefault("content", []).extend(told)
            return
        for key, value in told.items():
            known = block.get(key)
            block[key] = known + value if isinstance(known, str) and isinstance(value, str) else value

    def _thought(self, told: Mapping[str, Any], index: int) -> Event:
        data = {key: told[key] for key in ("signature", "redactedContent") if told.get(key) is not None}
        return ThinkingDelta(told.get("text") or "", 0, index, data or None)

    def _block_stop(self, event: Mapping[str, Any]) -> Iterator[Event]:
        index = event.get("contentBlockIndex", 0)
        number = self._calls.get(index)
        if number is not None:
            yield ToolCallEnd(number)
        if index in self._cited:
            yield TextDelta("", 0, index, {"bedrock": {"citationsContent": self._cited.pop(index)}})
        block = self._server.pop(index, None)
        if block is not None:
            told = block.get("toolUse")
            if told is not None and isinstance(told.get("input"), str):
                told["input"] = orjson.loads(told["input"] or b"{}")
            yield PartAdded(RawPart("bedrock", block))

    def _message_stop(self, event: Mapping[str, Any]) -> Iterator[Event]:
        self._stopped = True
        self._stop = event.get("stopReason")
        self._detail = event.get("additionalModelResponseFields")
        if self._stop != INTERVENED:
            yield from self._finish()

    def _metadata(self, event: Mapping[str, Any]) -> Iterator[Event]:
        self._trace = event.get("trace") or self._trace
        yield from self._told(event)

    def _finish(self) -> Iterator[Event]:
        if self._ended:
            return
        self._ended = True
        reason: FinishReason = STOPS.get(self._stop or "", "other")
        if reason == "tool_calls" and self._answers and not self._other_calls:
            reason = "stop"
        yield Finish(reason, 0, self._stop, self._detail)

    def _told(self, answer: Mapping[str, Any]) -> Iterator[Event]:
        """Read what stands beside the message: usage, tier, trace."""
        usage = answer.get("usage")
        if usage:
            yield UsageUpdate(read_usage(usage), usage)
        tier = answer.get("serviceTier")
        if isinstance(tier, Mapping):
            yield Started(service_tier=tier.get("type"))
        for name in ("trace", "performanceConfig"):
            if answer.get(name):
                yield RawEvent(name, answer[name])

    def _short(self, answer: dict[str, Any]) -> list[Event] | None:
        """Read what nearly every answer is, one text and its counts; None for any other."""
        events = None if self._json_tool is not None else read_text_answer(answer)
        if events is not None:
            self._stopped = self._ended = True
            self._stop = answer["stopReason"]
        return events

    def _whole(self, answer: dict[str, Any]) -> Iterator[Event]:
        message = answer["output"]["message"]
        for index, block in enumerate(message.get("content") or ()):
            yield from self._block(index, _told(block))
        self._trace = answer.get("trace")
        yield from self._told(answer)
        for name in answer.keys() - ANSWER - {"trace", "performanceConfig", "serviceTier"}:
            if answer[name] and name != "additionalModelResponseFields":
                yield RawEvent(name, answer[name])
        yield from self._message_stop(answer)

    def _block(self, index: int, block: Mapping[str, Any]) -> Iterator[Event]:
        """Read a whole block as its pieces would come."""
        if "text" in block:
            self._said.append(block["text"])
            yield from self._text(block["text"], index)
        elif "toolUse" in block and block["toolUse"].get("type") != _SERVER:
            yield from self._call(index, block["toolUse"])
            yield from self._arguments(orjson.dumps(block["toolUse"].get("input") or {}).decode(), index)
            yield from self._block_stop({"contentBlockIndex": index})
        elif "reasoningContent" in block:
            told = block["reasoningContent"]
            yield self._thought(told.get("reasoningText") or told, index)
        elif "citationsContent" in block:
            cited = block["citationsContent"]
            text = "".join(piece.get("text") or "" for piece in cited.get("content") or ())
            yield TextDelta(text, 0, index)
            for citation in cited.get("citations") or ():
                yield from self._block_delta({"contentBlockIndex": index, "delta": {"citation": citation}})
            yield from self._block_stop({"contentBlockIndex": index})
        else:
            yield PartAdded(RawPart("bedrock", dict(block)))

    _readers: ClassVar[Mapping[str, Callable[[ConverseDecoder, Mapping[str, Any]], Iterator[Event]]]] = {
        "messageStart": _nothing,
        "contentBlockStart": _block_start,
        "contentBlockDelta": _block_delta,
        "contentBlockStop": _block_stop,
        "messageStop": _message_stop,
        "metadata": _metadata,
    }


def _told(value: Mapping[str, Any] | None) -> dict[str, Any]:
    """Give what a union says; clients show the fields that it does not have as null."""
    return {name: inner for name, inner in (value or {}).items() if inner is not None}


def _citation(told: Mapping[str, Any]) -> Citation:
    """Read a citation; its place is one in the source, which is not ours to tell as a place in the answer."""
    location: Mapping[str, Any] = told.get("location") or {}
    place: Mapping[str, Any] = next((v for k, v in location.items() if isinstance(v, Mapping)), {})
    words = "".join(piece.get("text") or "" for piece in told.get("sourceContent") or ())
    number = place.get("documentIndex", place.get("searchResultIndex"))
    web = location.get("web") if isinstance(location.get("web"), Mapping) else {}
    url = (web or {}).get("url") or told.get("source")
    return Citation(
        text=words or None,
        title=told.get("title"),
        url=url if isinstance(url, str) and "://" in url else None,
        source_id=None if number is None else str(number),
        data=told,
    )
