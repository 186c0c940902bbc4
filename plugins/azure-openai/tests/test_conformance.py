"""The conformance kit over our samples. The samples are written by us from the documented formats."""

from __future__ import annotations

from kit_samples import ADD, CALLS, NOW, SKY, asked

import jackfield_azure_openai
from jackfield import ContentFilteredError, NotFoundError, Usage
from jackfield.testing import Case, conformance

WITH_TOOLS = asked(tools=(ADD, NOW))
STREAMED_TOOLS = asked(stream=True, tools=(ADD, NOW))
FORCED = asked(tools=(ADD,), tool_choice="add")
TOLD = {
    "input_audio_tokens": 0,
    "output_audio_tokens": 0,
    "accepted_prediction_tokens": 0,
    "rejected_prediction_tokens": 0,
}
USED = Usage(12, 5, 4, None, 2, TOLD)
THEIRS = "../../openai/tests/wire"  # what differs in nothing from OpenAI's


def case(wire, underlying="gpt-4o", **facts):
    name = f"my-{underlying}"
    return Case(model=name, underlying=underlying, declared={"id": name}, wire=wire, **facts)


@conformance(
    jackfield_azure_openai,
    case("wire/chat.sse", text=SKY, usage=USED, finish="stop", pair="sky"),
    case("wire/chat.json", text=SKY, usage=USED, finish="stop", pair="sky"),
    case("wire/tools.sse", request=STREAMED_TOOLS, tool_calls=CALLS, finish="tool_calls", pair="add"),
    case("wire/tools.json", request=WITH_TOOLS, tool_calls=CALLS, finish="tool_calls", pair="add"),
    case(f"{THEIRS}/forced_tool.json", request=FORCED, finish="tool_calls", shows=("tool_choice",)),
    case(f"{THEIRS}/refusal.json", text="", finish="refusal"),
    case(f"{THEIRS}/two_choices.json", text="Yes", finish="length"),
    case("wire/blocked_answer.json", "gpt-35-turbo", text="", finish="content_filter"),
    case("wire/asynchronous.sse", text="The sky is blue.", finish="content_filter"),
    case(
        f"{THEIRS}/response.sse",
        "o3-pro",
        request=STREAMED_TOOLS,
        text="I add.",
        thinking="Add them.",
        tool_calls=CALLS[:1],
        usage=Usage(12, 30, 4, None, 20),
        finish="tool_calls",
        pair="response",
    ),
    case(
        f"{THEIRS}/response.json",
        "o3-pro",
        request=WITH_TOOLS,
        text="I add.",
        thinking="Add them.",
        tool_calls=CALLS[:1],
        finish="tool_calls",
        pair="response",
    ),
    case(
        f"{THEIRS}/completion.json",
        "gpt-35-turbo-instruct",
        kind="completion",
        text=" upon a time",
        usage=(1, 3),
        finish="length",
    ),
    case(
        f"{THEIRS}/completion.sse",
        "gpt-35-turbo-instruct",
        kind="completion",
        text=" upon a time",
        usage=(1, 3),
    ),
    case(
        f"{THEIRS}/embedding.json",
        "text-embedding-3-small",
        kind="embedding",
        embedding=(2, 2),
        shows=("dimensions",),
    ),
    case("wire/blocked_prompt.json", status=400, error=ContentFilteredError),
    case("wire/no_deployment.json", status=404, error=NotFoundError),
    settings={"endpoint": "https://example.openai.azure.com"},
)
def test_conformance(check):
    check()
