"""Converse: the decoder of streamed and whole answers, also of Nova's own body, whose events have no names."""

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
from jackfield.plugin import (
    Failure,
    FailureInStream,
    Frame,
    Head,
    exact_numbers,
    is_error_body,
    read_frame,
    read_json,
    write_json,
)

from ._converse_fast_path import ANSWER, STOPS, read_text_answer
from ._guardrails import INTERVENED, fail_blocked, is_blocked
from ._usage import read_usage

__all__ = ["ConverseDecoder", "fail_by_frame"]

_SERVER: Final = "server_tool_use"


def fail_by_frame(frame: Frame) -> None:
    """Raise the error that a frame of an event stream contains, if it is not an event.

    Raises:
        FailureInStream: The frame is an error.
    """
    headers = frame.headers or {}
    if headers.get(":message-type", "event") == "event":
        return
    try:
        data = read_json(frame.data) if frame.data else {}
    except ValueError:
        data = {"message": frame.data.decode("utf-8", "replace")}
    if ":error-message" in headers:
        data = {"message": headers[":error-message"], **(data if isinstance(data, dict) else {})}
    raise FailureInStream(Failure(status=200, body=frame.data, in_stream=True, data=data, event=frame.event))


class ConverseDecoder:
    """Decodes one answer. A stream ends with `messageStop`; `metadata` comes after it.

    Attributes:
        ended: Both have come.

    Args:
        json_tool: The name of the tool through which an answer in JSON comes; its arguments become the text.
        stream: The answer was requested as a stream.
    """

    def __init__(self, json_tool: str | None = None, *, stream: bool) -> None:
        self._json_tool = json_tool
        self._stream = stream
        self._calls: dict[int, int] = {}  # the calls that have begun and not ended, by index of block
        self._made = 0
        self._begun = False
        self._answers: set[int] = set()  # indexes of blocks with the answer in JSON
        self._server: dict[int, dict[str, Any]] = {}
        self._cited: dict[int, list[Any]] = {}
        self._texts: list[str] = []
        self._stopped = False
        self._stop: str | None = None
        self._detail: Any = None
        self._finished = False
        self.ended = False
        self._trace: Any = None

    def start(self, head: Head) -> list[Event]:
        """Handle the response head; a header contains the answer's id."""
        return [Started(head.headers.get("x-amzn-requestid"))]

    @property
    def is_whole(self) -> bool:
        """Whether the stop reason has come."""
        return self._stopped

    def feed(self, frame: Frame) -> list[Event]:
        """Decode one event of a stream, or a whole answer."""
        if self.ended:
            return []
        if frame.event == "contentBlockDelta":  # fast path: nearly every event of a stream is a piece of text
            try:
                event = orjson.loads(frame.data)
            except orjson.JSONDecodeError:
                event = read_frame(frame, self._readers)
            if event is None:
                return []
            delta = event["delta"]
            text = delta.get("text") if len(delta) == 1 else None
            self._begun = True
            if text is not None and self._json_tool is None:
                return [TextDelta(text, 0, event.get("contentBlockIndex") or 0)]
            return list(self._block_delta(event))
        fail_by_frame(frame)
        event = read_frame(frame, self._readers)
        if event is None and self._stream:
            return []
        if not isinstance(event, dict):
            raise MalformedResponseError("the answer is not a JSON object", body=frame.data)
        name = frame.event
        if name is None:
            if "output" in event:
                return self._read_fast(event) or list(self._whole(exact_numbers(event, frame.data)))
            name = next((key for key in self._readers if event.get(key) is not None), None)
            if name is None:
                self._fail_by_key(event, frame)
                if self._stream:  # services add kinds of events
                    return [RawEvent(next(iter(event), "empty"), event)]
                raise MalformedResponseError(
                    f"the answer has no output; it has {', '.join(event) or 'nothing'}"
                )
            event = event[name]
        reader = self._readers.get(name)
        return [RawEvent(name, event)] if reader is None else list(reader(self, event))

    def finish(self) -> list[Event]:
        """Check that the answer is complete, and that no guardrail blocked it.

        Raises:
            StreamInterruptedError: A stream has no end.
            FailureInStream: A guardrail blocked the answer.
        """
        if not self._stopped:
            if self._stream:
                raise StreamInterruptedError("the stream ended before messageStop; ask again")
            raise MalformedResponseError("the answer has no stopReason")
        if self._stop == INTERVENED and not self._finished and is_blocked(self._trace):
            fail_blocked("".join(self._texts), self._trace)
        return [] if self._finished else list(self._finish())

    def _message_start(self, event: Mapping[str, Any]) -> Iterator[Event]:
        if self._begun:  # a gateway lost its upstream and asked again; messages have no ids here
            raise StreamInterruptedError(
                "the service began another message before the first had ended; ask again"
            )
        return iter(())

    def _fail_by_key(self, event: Mapping[str, Any], frame: Frame) -> None:
        """Raise an exception whose name is the key of an event (Nova's own body; parsed streams), or a gateway's error."""
        if is_error_body(event):
            raise FailureInStream(Failure(status=200, body=frame.data, data=event))
        name = next((key for key in event if key.endswith("Exception")), None)
        if name is not None:
            raise FailureInStream(
                Failure(status=200, body=frame.data, in_stream=True, data=event[name], event=name)
            )

    def _block_start(self, event: Mapping[str, Any]) -> Iterator[Event]:
        self._begun = True
        index, start = event.get("contentBlockIndex") or 0, _drop_nulls(event.get("start"))
        call = start.get("toolUse")
        if call is not None and call.get("type") != _SERVER:
            yield from self._call(index, call)
            return
        for name, content in start.items():
            self._server[index] = {name: dict(content)}

    def _call(self, index: int, call: Mapping[str, Any]) -> Iterator[Event]:
        yield from self._end_call(index)  # services of this form are known to repeat an index
        if call["name"] == self._json_tool:
            self._answers.add(index)
            return
        self._answers.discard(index)
        number = self._calls[index] = self._made
        self._made += 1
        yield ToolCallStart(number, call.get("toolUseId") or "", call["name"])
        yield from self._arguments(call.get("input"), index)

    def _end_call(self, index: int) -> Iterator[Event]:
        number = self._calls.pop(index, None)
        if number is not None:
            yield ToolCallEnd(number)

    def _block_delta(self, event: Mapping[str, Any]) -> Iterator[Event]:
        self._begun = True
        index = event.get("contentBlockIndex") or 0
        for name, content in _drop_nulls(event.get("delta")).items():
            if name == "text":
                yield from self._text(content, index)
            elif name == "toolUse":
                yield from self._arguments(content.get("input"), index)
            elif name == "reasoningContent":
                yield self._thinking(content, index)
            elif name == "citation":
                yield CitationDelta(_read_citation(content))
                self._cited.setdefault(index, []).append(content)
            elif index in self._server:
                self._collect(index, name, content)
            else:
                yield RawEvent(f"contentBlockDelta.{name}", event)

    def _text(self, text: str, index: int) -> Iterator[Event]:
        """Read text; if the answer comes as JSON through a tool, other text is not part of it."""
        if self._json_tool is None:
            yield TextDelta(text, 0, index)
        else:
            yield RawEvent("text", text)

    def _arguments(self, given: Any, index: int) -> Iterator[Event]:
        """Read a piece of arguments, or all of them: an object, or its text. Null and "" are none."""
        if given in (None, "", {}):
            return
        piece = write_json(given).decode() if isinstance(given, dict) else given
        if index in self._answers:
            yield TextDelta(piece, 0, index)
        elif index in self._calls:
            yield ToolCallDelta(self._calls[index], piece)
        elif index in self._server:
            self._collect(index, "toolUse", {"input": piece})
        else:
            raise MalformedResponseError("a piece of a tool call came before its name")

    def _collect(self, index: int, name: str, content: Any) -> None:
        """Append to a block of a server tool: pieces of JSON text, or a list of results."""
        block = self._server[index].setdefault(name, {})
        if isinstance(content, list):
            block.setdefault("content", []).extend(content)
            return
        _join(block, content)

    def _thinking(self, content: Mapping[str, Any], index: int) -> Event:
        data = {key: content[key] for key in ("signature", "redactedContent") if content.get(key) is not None}
        text = content.get("text")
        return ThinkingDelta("" if text is None else text, 0, index, data or None)

    def _block_stop(self, event: Mapping[str, Any]) -> Iterator[Event]:
        index = event.get("contentBlockIndex") or 0
        yield from self._end_call(index)
        if index in self._cited:
            yield TextDelta("", 0, index, {"bedrock": {"citationsContent": self._cited.pop(index)}})
        block = self._server.pop(index, None)
        if block is not None:
            content = block.get("toolUse")
            if content is not None and isinstance(content.get("input"), str):
                content["input"] = _parsed(content["input"])
            yield PartAdded(RawPart("bedrock", block))

    def _message_stop(self, event: Mapping[str, Any]) -> Iterator[Event]:
        self._stopped = True
        stop = event.get("stopReason")
        self._stop = stop if isinstance(stop, str) else None
        for index in list(self._calls):
            yield from self._end_call(index)
        self._detail = event.get("additionalModelResponseFields")
        if self._stop != INTERVENED:
            yield from self._finish()

    def _metadata(self, event: Mapping[str, Any]) -> Iterator[Event]:
        self._trace = event.get("trace") or self._trace
        yield from self._read_extras(event)
        self.ended = self._stopped

    def _finish(self) -> Iterator[Event]:
        if self._finished:
            return
        self._finished = True
        reason: FinishReason = STOPS.get(self._stop or "", "other")
        if reason == "tool_calls" and self._answers and not self._made:
            reason = "stop"
        elif self._made and (
            reason == "stop" or self._stop is None
        ):  # models are known to say so beside a call
            reason = "tool_calls"
        yield Finish(reason, 0, self._stop, self._detail)

    def _read_extras(self, answer: Mapping[str, Any]) -> Iterator[Event]:
        """Read what comes beside the message: usage, tier, trace."""
        usage = answer.get("usage")
        if usage and isinstance(usage, Mapping):
            yield UsageUpdate(read_usage(usage), usage)
        tier = answer.get("serviceTier")
        if isinstance(tier, Mapping):
            yield Started(service_tier=tier.get("type"))
        for name in ("trace", "performanceConfig"):
            if answer.get(name):
                yield RawEvent(name, answer[name])

    def _read_fast(self, answer: dict[str, Any]) -> list[Event] | None:
        """Read an answer of one text and its usage, as nearly all are; return None for all others."""
        events = None if self._json_tool is not None else read_text_answer(answer)
        if events is not None:
            self._stopped = self._finished = True
            self._stop = answer["stopReason"]
        return events

    def _whole(self, answer: dict[str, Any]) -> Iterator[Event]:
        message = answer["output"]["message"]
        for index, block in enumerate(message.get("content") or ()):
            yield from self._block(index, _drop_nulls(block))
        self._trace = answer.get("trace")
        yield from self._read_extras(answer)
        for name in answer.keys() - ANSWER - {"trace", "performanceConfig", "serviceTier"}:
            if answer[name] and name != "additionalModelResponseFields":
                yield RawEvent(name, answer[name])
        yield from self._message_stop(answer)

    def _block(self, index: int, block: Mapping[str, Any]) -> Iterator[Event]:
        """Read a whole block like its pieces."""
        if "text" in block:
            self._texts.append(block["text"])
            yield from self._text(block["text"], index)
        elif "toolUse" in block and block["toolUse"].get("type") != _SERVER:
            yield from self._call(index, block["toolUse"])
            if index in self._answers:
                yield from self._arguments(block["toolUse"].get("input") or "{}", index)
            yield from self._block_stop({"contentBlockIndex": index})
        elif "reasoningContent" in block:
            content = block["reasoningContent"]
            yield self._thinking(content.get("reasoningText") or content, index)
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
        "messageStart": _message_start,
        "contentBlockStart": _block_start,
        "contentBlockDelta": _block_delta,
        "contentBlockStop": _block_stop,
        "messageStop": _message_stop,
        "metadata": _metadata,
    }


