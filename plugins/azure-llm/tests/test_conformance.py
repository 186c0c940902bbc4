"""The conformance kit over our samples. The samples are written by us from the documented formats."""

from __future__ import annotations

from kit_samples import ADD, CALLS as CLAUDES_CALLS, NOW, SCHEMA, SKY as CLAUDES_SKY, THOUGHT, asked

import jackfield_azure_llm
from jackfield import (
    ContextLengthExceededError,
    Document,
    Image,
    InvalidRequestError,
    Message,
    OverloadedError,
    RateLimitError,
    Text,
)
from jackfield.testing import Case, conformance

WITH_TOOLS = asked(tools=(ADD,))
STREAMED_TOOLS = asked(stream=True, tools=(ADD,))
CALLS = (("add", {"a": 1, "b": 2}),)
SKY = "The sky is blue 🌤."
WHY = "Wavelengths scätter."
SERVERLESS = "https://name.eastus.models.ai.azure.com"
RESOURCE = "https://name.services.ai.azure.com/models"


ANTHROPIC = "https://name.services.ai.azure.com/anthropic"
SHOWN = (
    Message(
        "user",
        (Text("What?", cache="5m"), Image(data=b"png", media_type="image/png"), Document(data=b"%PDF")),
    ),
)


def claude(wire, **facts):
    return case(f"wire/claude_{wire}", "claude-sonnet-4-6", ANTHROPIC, **facts)


def case(wire, underlying="deepseek-r1", uri=SERVERLESS, **facts):
    name = f"my-{underlying}"
    declared = {"id": name, "target_uri": uri}
    return Case(model=name, underlying=underlying, declared=declared, wire=wire, **facts)


@conformance(
    jackfield_azure_llm,
    case("wire/inline.sse", text=SKY, thinking=WHY, usage=(12, 5), finish="stop", pair="inline"),
    case("wire/inline.json", text=SKY, thinking=WHY, usage=(12, 5), finish="stop", pair="inline"),
    case("wire/apart.sse", uri=RESOURCE, text=SKY, thinking=WHY, usage=(12, 5), pair="apart"),
    case("wire/apart.json", uri=RESOURCE, text=SKY, thinking=WHY, usage=(12, 5), pair="apart"),
    case("wire/no_usage.sse", text="Hi.", usage=None, finish="stop"),
    case(
        "wire/tools.sse", "gpt-4o", request=STREAMED_TOOLS, tool_calls=CALLS, finish="tool_calls", pair="add"
    ),
    case("wire/tools.json", "gpt-4o", request=WITH_TOOLS, tool_calls=CALLS, finish="tool_calls", pair="add"),
    case("wire/embedding.json", "embed-v-4-0", kind="embedding", embedding=(2, 2)),
    case("wire/unknown_parameter.json", uri=RESOURCE, status=422, error=InvalidRequestError),
    *(
        claude(
            f"chat.{form}",
            text=CLAUDES_SKY,
            thinking=THOUGHT,
            finish="stop",
            pair="claude",
            shows=("reasoning",),
            request=asked(form == "sse", SHOWN, system="Be brief."),
        )
        for form in ("sse", "json")
    ),
    *(
        claude(
            f"tools.{form}",
            tool_calls=CLAUDES_CALLS,
            finish="tool_calls",
            pair="claude calls",
            request=asked(form == "sse", tools=(ADD, NOW), tool_choice="required"),
        )
        for form in ("sse", "json")
    ),
    claude("chat.json", request=asked(response_format=SCHEMA), text=CLAUDES_SKY),
    claude("refusal.json", text="", finish="refusal"),
    claude("count.json", kind="count", count=14),
    claude("overloaded.sse", error=OverloadedError),
    claude("too_long.json", status=400, error=ContextLengthExceededError),
    case(b'{"error":{"code":"429","message":"Rate limit is exceeded. Try again in 7 seconds."}}', "claude-sonnet-4-6",
         ANTHROPIC, status=429, error=RateLimitError, name="the resource's own limit"),
)  # fmt: skip
def test_conformance(check):
    check()
