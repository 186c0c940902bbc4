"""The conformance kit over our samples. The samples are written by us from the documented formats."""

from kit_samples import ADD, CALLS, NOW, SCHEMA, SKY, THOUGHT, asked

import jackfield_cohere
from jackfield import (
    AuthenticationError,
    ContextLengthExceededError,
    Document,
    Image,
    Message,
    QuotaExceededError,
    ServerError,
    Text,
    Usage,
)
from jackfield.plugin import CompletionRequest, EmbedRequest, Options
from jackfield.testing import Case, conformance

SHOWN = (Message("user", (Text("What?", cache="5m"), Image(data=b"png", media_type="image/png"))),)
CITED = (Message("user", (Text("Why?"), Document(text="The sky scatters.", name="Optics"))),)
USED = Usage(500, 14, 448, None, 5, {"billed_input_tokens": 5, "billed_output_tokens": 9})
USED_V1 = Usage(69, 81, details={"billed_input_tokens": 7, "billed_output_tokens": 80})
USED_GENERATE = Usage(5, 57, details={"billed_input_tokens": 5, "billed_output_tokens": 57})
EMBEDDERS = (
    "embed-v5.0-pro", "embed-v5.0-fast", "embed-english-v3.0", "embed-multilingual-light-v3.0", "embed-english-v2.0",
)  # fmt: skip
RERANKERS = (
    "rerank-v4.0-pro", "rerank-v4.0-fast", "rerank-v3.5", "rerank-multilingual-v3.0", "rerank-of-tomorrow",
)  # fmt: skip
PLUS = "command-a-plus-05-2026"


def both(name, streamed, **facts):
    """One answer, streamed and whole."""
    request = facts.pop("request", asked)
    for form in (streamed, "json"):
        yield Case(wire=f"wire/{name}.{form}", pair=name, request=request(form != "json"), **facts)


@conformance(
    jackfield_cohere,
    *both(
        "chat",
        "sse",
        model=PLUS,
        text=SKY,
        thinking=THOUGHT,
        usage=USED,
        finish="stop",
        shows=("reasoning", "citations", "images"),
        request=lambda stream: asked(stream, SHOWN, system="Be brief."),
    ),
    *both(
        "tools",
        "sse",
        model="command-a-03-2025",
        text="",
        thinking="I will add.",
        tool_calls=CALLS,
        usage=USED,
        finish="tool_calls",
        request=lambda stream: asked(stream, tools=(ADD, NOW)),
    ),
    *both(
        "json",
        "sse",
        model="command-r-08-2024",
        text='{"name":"Åre"}',
        finish="stop",
        request=lambda stream: asked(stream, response_format=SCHEMA),
    ),
    Case(model="command-r-plus", wire="wire/json.json", request=asked(response_format="json"), finish="stop"),
    Case(model="command-r7b-12-2024", wire="wire/logprobs.json", text="Hi all", finish="length"),
    Case(
        model=PLUS,
        wire="wire/tools.json",
        request=asked(tools=(ADD, NOW), tool_choice="add"),
        tool_calls=CALLS,
        finish="tool_calls",
    ),
    Case(model="command-a-reasoning-08-2025", wire="wire/chat.sse", text=SKY, thinking=THOUGHT),
    Case(model="command-a-vision-07-2025", wire="wire/chat.json", text=SKY),
    *both(
        "chat_v1",
        "ndjson",
        model="command",
        text=SKY,
        usage=USED_V1,
        finish="stop",
        shows=("citations",),
        request=lambda stream: asked(stream, CITED, system="Be brief."),
    ),
    *both("chat_v1", "ndjson", model="command-light", text=SKY),
    *both(
        "tools_v1",
        "ndjson",
        model="command-r",
        declared={"route": "v1"},
        text="I will add.",
        tool_calls=CALLS,
        finish="tool_calls",
        request=lambda stream: asked(stream, tools=(ADD, NOW)),
    ),
    *both(
        "completion",
        "ndjson",
        model="command-light",
        kind="completion",
        text=" Because of scättered light.",
        usage=USED_GENERATE,
        finish="stop",
        request=lambda stream: CompletionRequest("Why?", Options(), stream=stream),
    ),
    Case(model="command", kind="completion", wire="wire/two.json", text=" Yes", finish="length"),
    Case(
        model="command", kind="summarization", wire="wire/summary.json", text="It is short.", finish="other"
    ),
    Case(
        model="embed-v4.0",
        kind="embedding",
        wire="wire/embedding.json",
        request=EmbedRequest(inputs=("a", "b"), input_type="query", dimensions=256),
        embedding=((1.0, -2.0), (0.5, 0.25)),
    ),
    *(
        Case(model=model, kind="embedding", wire="wire/embedding.json", embedding=(2, 2), name=model)
        for model in EMBEDDERS
    ),
    *(
        Case(model=model, kind="rerank", wire="wire/rerank.json", scores=((1, 0.75), (0, 0.25)), name=model)
        for model in RERANKERS
    ),
    Case(model="command-a-03-2025", kind="count", wire="wire/count.json", count=3),
    Case(model="command-a-03-2025", wire="wire/failed.sse", error=ServerError),
    Case(model="command-a-03-2025", wire="wire/too_long.json", status=400, error=ContextLengthExceededError),
    Case(model="command-a-03-2025", wire="wire/monthly.json", status=429, error=QuotaExceededError),
    Case(model="command", wire="wire/no_key.json", status=401, error=AuthenticationError),
)
def test_conformance(check):
    check()
