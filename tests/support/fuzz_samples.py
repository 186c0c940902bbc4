"""Answers to make mutants of: the samples of a plugin's conformance test, and recorded traffic that the plugin reads.

The recordings are beside the repository (`recordings`); where they are missing there are the samples alone.
"""

from __future__ import annotations

import base64
import functools
import importlib.util
import json
import site
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import recordings
from mutations import Body, in_envelope, is_envelope, out_of_envelope

from jackfield import ConfigurationError, Cost, Message, Usage
from jackfield._types.billing import compute_cost
from jackfield.plugin import (
    ChatRequest,
    CompletionRequest,
    CostContext,
    EmbedRequest,
    Head,
    Headers,
    ModelRef,
    Wire,
)
from jackfield.testing import encode_aws_event, translated
from jackfield.testing._decoding import Decoded, decode_wire
from jackfield.testing._subject import Subject

__all__ = ["PLUGINS", "Sample", "kit_samples", "recorded_samples", "subjects_of"]

ROOT: Final = Path(__file__).resolve().parents[2]
PLUGINS: Final = tuple(
    path.parent.relative_to(ROOT) for path in sorted(ROOT.glob("plugins/*/pyproject.toml"))
)
_EVENT_STREAM: Final = "application/vnd.amazon.eventstream"
_TYPES: Final = {
    "sse": "text/event-stream",
    "eventstream": _EVENT_STREAM,
    "ndjson": "application/stream+json",
}
_NAMED: Final = ("anthropic.", "cohere.", "vertex.streamRawPredict")
_NOW: Final = 1_767_225_600.0
_HUMAN: Final = (Message("user", "Hi"),)


@attrs.frozen(slots=False)
class Sample:
    """An answer that a plugin's decoder reads.

    Attributes:
        group: The API, or the kit's samples.
        label: Which it is.
        plugin: The plugin.
        hooks: Its bound hooks.
        model: The model that answered.
        wire: The request.
        head: The answer's head.
        body: The answer's body; of SageMaker's streams, the container's.
        is_enveloped: The body is sent in SageMaker's envelope.
    """

    group: str
    label: str
    plugin: Any
    hooks: Any
    model: ModelRef
    wire: Wire
    head: Head
    body: Body
    is_enveloped: bool = False

    @property
    def is_failure(self) -> bool:
        """The answer is an error by its status."""
        return (self.head.status or 200) >= 400

    @functools.cached_property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.body.write())

    def decoded(self, data: bytes, step: int | None = None) -> Decoded:
        """Decode bytes in place of the answer's own, in pieces of so many bytes."""
        if self.is_enveloped:
            data = in_envelope(data)
        chunks = [data] if step is None else [data[at : at + step] for at in range(0, len(data), step)]
        return decode_wire(self.hooks, self.model, self.wire, self.head, chunks)

    def cost(self, usage: Usage) -> Cost:
        """Return what an answer costs; `cost_of` of the author's kit binds the plugin anew each time."""
        known = CostContext(when=_NOW, kind=self.model.kind, input_tokens=usage.input_tokens)
        answer = self.hooks.cost(self.model, usage, known)
        return answer if isinstance(answer, Cost) else compute_cost(usage, answer)


def subjects_of(plugin: Path) -> list[Subject]:
    """Return what the plugin's conformance tests check; nothing if it has no such test."""
    folder = ROOT / plugin / "tests"
    path = folder / "test_conformance.py"
    if not path.is_file():
        return []
    for place in (ROOT / "tests" / "support", folder):
        site.addsitedir(str(place))  # pytest has them in its path already
    spec = importlib.util.spec_from_file_location(f"conformance_of_{plugin.name.replace('-', '_')}", path)
    if spec is None or spec.loader is None:
        return []
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    marks = [mark for value in vars(module).values() for mark in getattr(value, "pytestmark", ())]
    checks = [param.values[0] for mark in marks if mark.name == "parametrize" for param in mark.args[1]]
    makers = {id(check.subject): check.subject for check in checks if hasattr(check, "subject")}
    return [make() for make in makers.values()]


def kit_samples(subject: Subject) -> Iterator[Sample]:
    """Yield the samples of a conformance test."""
    for case in subject.cases:
        if case.in_process:
            continue
        data, wire = subject.body(case), subject.wire(case)
        head = case.head(data)
        kind = head.headers.get("content-type", "")
        is_enveloped = kind == _EVENT_STREAM and is_envelope(data)
        if is_enveloped:
            data, kind = _opened(data, head.headers)
        body = Body.read(data, kind, stream=wire.stream and (head.status or 200) < 400)
        if body.events:
            ref, hooks, label = subject.ref(case), subject.hooks, case.label[:60]
            yield Sample("samples", label, subject.plugin, hooks, ref, wire, head, body, is_enveloped)


