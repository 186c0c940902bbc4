"""Text completions: the request, the encoder of streamed answers, and the whole answer."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from jackfield import (
    Choice,
    Event,
    Finish,
    LogprobsDelta,
    RefusalDelta,
    Reply,
    Started,
    Text,
    TextDelta,
    TokenLogprob,
)
from jackfield.plugin import UnsupportedPolicy

from ._asked import Asked
from ._chat_answer import finish_of
from ._chat_request import put_stop
from ._encoding import new_id
from ._envelopes import Envelopes
from ._errors import describe_error, error_object
from ._fields import Fields, Report
from ._parts import put_numbers, put_user
from ._sse import DONE, data_event
from ._usage import chat_usage

__all__ = ["NAMES", "CompletionEncoder", "read_completion", "whole_completion"]

NAMES: Final[Mapping[str, str]] = {"messages": "prompt"}
_WORDS: Final = "Unsupported parameter: '{name}': {why}."
_COMMENT: Final = b": keep-alive\n\n"
_FAMILY: Final = "openai"


def read_completion(
    headers: Mapping[str, str], body: Mapping[str, Any], policy: UnsupportedPolicy, envelopes: Envelopes
) -> Asked:
    """Read a request of text completions. Source: types of OpenAI's Python SDK 3.54.0."""
    del headers, envelopes
    report = Report(policy, _WORDS)
    fields = Fields(body, "", report)
    options: dict[str, Any] = {"unsupported": policy}
    target = fields.required("model", fields.text("model"))
    stream = fields.flag("stream") or False
    prompt = _prompt(fields)
    limit = fields.integer("max_tokens", least=0)
    if limit is not None:
        options["max_tokens"] = limit
    put_numbers(fields, options, "temperature", "top_p", "presence_penalty", "frequency_penalty")
    for name, least in (("seed", None), ("n", 1)):
        value = fields.integer(name, least=least)
        if value is not None:
            options[name] = value
    logprobs = fields.integer("logprobs", least=0)
    if logprobs is not None:
        options |= {"logprobs": True, "top_logprobs": logprobs}
    bias, suffix = fields.mapping("logit_bias"), fields.text("suffix")
    options |= {k: v for k, v in (("logit_bias", bias), ("suffix", suffix)) if v is not None}
    put_stop(fields, options, "stop")
    put_user(fields, options)
    usage = fields.inner("stream_options")
    context = {"include_usage": bool(usage and usage.flag("include_usage"))}
    if not fields.peek("echo"):
        fields.forget("echo")
    if fields.peek("best_of") in (None, 1, options.get("n")):
        fields.forget("best_of")
    own = dict(fields.left())
    for name, item in own.items():
        report.keep_for(_FAMILY, name, item)
    if own:
        options["extra"] = {_FAMILY: own}
    return Asked(
        surface="openai.completions",
        kind="completion",
        target=target,
        arguments=(prompt,),
        options=options,
        stream=stream,
        notes=tuple(report.notes),
        own=tuple(report.own),
        context=context,
    )


def _prompt(fields: Fields) -> str:
    prompt = fields.take("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if isinstance(prompt, list):
        raise fields.wrong("prompt", "must be one string: several prompts and tokens are not served")
    if not isinstance(prompt, str):
        raise fields.wrong("prompt", "must be a string", "invalid_type")
    return prompt


class CompletionEncoder:
    """Writes chunks of text completions."""

    def __init__(self, asked: Asked, envelopes: Envelopes) -> None:
        del envelopes
        self._include_usage = bool(asked.context.get("include_usage"))
        self._envelope: dict[str, Any] = {
            "id": new_id("cmpl-"),
            "object": "text_completion",
            "created": int(time.time()),
            "model": asked.target,
        }
        self._lengths: dict[int, int] = {}
        self._finished: set[int] = set()

    def start(self, head: Reply) -> list[bytes]:
        """Begin the answer; nothing is sent before its first piece."""
        self._envelope["model"] = head.model or self._envelope["model"]
        return []

    def feed(self, event: Event) -> list[bytes]:
        """Write an event."""
        if isinstance(event, TextDelta | RefusalDelta):
            self._lengths[event.choice] = self._lengths.get(event.choice, 0) + len(event.text)
            return [self._chunk(event.choice, event.text)] if event.text else []
        if isinstance(event, LogprobsDelta):
            return [self._chunk(event.choice, "", logprobs=_logprobs_of(event.tokens))]
        if isinstance(event, Finish):
            self._finished.add(event.choice)
            return [self._chunk(event.choice, "", finish_of(event.reason, calls=False))]
        if isinstance(event, Started) and not self._lengths:
            self._envelope["id"] = event.id or self._envelope["id"]
            self._envelope["model"] = event.model or self._envelope["model"]
        return []

    def finish(self, reply: Reply) -> list[bytes]:
        """End the answer: usage, if it was asked for, and the end marker."""
        out = [] if self._finished else [self._chunk(0, "", "stop")]
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

    def _chunk(self, index: int, text: str, finish: str | None = None, logprobs: Any = None) -> bytes:
        choice = {"text": text, "index": index, "logprobs": logprobs, "finish_reason": finish}
        value = {**self._envelope, "choices": [choice]}
        return data_event({**value, "usage": None} if self._include_usage else value)


def whole_completion(asked: Asked, reply: Reply, envelopes: Envelopes) -> dict[str, Any]:
    """Return a whole answer of text completions."""
    del envelopes
    value: dict[str, Any] = {
        "id": reply.id or new_id("cmpl-"),
        "object": "text_completion",
        "created": int(time.time()),
        "model": reply.model or asked.target,
        "choices": [_choice_wire(choice) for choice in reply.choices],
    }
    usage = chat_usage(reply.usage)
    return value if usage is None else {**value, "usage": usage}


def _choice_wire(choice: Choice) -> dict[str, Any]:
    return {
        "text": "".join(part.text for part in choice.message.parts if isinstance(part, Text)),
        "index": choice.index,
        "logprobs": None if choice.logprobs is None else _logprobs_of(choice.logprobs),
        "finish_reason": finish_of(choice.finish_reason, calls=False),
    }


def _logprobs_of(tokens: Iterable[TokenLogprob]) -> dict[str, Any]:
    listed = list(tokens)
    offsets, offset = [], 0
    for token in listed:
        offsets.append(offset)
        offset += len(token.token)
    return {
        "tokens": [token.token for token in listed],
        "token_logprobs": [token.logprob if token.logprob == token.logprob else None for token in listed],
        "top_logprobs": [{other.token: other.logprob for other in token.top} or None for token in listed],
        "text_offset": offsets,
    }
