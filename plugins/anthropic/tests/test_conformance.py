"""The conformance kit over our samples. The samples are written by us from the documented formats."""

from kit_samples import ADD, CALLS, NOW, SCHEMA, SKY, THOUGHT, asked

import jackfield_anthropic
from jackfield import (
    ContextLengthExceededError,
    Document,
    Image,
    Message,
    OverloadedError,
    QuotaExceededError,
    Text,
    Usage,
)
from jackfield.testing import Case, conformance

SHOWN = (
    Message(
        "user",
        (Text("What?", cache="5m"), Image(data=b"png", media_type="image/png"), Document(data=b"%PDF")),
    ),
)
TOLD = {"cache_write_5m_tokens": 1, "cache_write_1h_tokens": 3}
USED = Usage(16, 7, 3, 4, 5, TOLD)
MODEL = "claude-sonnet-4-6"


@conformance(
    jackfield_anthropic,
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
            wire=f"wire/served.{form}",
            text="It is scattered.",
            finish="stop",
            pair="served",
            shows=("citations",),
        )
        for form in ("sse", "json")
    ),
    *(
        Case(model=MODEL, wire=f"wire/refusal.{form}", text="", finish="refusal", pair="refusal")
        for form in ("sse", "json")
    ),
    *(
        Case(
            model="claude-3-haiku-20240307",
            wire=f"wire/json.{form}",
            text='{"name":"Åre"}',
            pair="json",
            request=asked(form == "sse", response_format=SCHEMA),
            finish="stop",
        )
        for form in ("sse", "json")
    ),
    Case(model=MODEL, wire="wire/json.json", request=asked(response_format="json"), finish="stop"),
    Case(model=MODEL, wire="wire/paused.json", finish="pause"),
    Case(
        model=MODEL,
        wire="wire/tools.json",
        request=asked(tools=(ADD, NOW), tool_choice="required"),
        tool_calls=CALLS,
        finish="tool_calls",
    ),
    Case(model="claude-fable-5-2", wire="wire/chat.sse", text=SKY, thinking=THOUGHT),
    Case(model="claude-sonnet-5-5", wire="wire/chat.json", text=SKY),
    Case(model=MODEL, kind="count", wire="wire/count.json", count=14),
    *(
        Case(
            model="claude-2.1",
            kind="completion",
            wire=f"wire/completion.{form}",
            text=" Because of scättered light.",
            usage=None,
            finish="stop",
            pair="legacy",
        )
        for form in ("sse", "json")
    ),
    Case(model="claude-instant-1.2", kind="completion", wire="wire/completion.json", finish="stop"),
    Case(model=MODEL, wire="wire/overloaded.sse", error=OverloadedError),
    Case(model=MODEL, wire="wire/too_long.json", status=400, error=ContextLengthExceededError),
    Case(model=MODEL, wire="wire/no_money.json", status=400, error=QuotaExceededError),
)
def test_conformance(check):
    check()
