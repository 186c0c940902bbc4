"""Chat completions: the encoder of streamed answers, and the whole answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from jackfield import (
    Choice,
    CitationDelta,
    Event,
    Finish,
    LogprobsDelta,
    PartAdded,
    RawPart,
    RefusalDelta,
    Reply,
    Started,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
)
from jackfield.plugin import write_json

from ._asked import Asked
from ._chat_answer import (
    annotation_of,
    call_wire,
    details_entry,
    finish_of,
    logprobs_of,
    visible_text,
)
from ._chat_request import NAMES
from ._encoding import Sealer, new_id
from ._envelopes import Envelopes
from ._errors import describe_error, error_object
from ._sse import DONE, data_event
from ._tool_forms import ToolForm, ToolForms, custom_input
from ._usage import chat_usage

__all__ = ["ChatEncoder", "whole_chat"]

_FAMILY: Final = "openai"
_COMMENT: Final = b": keep-alive\n\n"


class _Call:
    __slots__ = ("data", "form", "id", "number", "open", "pieces")

    def __init__(self, number: int, identity: str, form: ToolForm) -> None:
        self.number = number
        self.id = identity
        self.form = form
        self.pieces: list[str] = []
        self.open = True
        self.data: dict[str, Any] = {}


class _Choice:
    __slots__ = ("begun", "block", "calls", "data", "finished", "length", "text_data", "thinking")

    def __init__(self) -> None:
        self.begun = False
        self.finished = False
        self.calls: dict[int, _Call] = {}
        self.thinking = False  # a part of thinking is open
        self.block: int | None = None
        self.length = 0
        self.data: dict[str, Any] = {}
        self.text_data: dict[str, Any] = {}


class ChatEncoder:
    """Writes chunks of chat completions.

    Tool calls may come mixed: a chunk says which call it belongs to.
    """

    def __init__(self, asked: Asked, envelopes: Envelopes) -> None:
        self._asked = asked
        self._forms: ToolForms = asked.context.get("tools") or ToolForms()
        self._include_usage = bool(asked.context.get("include_usage"))
        self._sealer = Sealer(envelopes, _FAMILY)
        self._envelope: dict[str, Any] = {
            "id": new_id("chatcmpl-"),
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": asked.target,
        }
        self._choices: dict[int, _Choice] = {}
        self._text_head: dict[int, bytes] = {}
        self._tail = b',"usage":null}\n\n' if self._include_usage else b"}\n\n"
        self._handlers: dict[type, Callable[[Any], list[bytes]]] = {
            Started: self._start,
            TextDelta: self._text,
            RefusalDelta: self._refusal,
            ThinkingDelta: self._thinking,
            ToolCallStart: self._call,
            ToolCallDelta: self._arguments,
            ToolCallEnd: self._end_call,
            CitationDelta: self._citation,
            LogprobsDelta: self._logprobs,
            PartAdded: self._part,
            Finish: self._finish,
        }

    def start(self, head: Reply) -> list[bytes]:
        """Begin the answer; nothing is sent before its first event."""
        self._sealer.begin(head)
        if head.model is not None:
            self._envelope["model"] = head.model
        return []

    def feed(self, event: Event) -> list[bytes]:
        """Write an event."""
        handler = self._handlers.get(type(event))
        return [] if handler is None else handler(event)

    def finish(self, reply: Reply) -> list[bytes]:
        """End the answer: usage, if it was asked for, and the end marker."""
        out: list[bytes] = []
        if not self._choices:
            out += self._finish(Finish("other"))
        usage = chat_usage(reply.usage) if self._include_usage else None
        if usage is not None:
            out.append(data_event({**self._envelope, "choices": [], "usage": usage}))
        return [*out, DONE]

    def fail(self, error: BaseException, *, trusted: bool = False, begun: bool = False) -> list[bytes]:
        """End the answer with an error."""
        words = describe_error(error, "openai", NAMES, trusted=trusted)
        return [data_event(error_object(words, "openai"))]

    def keep_alive(self) -> list[bytes]:
        """Write a comment."""
        return [_COMMENT]

    def _start(self, event: Started) -> list[bytes]:
        if not self._choices:  # one id and one model for all chunks
            self._envelope["id"] = event.id or self._envelope["id"]
            self._envelope["model"] = event.model or self._envelope["model"]
        if event.service_tier is not None:
            self._envelope["service_tier"] = event.service_tier
            self._text_head.clear()
        return []

    def _chunk(
        self, index: int, delta: Mapping[str, Any], finish: str | None = None, logprobs: Any = None
    ) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        value = {**self._envelope, "choices": [choice]}
        return data_event({**value, "usage": None} if self._include_usage else value)

    def _begin(self, index: int, out: list[bytes], *, calls: bool = False) -> _Choice:
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _Choice()
            delta = {"role": "assistant", "content": None if calls else "", "refusal": None}
            out.append(self._chunk(index, delta))
        return choice

    def _text(self, event: TextDelta) -> list[bytes]:
        out: list[bytes] = []
        index = event.choice
        choice = self._begin(index, out)
        if choice.thinking:
            self._end_thinking(index, choice, out)
        if event.provider_data:
            choice.text_data.update(event.provider_data)
        if event.text:
            head = self._text_head.get(index)
            if head is None:
                head = self._text_head[index] = self._make_head(index)
            # A fast path: nearly all events of a stream are text, and only the text of a chunk is new.
            out.append(
                b'%b%b},"logprobs":null,"finish_reason":null}]%b' % (head, write_json(event.text), self._tail)
            )
        return out

    def _make_head(self, index: int) -> bytes:
        envelope = write_json(self._envelope)
        return b'data: %b,"choices":[{"index":%d,"delta":{"content":' % (envelope[:-1], index)

    def _refusal(self, event: RefusalDelta) -> list[bytes]:
        out: list[bytes] = []
        choice = self._begin(event.choice, out)
        self._end_thinking(event.choice, choice, out)
        if event.text:
            out.append(self._chunk(event.choice, {"refusal": event.text}))
        return out

    def _thinking(self, event: ThinkingDelta) -> list[bytes]:
        out: list[bytes] = []
        choice = self._begin(event.choice, out)
        if choice.thinking and event.block not in (None, choice.block):
            self._end_thinking(event.choice, choice, out)
        if not choice.thinking:
            choice.thinking, choice.block, choice.length = True, event.block, 0
        choice.length += len(event.text)
        choice.data.update(event.data or {})
        if event.text:
            out.append(self._chunk(event.choice, {"reasoning_content": event.text}))
        return out

    def _end_thinking(self, index: int, choice: _Choice, out: list[bytes]) -> None:
        if not choice.thinking:
            return
        choice.thinking = False
        envelope = self._sealer.thinking(choice.data)
        if envelope is not None:
            self._carry(index, details_entry(envelope, choice.length), out)
        choice.data = {}

    def _carry(self, index: int, entry: dict[str, Any], out: list[bytes]) -> None:
        out.append(self._chunk(index, {"reasoning_details": [entry]}))

    def _end_text(self, index: int, choice: _Choice, out: list[bytes]) -> None:
        envelope = self._sealer.text(choice.text_data)
        if envelope is not None:
            self._carry(index, details_entry(envelope), out)
        choice.text_data = {}

    def _call(self, event: ToolCallStart) -> list[bytes]:
        out: list[bytes] = []
        choice = self._begin(event.choice, out, calls=True)
        self._end_thinking(event.choice, choice, out)
        self._end_text(event.choice, choice, out)
        form = self._forms.form_of(event.name)
        call = choice.calls[event.index] = _Call(len(choice.calls), event.id, form)
        call.data.update(event.provider_data or {})
        kind = "custom" if form.custom else "function"
        empty = {"input": ""} if form.custom else {"arguments": ""}
        wire: dict[str, Any] = {"index": call.number, "id": event.id, "type": kind}
        wire[kind] = {"name": form.name, **empty}
        envelope = self._sealer.call(event.id, call.data)
        if envelope is not None:
            wire["extra_content"] = {"jackfield": envelope}
        out.append(self._chunk(event.choice, {"tool_calls": [wire]}))
        return out

    def _arguments(self, event: ToolCallDelta) -> list[bytes]:
        call = self._choices[event.choice].calls[event.index]
        if not event.arguments:
            return []
        call.pieces.append(event.arguments)
        if call.form.custom:  # its text is inside JSON, and known when that is whole
            return []
        wire = {"index": call.number, "function": {"arguments": event.arguments}}
        return [self._chunk(event.choice, {"tool_calls": [wire]})]

    def _end_call(self, event: ToolCallEnd) -> list[bytes]:
        call = self._choices[event.choice].calls[event.index]
        out: list[bytes] = []
        late = {k: v for k, v in (event.provider_data or {}).items() if call.data.get(k) != v}
        if late:
            call.data.update(late)
            envelope = self._sealer.call(call.id, call.data)
            if envelope is not None:
                self._carry(event.choice, details_entry(envelope), out)
        self._close_call(event.choice, call, out)
        return out

    def _close_call(self, index: int, call: _Call, out: list[bytes]) -> None:
        if not call.open:
            return
        call.open = False
        if call.form.custom:
            wire: dict[str, Any] = {"index": call.number, "custom": {"input": custom_input(call.pieces)}}
            out.append(self._chunk(index, {"tool_calls": [wire]}))
        elif not "".join(call.pieces).strip():  # clients parse the arguments of a finished call
            wire = {"index": call.number, "function": {"arguments": "{}"}}
            out.append(self._chunk(index, {"tool_calls": [wire]}))

    def _citation(self, event: CitationDelta) -> list[bytes]:
        out: list[bytes] = []
        self._begin(event.choice, out)
        out.append(self._chunk(event.choice, {"annotations": [annotation_of(event.citation)]}))
        return out

    def _logprobs(self, event: LogprobsDelta) -> list[bytes]:
        out: list[bytes] = []
        self._begin(event.choice, out)
        logprobs = {"content": logprobs_of(event.tokens), "refusal": None}
        out.append(self._chunk(event.choice, {}, logprobs=logprobs))
        return out

    def _part(self, event: PartAdded) -> list[bytes]:
        out: list[bytes] = []
        choice = self._begin(event.choice, out)
        self._end_thinking(event.choice, choice, out)
        audio = _audio_of(event.part, self._sealer)
        if audio is not None:
            out.append(self._chunk(event.choice, {"audio": audio}))
        else:
            self._carry(event.choice, details_entry(self._sealer.raw(event.part)), out)
        return out

    def _finish(self, event: Finish) -> list[bytes]:
        out: list[bytes] = []
        index = event.choice
        choice = self._begin(index, out)
        self._end_thinking(index, choice, out)
        self._end_text(index, choice, out)
        for call in choice.calls.values():
            self._close_call(index, call, out)
        if not choice.finished:
            choice.finished = True
            out.append(self._chunk(index, {}, finish_of(event.reason, calls=bool(choice.calls))))
        return out


def whole_chat(asked: Asked, reply: Reply, envelopes: Envelopes) -> dict[str, Any]:
    """Return a whole answer of chat completions."""
    sealer = Sealer(envelopes, _FAMILY)
    sealer.begin(reply)
    forms: ToolForms = asked.context.get("tools") or ToolForms()
    value: dict[str, Any] = {
        "id": reply.id or new_id("chatcmpl-"),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": reply.model or asked.target,
        "choices": [_choice_wire(choice, forms, sealer) for choice in reply.choices],
    }
    if not reply.choices:
        message = {"role": "assistant", "content": "", "refusal": None}
        value["choices"] = [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}]
    usage = chat_usage(reply.usage)
    if usage is not None:
        value["usage"] = usage
    return value


def _choice_wire(choice: Choice, forms: ToolForms, sealer: Sealer) -> dict[str, Any]:
    message = _message_wire(choice, forms, sealer)
    logprobs = None if choice.logprobs is None else {"content": logprobs_of(choice.logprobs), "refusal": None}
    finish = finish_of(choice.finish_reason, calls="tool_calls" in message)
    return {"index": choice.index, "message": message, "logprobs": logprobs, "finish_reason": finish}


def _message_wire(choice: Choice, forms: ToolForms, sealer: Sealer) -> dict[str, Any]:
    parts = choice.message.parts
    text, refusal = visible_text(parts, refusal=False), visible_text(parts, refusal=True)
    calls = [
        call_wire(part, forms, sealer.call(part.id, part.provider_data or {}))
        for part in parts
        if isinstance(part, ToolCall)
    ]
    content = text if text or not (calls or refusal) else None
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": refusal or None}
    if calls:
        message["tool_calls"] = calls
    thinking = "".join(part.text for part in parts if isinstance(part, Thinking))
    if thinking:
        message["reasoning_content"] = thinking
    if choice.citations:
        message["annotations"] = [annotation_of(citation) for citation in choice.citations]
    details: list[dict[str, Any]] = []
    for part in parts:
        if isinstance(part, Thinking) and (envelope := sealer.thinking(part.data or {})) is not None:
            details.append(details_entry(envelope, len(part.text)))
        elif isinstance(part, Text) and (envelope := sealer.text(part.provider_data or {})) is not None:
            details.append(details_entry(envelope))
        elif isinstance(part, RawPart):
            audio = _audio_of(part, sealer)
            if audio is None:
                details.append(details_entry(sealer.raw(part)))
            else:
                message["audio"] = audio
    if details:
        message["reasoning_details"] = details
    return message


def _audio_of(part: RawPart, sealer: Sealer) -> Any:
    return part.data.get("audio") if sealer.is_own and part.provider == _FAMILY else None