def _opened(data: bytes, headers: Mapping[str, str]) -> tuple[bytes, str]:
    """Return a container's stream out of SageMaker's envelope, and its type."""
    data = out_of_envelope(data)
    inner = headers.get("x-amzn-sagemaker-content-type", "")
    is_sse = "event-stream" in inner or data.startswith((b"data:", b"event:"))
    return data, _TYPES["sse" if is_sse else "ndjson"]


# -- recorded traffic --------------------------------------------------------------------------------------------

_MakeWire = Callable[[Mapping[str, Any], ModelRef, Any], Wire | None]


def _by(**meta: Any) -> _MakeWire:
    """Make wires that say by their `meta` what reads the answer."""

    def make(row: Mapping[str, Any], _: ModelRef, __: Any) -> Wire:
        asked = (row.get("request") or {}).get("body")
        return Wire("/", asked if isinstance(asked, dict) else {}, stream=row["stream"], meta=meta)

    return make


def _invoked(row: Mapping[str, Any], model: ModelRef, plugin: Any) -> Wire | None:
    """Make the wire of a plain request of the kind that a line of Bedrock's InvokeModel shows."""
    try:
        known = plugin.jackfield_capabilities(model)
    except ConfigurationError:  # asked of a model that there is not
        return None
    stream, whole = row["stream"], row["response"]["body"]
    if "embedding" in known.kinds:
        return translated(plugin, model, EmbedRequest(inputs=("Hi",))).wire
    plain = "chat" not in known.kinds or (isinstance(whole, dict) and "outputs" in whole)
    request = CompletionRequest("Hi", stream=stream) if plain else ChatRequest(_HUMAN, stream=stream)
    return translated(plugin, model, request).wire


def _in_container(mode: str, request: Callable[[bool], Any]) -> _MakeWire:
    """Make wires of SageMaker endpoints of a mode."""

    def make(row: Mapping[str, Any], model: ModelRef, plugin: Any) -> Wire:
        declared = {"id": "my-endpoint", "mode": mode}
        known = attrs.evolve(model, id="my-endpoint", declared=declared, underlying="gpt-4o")
        return translated(plugin, known, request(row["stream"])).wire

    return make


def _text(stream: bool) -> CompletionRequest:
    return CompletionRequest("x", stream=stream)


_CHAT, _TEXT, _VECTORS = _by(api="chat"), _by(api="completion"), _by(api="embedding")
_RESPONSES, _CLAUDE = _by(api="responses"), _by(api="messages")
_READS: Final[Mapping[str, Mapping[str, _MakeWire]]] = {
    "anthropic": {
        "anthropic.messages": _CLAUDE, "anthropic.complete": _by(api="complete"), "anthropic.count_tokens": _by(api="count"),
    },
    "azure-llm": {
        "azure_ml.chat": _CHAT, "compat.chat": _CHAT, "anthropic.messages": _by(api="messages", route="messages"),
    },
    "azure-openai": {
        "azure_openai.chat": _CHAT, "azure_openai.completions": _TEXT, "azure_openai.embeddings": _VECTORS,
        "azure_openai.responses": _RESPONSES, "openai.chat": _CHAT, "openai.completions": _TEXT, "openai.embeddings": _VECTORS,
        "openai.responses": _RESPONSES,
    },
    "bedrock": {
        "bedrock.converse": _by(family="converse"), "bedrock.converse_stream": _by(family="converse"),
        "bedrock.invoke": _invoked, "bedrock.invoke_stream": _invoked, "bedrock.count_tokens": _by(family="count"),
        "bedrock.openai_chat": _by(family="openai", api="chat"), "bedrock.openai_responses": _by(family="openai", api="responses"),
    },
    "cohere": {
        "cohere.chat_v1": _by(api="chat_v1"), "cohere.chat_v2": _CHAT, "cohere.generate": _by(api="generate"),
        "cohere.summarize": _by(api="summarize"), "cohere.embed_v1": _by(api="embed"), "cohere.embed_v2": _by(api="embed"),
        "cohere.rerank_v1": _by(api="rerank"), "cohere.rerank_v2": _by(api="rerank"), "cohere.tokenize": _by(api="tokenize"),
    },
    "databricks": {
        "databricks.chat": _CHAT, "databricks.embeddings": _VECTORS, "openai.chat": _CHAT,
        "anthropic.messages": _by(api="messages", route="messages"), "openai.responses": _by(api="responses", route="responses"),
    },
    "mistral": {
        "mistral.chat": _CHAT, "mistral.agents_chat": _CHAT, "mistral.fim": _TEXT, "mistral.embeddings": _VECTORS,
        "openai.responses": _RESPONSES,
    },
    "openai": {
        "openai.chat": _CHAT, "openai.completions": _TEXT, "openai.embeddings": _VECTORS, "openai.responses": _RESPONSES,
        "compat.chat": _CHAT, "hf.chat": _CHAT, "hf.completions": _TEXT, "hf.embeddings": _VECTORS,
    },
    "sagemaker": {
        "sagemaker.invoke": _in_container("lmi", _text), "sagemaker.invoke_stream": _in_container("lmi", _text),
        "hf.generate": _in_container("tgi", _text), "hf.feature_extraction": _in_container("embedding", lambda _: EmbedRequest(inputs=("x",))),
        "hf.chat": _in_container("openai", lambda stream: ChatRequest(_HUMAN, stream=stream)),
    },
    "snowflake": {
        "snowflake.complete": _by(api="complete"), "snowflake.openai_chat": _CHAT, "openai.chat": _CHAT,
        "anthropic.messages": _CLAUDE,
    },
    "vertex": {
        "vertex.generateContent": _by(family="gemini"), "vertex.streamGenerateContent": _by(family="gemini"),
        "vertex.countTokens": _by(family="count"), "vertex.rawPredict": _by(family="claude", api="messages"),
        "vertex.streamRawPredict": _by(family="claude", api="messages"), "vertex.predict_palm": _by(family="palm"),
        "vertex.serverStreamingPredict": _by(family="palm"), "vertex.predict_embeddings": _by(family="embedding"),
        "vertex.embedContent": _by(family="embedding"),
    },
}  # fmt: skip
"""What reads which recordings: those of the plugin's own service, and of the services whose dialects it reads, too."""


