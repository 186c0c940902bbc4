"""The conformance kit over our samples. The samples are written by us from the documented formats."""

from kit_samples import ADD, CALLS, NOW, SCHEMA, SKY, THOUGHT, asked

import jackfield_vertex
from jackfield import (
    ContentFilteredError,
    ContextLengthExceededError,
    Image,
    Message,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
    Text,
    Usage,
)
from jackfield.plugin import EmbedRequest
from jackfield.testing import Case, conformance

SHOWN = (Message("user", (Text("What?"), Image(data=b"png", media_type="image/png"))),)
USED = Usage(13, 12, 3, None, 5)
MODEL, CLAUDE = "gemini-2.5-flash", "claude-sonnet-4-6"


@conformance(
    jackfield_vertex,
    *(
        Case(
            model=MODEL,
            wire=f"wire/chat.{form}",
            text=SKY,
            thinking=THOUGHT,
            usage=USED,
            finish="stop",
            pair="sky",
            shows=("reasoning",),
            request=asked(form == "sse", SHOWN, system="Be brief."),
        )
        for form in ("sse", "json")
    ),
    *(
        Case(
            model=MODEL,
            wire=f"wire/tools.{form}",
            request=asked(form == "sse", tools=(ADD, NOW)),
            text="I look.",
            tool_calls=CALLS,
            finish="tool_calls",
            pair="add",
        )
        for form in ("sse", "json")
    ),
    *(
        Case(
            model=MODEL,
            wire=f"wire/grounded.{form}",
            text="It is scättered.",
            finish="stop",
            pair="grounded",
            shows=("citations",),
        )
        for form in ("sse", "json")
    ),
    Case(
        model=MODEL,
        wire="wire/json.json",
        text='{"name":"Åre"}',
        request=asked(response_format=SCHEMA),
        finish="stop",
    ),
    Case(model=MODEL, wire="wire/json.json", request=asked(response_format="json"), finish="stop"),
    Case(
        model="gemini-pro",
        wire="wire/tools.json",
        request=asked(tools=(ADD, NOW), tool_choice="required"),
        tool_calls=CALLS,
        finish="tool_calls",
    ),
    Case(model="gemini-3-pro-preview", wire="wire/chat.sse", text=SKY, thinking=THOUGHT),
    Case(model="1234567890", underlying=MODEL, wire="wire/chat.json", text=SKY),
    Case(model=MODEL, kind="count", wire="wire/count.json", count=14),
    *(
        Case(
            model=CLAUDE, wire=f"wire/claude.{form}", text="Because of scättered light.", usage=(9, 7), finish="stop",
            pair="claude",
        )
        for form in ("sse", "json")
    ),
    *(
        Case(model="chat-bison@002", wire=f"wire/bison.{form}", text="Because of light.", finish=finish)
        for form, finish in (("sse", "other"), ("json", "stop"))
    ),
    Case(
        model="text-bison@002", kind="completion", wire="wire/text_bison.json", text="Because of light.", usage=(4, 5)
    ),
    Case(
        model="gemini-embedding-001",
        kind="embedding",
        wire="wire/embedding.json",
        embedding=[[0.5, -0.25]],
        usage=(3, None),
        request=EmbedRequest(inputs=("a",), dimensions=2, input_type="query"),
    ),
    Case(
        model="gemini-embedding-2",
        kind="embedding",
        wire="wire/embed_content.json",
        embedding=[[0.5, -0.25]],
        usage=(3, None),
    ),
    Case(model=MODEL, wire="wire/blocked.json", error=ContentFilteredError),
    Case(model=MODEL, wire="wire/overloaded.sse", error=OverloadedError),
    Case(model=MODEL, wire="wire/too_long.json", status=400, error=ContextLengthExceededError),
    Case(model=MODEL, wire="wire/busy.json", status=429, error=RateLimitError),
    Case(model=MODEL, wire="wire/quota.json", status=429, error=QuotaExceededError),
    Case(model=CLAUDE, always=("anthropic_version",), wire="wire/claude_busy.json", status=529, error=OverloadedError),
    settings={"project": "my-project", "location": "europe-west4"},
)  # fmt: skip
def test_conformance(check):
    check()