def _join(block: dict[str, Any], piece: Mapping[str, Any]) -> None:
    """Append a piece to a block that is kept raw: texts are joined, also those inside it."""
    for key, value in piece.items():
        known = block.get(key)
        if isinstance(known, dict) and isinstance(value, Mapping):
            _join(known, value)
        else:
            block[key] = known + value if isinstance(known, str) and isinstance(value, str) else value


def _parsed(text: str) -> Any:
    try:
        return read_json(text or "{}")
    except ValueError:
        return text


def _drop_nulls(value: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the members of a union that are set; some clients write the others as null."""
    return {name: inner for name, inner in (value or {}).items() if inner is not None}


def _read_citation(citation: Mapping[str, Any]) -> Citation:
    """Read a citation. Its location is in the source, not in the answer, so it stays in `data`."""
    location: Mapping[str, Any] = citation.get("location") or {}
    place: Mapping[str, Any] = next((v for k, v in location.items() if isinstance(v, Mapping)), {})
    words = "".join(piece.get("text") or "" for piece in citation.get("sourceContent") or ())
    number = place.get("documentIndex", place.get("searchResultIndex"))
    web = location.get("web") if isinstance(location.get("web"), Mapping) else {}
    url = (web or {}).get("url") or citation.get("source")
    return Citation(
        text=words or None,
        title=citation.get("title"),
        url=url if isinstance(url, str) and "://" in url else None,
        source_id=None if number is None else str(number),
        data=citation,
    )