def recorded_samples(name: str, subjects: Sequence[Subject]) -> Iterator[Sample]:
    """Yield the recorded answers that a plugin reads; nothing where the recordings are missing."""
    reads = _READS.get(name, {})
    if not subjects or not reads or not recordings.are_here():
        return
    subject = subjects[0]
    for file in dict.fromkeys(api.partition(".")[0] for api in reads):
        for row in recordings.recorded(file):
            if row["api"] in reads:
                yield from _sample_of(row, reads[row["api"]], subject)


def _sample_of(row: Mapping[str, Any], make: _MakeWire, subject: Subject) -> Iterator[Sample]:
    declared = {"route": "invoke"} if make is _invoked else {}
    model = ModelRef(row["model"] or "unknown.model", "c", declared=declared, settings=subject.settings)
    wire = make(row, model, subject.plugin)
    if wire is None:
        return
    data, kind = _bytes(row)
    if row["api"].startswith("cohere.chat_v1") and wire.stream:
        wire = attrs.evolve(wire, framing="jsonlines")
    status = row["response"]["status"]
    headers = {**(row["response"].get("headers") or {}), "content-type": _TYPES.get(kind, "application/json")}
    streamed = wire.stream and status < 400
    is_enveloped = subject.name.endswith("sagemaker") and streamed
    inner = headers["content-type"]
    if is_enveloped:
        if kind == "eventstream":
            data, inner = _opened(data, headers)
        headers.setdefault("x-amzn-sagemaker-content-type", inner)
        headers["content-type"] = _EVENT_STREAM
    body = Body.read(data, inner, stream=streamed)
    if body.events:
        head = Head(status, Headers(headers))
        yield Sample(
            row["api"], row["id"], subject.plugin, subject.hooks, model, wire, head, body, is_enveloped
        )


def _bytes(row: Mapping[str, Any]) -> tuple[bytes, str]:
    """Return the bytes of a recorded answer, and how they are framed; events that were recorded parsed are framed again."""
    kind, body, api = row["response"]["body_kind"], row["response"]["body"], row["api"]
    if kind == "eventstream":
        return base64.b64decode(body), kind
    if kind in ("sse", "ndjson", "text"):
        return body.encode(), kind
    if kind != "parsed_events":
        return json.dumps(body).encode(), "json"
    if api.startswith("bedrock.") and "openai" not in api:
        return b"".join(_aws_event(api, event) for event in body), "eventstream"
    named = api.startswith(_NAMED)
    events = [
        (f"event: {event['type']}\n" if named else "") + f"data: {json.dumps(event)}\n\n" for event in body
    ]
    end = [] if named or api.startswith("vertex.") else ["data: [DONE]\n\n"]
    return "".join([*events, *end]).encode(), "sse"


def _aws_event(api: str, event: dict[str, Any]) -> bytes:
    if api == "bedrock.invoke_stream":
        payload: Any = {"bytes": base64.b64encode(json.dumps(event).encode()).decode()}
        name = "chunk"
    else:
        ((name, payload),) = event.items()
    return encode_aws_event({":message-type": "event", ":event-type": name}, json.dumps(payload).encode())
