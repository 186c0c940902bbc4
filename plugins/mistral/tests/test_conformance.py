"""The conformance kit over our samples."""

from __future__ import annotations

import json

from mistral_samples import ADD, MODEL, SKY, STREAMS, THOUGHT, streamed, whole

import jackfield_mistral
from jackfield import (
    Audio,
    ContextLengthExceededError,
    Document,
    Image,
    Message,
    RateLimitError,
    Reasoning,
    Text,
    Tool,
)
from jackfield.plugin import ChatRequest, CompletionRequest, EmbedRequest, Options
from jackfield.testing import Case, conformance

TOOLS = (
    Tool(
        "add", "Add.", {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}}
    ),
    Tool("now", "Say the time."),
)
ASKED = (Message("user", "What is it?"),)
SEEN = (
    Message(
        "user",
        (Text("What is it?"), Image(data=b"x", media_type="image/png"), Document(data=b"%PDF", name="a.pdf")),
    ),
)
HEARD = (Message("user", (Text("What is it?"), Audio(data=b"RIFF", media_type="audio/wav"))),)
CALLS = (("add", {"a": 1, "b": 2}), ("now", {}))
THINK = Options(reasoning=Reasoning(effort="high"), system="Be brief.")
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
BOTH = [ADD, {"id": "Zb3De6Gh9", "function": {"name": "now", "arguments": "{}"}}]
BLUE = [THOUGHT, {"type": "text", "text": "Blue."}]
LIMIT = {
    "object": "error",
    "message": "Rate limit exceeded",
    "type": "rate_limited",
    "param": None,
    "code": "1300",
}
LONG = {
    "object": "error",
    "message": "too large for model with 32768 maximum context length",
    "type": "t",
    "code": "3051",
}
VECTOR = {
    "object": "list",
    "model": "m",
    "data": [{"index": 0, "embedding": [0.5, 1.0]}],
    "usage": {"prompt_tokens": 1, "total_tokens": 1},
}


@conformance(
    jackfield_mistral,
    Case(model=MODEL, wire=STREAMS["text"], text=SKY, pair="sky", usage=(12, 5), finish="stop", name="a stream"),
    Case(model=MODEL, wire=whole({"content": SKY}), text=SKY, pair="sky", finish="stop", name="an answer"),
    Case(model=MODEL, wire=streamed({"content": [THOUGHT]}, {"content": "Blue."}), thinking="Hm.", text="Blue.",
         pair="thinking", request=ChatRequest(SEEN, THINK, stream=True), name="streamed thinking"),
    Case(model=MODEL, wire=whole({"content": BLUE}), thinking="Hm.", text="Blue.", pair="thinking",
         request=ChatRequest(SEEN, THINK), name="thinking"),
    Case(model="mistral-large-2512", wire=STREAMS["calls"], tool_calls=CALLS, finish="tool_calls", pair="calls",
         request=ChatRequest(ASKED, Options(tools=TOOLS), stream=True), name="streamed calls"),
    Case(model="mistral-large-2512", wire=whole({"content": "", "tool_calls": BOTH}, "tool_calls"), tool_calls=CALLS,
         finish="tool_calls", pair="calls", request=ChatRequest(ASKED, Options(tools=TOOLS)), name="calls"),
    Case(model="zai-glm-5-3", wire=STREAMS["foreign calls"], tool_calls=CALLS, finish="tool_calls",
         request=ChatRequest(ASKED, Options(tools=TOOLS), stream=True), name="calls in pieces"),
    Case(model="mistral-large-2512", wire=whole({"content": "", "tool_calls": [ADD]}, "stop"), finish="tool_calls",
         request=ChatRequest(ASKED, Options(tools=TOOLS, tool_choice="add")), tool_calls=CALLS[:1], name="a forced call"),
    Case(model="mistral-large-2512", wire=whole({"content": '{"a": 1}'}), text='{"a": 1}',
         request=ChatRequest(ASKED, Options(response_format=SCHEMA)), name="a schema"),
    Case(model="mistral-large-2512", wire=whole({"content": '{"a": 1}'}), text='{"a": 1}',
         request=ChatRequest(ASKED, Options(response_format="json")), name="json"),
    Case(model="open-mistral-7b", wire=whole({"content": SKY}), text=SKY, name="a retired model"),
    Case(model="voxtral-small-latest", wire=whole({"content": SKY}), text=SKY, request=ChatRequest(HEARD), name="heard"),
    Case(model="codestral-2508", kind="completion", wire=whole({"content": " upon"}), text=" upon", usage=(12, 5),
         request=CompletionRequest("Once", Options(suffix="a time")), finish="stop", name="in the middle"),
    Case(model="mistral-embed", kind="embedding", wire=json.dumps(VECTOR).encode(), embedding=(1, 2), name="embedding"),
    Case(model="codestral-embed-2505", kind="embedding", wire=json.dumps(VECTOR).encode(), embedding=(1, 2),
         request=EmbedRequest(inputs=("a",), dimensions=2), name="dimensions"),
    Case(model=MODEL, kind="count", wire=json.dumps({"input_tokens": 7}).encode(), count=7, name="a count of tokens"),
    Case(model=MODEL, wire=json.dumps(LIMIT).encode(), status=429, error=RateLimitError, name="a limit"),
    Case(model="open-mistral-7b", wire=json.dumps(LONG).encode(), status=400, error=ContextLengthExceededError,
         name="too long"),
)  # fmt: skip
def test_conformance(check):
    check()
