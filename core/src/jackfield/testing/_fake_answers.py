"""What a fake provider answers, as frames: scripted, or made up from the request."""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from jackfield._json import write_json
from jackfield._types.content import ToolCall
from jackfield._types.errors import JackfieldError
from jackfield._types.events import FinishReason
from jackfield._types.option_rules import UNSET
from jackfield._types.requests import (
    ChatRequest,
    CompletionRequest,
    CountRequest,
    EmbedRequest,
    Request,
    RerankRequest,
    SummarizeRequest,
)
from jackfield._types.usage import Usage

__all__ = ["FakeAnswer", "answer_frames", "hash_vector"]

DIMENSIONS = 8
_SUMMARY_WORDS = 12


@attrs.frozen(kw_only=True)
class FakeAnswer:
    """One scripted answer of a `FakeProvider`.

    Attributes:
        text: The text; cut into words when it is streamed.
        chunks: The text in exactly these pieces, instead of `text`.
        thinking: Thinking that comes before the text.
        tool_calls: `ToolCall`s, or `(name, arguments)` pairs, which get the ids call_0, call_1...
        usage: A `Usage`, an `(input, output)` pair, None for a service that does not say, or `UNSET` for
            a count of words.
        finish: The finish reason; `tool_calls` if there are any, else `stop`, unless given.
        error: A `JackfieldError` that is raised, any other exception, which the plugin's error hook has to
            name, or an HTTP status, which becomes the error that belongs to it.
        after: Pieces that come before the error; None for an error instead of an answer.
        retry_after: Seconds, with a status as `error`.
        delay: Seconds before the answer begins.
        chunk_delay: Seconds between pieces.
        truncate: The answer ends without its end marker.
        unmarked: As from a service that ends its streams without saying why, which its decoder accepts: the reply of a
            stream is not `complete`, and its finish reason is `other`.
        vectors: Embeddings, one per input.
        scores: `(index, score)` pairs of a rerank.
        count: What a token count answers.
        id: The answer's id.
        model: The model that is reported; None for the one that was asked for.
    """

    text: str | None = None
    chunks: Sequence[str] | None = None
    thinking: str | None = None
    tool_calls: Sequence[ToolCall | tuple[str, Mapping[str, Any]]] = ()
    usage: Any = UNSET
    finish: FinishReason | None = None
    error: JackfieldError | BaseException | int | None = None
    after: int | None = None
    retry_after: float | None = None
    delay: float = 0.0
    chunk_delay: float = 0.0
    truncate: bool = False
    unmarked: bool = False
    vectors: Sequence[Sequence[float]] | None = None
    scores: Sequence[tuple[int, float]] | None = None
    count: int | None = None
    id: str = "fake-1"
    model: str | None = None


def answer_frames(answer: FakeAnswer | None, request: Request, model: str) -> list[dict[str, Any]]:
    """Return the frames of an answer, the end marker included.

    Args:
        answer: What is scripted; None to make one up from the request.
        request: What is answered.
        model: The model that was asked for.
    """
    script = FakeAnswer() if answer is None else answer
    stored = request.options.store if isinstance(request, ChatRequest) else UNSET
    kept = {} if stored is UNSET else {"stored": stored}
    frames = [{"type": "started", "id": script.id, "model": script.model or model, **kept}]
    if isinstance(request, EmbedRequest):
        frames += _embeddings(script, request)
    elif isinstance(request, RerankRequest):
        frames += _scores(script, request)
    elif isinstance(request, CountRequest):
        count = _words(_input_text(request)) if script.count is None else script.count
        return [*frames, {"type": "count", "input_tokens": count}, {"type": "done"}]
    else:
        frames += _generated(script, request)
    if script.truncate:
        return [frame for frame in frames if frame["type"] not in {"finish", "usage"}]
    if script.unmarked:
        ends = [{**frame, "reason": "other"} if frame["type"] == "finish" else frame for frame in frames]
        return [*ends, {"type": "done", "unmarked": True}]
    return [*frames, {"type": "done"}]


def _generated(
    script: FakeAnswer, request: ChatRequest | CompletionRequest | SummarizeRequest
) -> Iterator[dict[str, Any]]:
    options = request.options
    content = _content(script, request)
    output = _words(script.thinking or "")
    for choice in range(1 if options.n is UNSET else options.n):
        if script.thinking is not None:
            for piece in _pieces(script.thinking):
                yield {"type": "thinking", "text": piece, "choice": choice}
        for piece in content.pieces:
            yield {"type": "text", "text": piece, "choice": choice}
            output += _words(piece)
        yield from _calls(content.tool_calls, choice)
        yield {"type": "finish", "reason": content.finish, "choice": choice}
    thought = _words(script.thinking) if script.thinking is not None else None
    counted = Usage(_words(_input_text(request)), output, reasoning_tokens=thought)
    yield from _usage(script, counted)


@attrs.frozen
class _Content:
    pieces: Sequence[str]
    tool_calls: Sequence[ToolCall]
    finish: FinishReason


def _content(script: FakeAnswer, request: ChatRequest | CompletionRequest | SummarizeRequest) -> _Content:
    calls = [_tool_call(call, number) for number, call in enumerate(script.tool_calls)]
    if script.chunks is not None:
        pieces = list(script.chunks)
    elif script.text is not None:
        pieces = _pieces(script.text)
    elif calls or script.thinking is not None or script.finish is not None:
        pieces = []
    else:
        return _made_up(request)
    return _Content(pieces, calls, script.finish or ("tool_calls" if calls else "stop"))


