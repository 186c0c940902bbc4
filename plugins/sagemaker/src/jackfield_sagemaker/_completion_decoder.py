"""Text generation by a container: the decoder of whole answers, in all shapes of container versions, and of tokens."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from typing import Any, Final

from jackfield import (
    Event,
    Finish,
    FinishReason,
    LogprobsDelta,
    MalformedResponseError,
    RawEvent,
    Started,
    StreamInterruptedError,
    TextDelta,
    TokenLogprob,
    Usage,
    UsageUpdate,
)
from jackfield.plugin import Failure, FailureInStream, Frame, Head, Wire, read_frame

__all__ = ["TextDecoder", "reason_of"]

# Sources: djl-serving, LMI input and output schema; text-generation-inference, FinishReason; AI21 Jurassic-2.
_REASONS: Final[Mapping[str, FinishReason]] = {
    "eos_token": "stop", "stop_sequence": "stop", "stop": "stop", "endoftext": "stop", "length": "length",
    "max_tokens": "length", "end_turn": "stop",
}  # fmt: skip
_TEXTS: Final = (
    "generated_text", "generation", "summary", "summary_text", "generated_texts", "outputs", "completion", "text",
)  # fmt: skip
"""The keys under which answers have their text, in the order of the search."""


def reason_of(raw: Any) -> FinishReason:
    """Return the finish reason for a container's own."""
    return _REASONS.get(raw.lower(), "other") if isinstance(raw, str) else "other"


class TextDecoder:
    """Decodes one answer of text, streamed or whole.

    A stream ends with the item that has the whole text or the finish reason. The finish reason of an answer without one
    is `other`.

    Attributes:
        ended: The last item has come, or a whole answer.
    """

    def __init__(self, wire: Wire) -> None:
        self._streamed = wire.stream
        self._logprobs = bool(wire.meta.get("logprobs"))
        self._started = False
        self._complete = False
        self.ended = False

    @property
    def is_whole(self) -> bool:
        """Whether the last item has come."""
        return self._complete

    def start(self, head: Head) -> list[Event]:
        """Handle the response head."""
        return []

    def feed(self, frame: Frame) -> list[Event]:
        """Decode one item of a stream, or a whole answer."""
        if self.ended:
            return []
        if self._streamed and frame.data[:11].removeprefix(BOM_UTF8).strip() == b"[DONE]":
            # Of servers that also have OpenAI's APIs.
            self.ended = True
            return []
        value = read_frame(frame)
        if value is None and self._streamed:  # a heartbeat
            return []
        if isinstance(value, dict) and value.get("token") is not None:
            return list(self._token(value))
        return list(self._whole(value, frame))

    def finish(self) -> list[Event]:
        """Check that the answer is complete."""
        if not self._complete:
            raise StreamInterruptedError("the stream ended without its last token; ask again")
        return []

    def _begin(self) -> Iterator[Event]:
        if not self._started:
            self._started = True
            yield Started()

    def _token(self, item: Mapping[str, Any]) -> Iterator[Event]:
        token, details = item["token"], item.get("details") or {}
        if details.get("finish_reason") == "error" or item.get("error"):
            raise FailureInStream(Failure(data=dict(item)))
        yield from self._begin()
        special = token.get("special", token.get("special_token"))
        if token.get("text") not in (None, "") and not special:
            yield TextDelta(token["text"])
            if self._logprobs:
                yield LogprobsDelta([_logprob(token)])
        if item.get("generated_text") is not None or details:
            yield from self._end(details)

    def _end(self, details: Mapping[str, Any], choice: int = 0) -> Iterator[Event]:
        count = details.get("generated_tokens")
        prefill = details.get("prefill")
        known = len(prefill) if isinstance(prefill, list) and prefill else details.get("input_tokens")
        if count is not None or known is not None:
            yield UsageUpdate(Usage(known, count), details)
        raw = details.get("finish_reason")
        self._complete = True
        self.ended = self._streamed
        yield Finish(reason_of(raw), choice, raw)

    def _whole(self, value: Any, frame: Frame) -> Iterator[Event]:
        _fail(value)
        if (
            self._streamed
            and isinstance(value, dict)
            and not any(name in value for name in (*_TEXTS, "completions"))
        ):
            yield RawEvent("unknown", value)
            return
        yield from self._begin()
        choices = list(_choices(value))
        if not choices:
            raise MalformedResponseError(
                f"the answer has no text; looked for {', '.join(_TEXTS)} and completions",
                body=bytes(frame.data),
            )
        for number, (text, details) in enumerate(choices):
            _fail_by(details, value)
            if text not in (None, ""):
                yield TextDelta(text, number)
            if self._logprobs and details.get("tokens"):
                yield LogprobsDelta([_logprob(token) for token in details["tokens"]], number)
            yield from self._end(details, number)


def _choices(value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Return the texts of an answer, each with its details."""
    if isinstance(value, str):
        yield value, {}
    elif isinstance(value, list):
        for item in value:
            yield from _choices(item)
    elif isinstance(value, dict):
        if isinstance(value.get("completions"), list):  # Jurassic-2
            yield from map(_completion, value["completions"])
            return
        name = next((name for name in _TEXTS if value.get(name) is not None), None)
        if name is None:
            return
        text = value[name]
        if isinstance(text, dict):  # Llama 2's dialogs: a turn of the assistant
            text = text.get("content") or ""
        if isinstance(text, list):
            for item in text:
                yield from _choices(item)
        else:
            details = value.get("details")
            yield text, details if isinstance(details, dict) else {}


def _completion(item: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    data = item.get("data") or {}
    reason = item.get("finishReason") or {}
    return data.get("text") or "", {"finish_reason": reason.get("reason")}


def _fail(value: Any) -> None:
    """Raise an error that came with a successful status: `{"error", "error_type" | "code"}`."""
    found = value[0] if isinstance(value, list) and len(value) == 1 else value
    if isinstance(found, dict) and found.get("error"):
        raise FailureInStream(Failure(data=found))


def _fail_by(details: Mapping[str, Any], value: Any) -> None:
    if details.get("finish_reason") == "error":
        raise FailureInStream(Failure(data={"error": "the container's generation failed", "answer": value}))


def _logprob(token: Mapping[str, Any]) -> TokenLogprob:
    value = token.get("logprob", token.get("log_prob"))
    return TokenLogprob(str(token.get("text") or ""), float("nan") if value is None else value)