def _made_up(request: ChatRequest | CompletionRequest | SummarizeRequest) -> _Content:
    options = request.options
    forced = _forced_tool(request)
    if forced is not None:
        return _Content([], [forced], "tool_calls")
    said = _said(request)
    if isinstance(request, SummarizeRequest):
        text = "In short: " + " ".join(said.split()[:_SUMMARY_WORDS])
    elif options.response_format is not UNSET:
        schema = options.response_format if isinstance(options.response_format, Mapping) else None
        text = write_json({"echo": said} if schema is None else _instance(schema)).decode()
        return _Content(_pieces(text), [], "stop")
    else:
        text = f"You said: {said}"
    pieces = _pieces(text)
    if options.max_tokens is not UNSET and len(pieces) > options.max_tokens:
        return _Content(pieces[: options.max_tokens], [], "length")
    return _Content(pieces, [], "stop")


def _forced_tool(request: Request) -> ToolCall | None:
    if not isinstance(request, ChatRequest) or request.options.tools is UNSET:
        return None
    choice = request.options.tool_choice
    if choice is UNSET or choice in {"auto", "none"}:
        return None
    for tool in request.options.tools:
        if choice in {"required", tool.name}:
            arguments = _instance(tool.parameters)
            return ToolCall("call_0", tool.name, arguments if isinstance(arguments, dict) else {})
    return None


def _tool_call(call: ToolCall | tuple[str, Mapping[str, Any]], number: int) -> ToolCall:
    if isinstance(call, ToolCall):
        return call
    name, arguments = call
    return ToolCall(f"call_{number}", name, arguments)


def _calls(calls: Sequence[ToolCall], choice: int) -> Iterator[dict[str, Any]]:
    for index, call in enumerate(calls):
        raw = call.arguments_raw
        text = write_json(call.arguments).decode() if raw is None else raw
        middle = len(text) // 2  # two pieces: a caller that parses each piece must fail
        yield {"type": "tool_call", "index": index, "id": call.id, "name": call.name, "choice": choice}
        for piece in (text[:middle], text[middle:]):
            yield {"type": "tool_arguments", "index": index, "text": piece, "choice": choice}
        yield {"type": "tool_end", "index": index, "choice": choice}


def _embeddings(script: FakeAnswer, request: EmbedRequest) -> Iterator[dict[str, Any]]:
    size = DIMENSIONS if request.dimensions is UNSET else request.dimensions
    for index, text in enumerate(request.inputs):
        vector = hash_vector(text, size) if script.vectors is None else script.vectors[index]
        yield {"type": "embedding", "index": index, "vector": vector}
    yield from _usage(script, Usage(sum(map(_words, request.inputs))))


def _scores(script: FakeAnswer, request: RerankRequest) -> Iterator[dict[str, Any]]:
    scores = script.scores
    if scores is None:
        wanted = set(request.query.lower().split())
        made_up = [(i, _overlap(wanted, text)) for i, text in enumerate(request.documents)]
        made_up.sort(key=lambda pair: -pair[1])
        scores = made_up[: len(made_up) if request.top_n is UNSET else request.top_n]
    for index, score in scores:
        yield {"type": "score", "index": index, "score": score}
    yield from _usage(script, Usage(sum(map(_words, (request.query, *request.documents)))))


def _usage(script: FakeAnswer, counted: Usage) -> Iterator[dict[str, Any]]:
    usage = counted if script.usage is UNSET else script.usage
    if usage is None:
        return
    if not isinstance(usage, Usage):
        usage = Usage(*usage)
    yield {"type": "usage", **attrs.asdict(usage, recurse=False)}


def hash_vector(text: str, size: int = DIMENSIONS) -> array[float]:
    """Return a vector of length 1 that depends on the text alone."""
    values: list[float] = []
    block = 0
    while len(values) < size:
        digest = hashlib.sha256(f"{block}:{text}".encode()).digest()
        values.extend(byte / 127.5 - 1.0 for byte in digest)
        block += 1
    values = values[:size]
    length = sum(value * value for value in values) ** 0.5 or 1.0
    return array("f", (value / length for value in values))


def _overlap(wanted: set[str], text: str) -> float:
    words = set(text.lower().split())
    return len(wanted & words) / len(wanted | words) if wanted | words else 0.0


def _said(request: ChatRequest | CompletionRequest | SummarizeRequest) -> str:
    if isinstance(request, CompletionRequest):
        return request.prompt
    if isinstance(request, SummarizeRequest):
        return request.text
    for message in reversed(request.messages):
        if message.role == "user":
            return message.text
    return ""


def _input_text(request: Request) -> str:
    if isinstance(request, ChatRequest | CountRequest):
        system = "" if request.options.system is UNSET else request.options.system
        return " ".join((system, *(message.text for message in request.messages)))
    if isinstance(request, CompletionRequest):
        return request.prompt
    if isinstance(request, SummarizeRequest):
        return request.text
    return ""


def _words(text: str) -> int:
    return len(text.split())


def _pieces(text: str) -> list[str]:
    return re.findall(r"\s*\S+|\s+$", text)


_EMPTY_BY_TYPE: Mapping[str, Any] = {"string": "", "integer": 0, "number": 0, "boolean": False, "null": None}


def _instance(schema: Mapping[str, Any]) -> Any:
    """Return the plainest value that follows a JSON schema (types, enum, const, properties)."""
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type", "object")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object":
        return {name: _instance(value) for name, value in schema.get("properties", {}).items()}
    if kind == "array":
        return [_instance(schema.get("items", {"type": "null"})) for _ in range(schema.get("minItems", 0))]
    return _EMPTY_BY_TYPE.get(kind)
