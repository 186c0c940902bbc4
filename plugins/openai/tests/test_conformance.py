"""The conformance kit over our samples. The samples are written by us from the documented formats."""

from __future__ import annotations

from kit_samples import ADD, CALLS, NOW, SKY, asked

import jackfield_openai
from jackfield import ContextLengthExceededError, QuotaExceededError, Usage
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


@conformance(
    jackfield_openai,
    Case(model="gpt-4o", wire="wire/chat.sse", text=SKY, usage=USED, finish="stop", pair="sky"),
    Case(model="gpt-4o", wire="wire/chat.json", text=SKY, usage=USED, finish="stop", pair="sky"),
    Case(
        model="gpt-4o",
        wire="wire/tools.sse",
        request=STREAMED_TOOLS,
        tool_calls=CALLS,
        finish="tool_calls",
        pair="add",
    ),
    Case(
        model="gpt-4o",
        wire="wire/tools.json",
        request=WITH_TOOLS,
        tool_calls=CALLS,
        finish="tool_calls",
        pair="add",
    ),
    Case(
        model="gpt-4o",
        wire="wire/forced_tool.json",
        request=FORCED,
        finish="tool_calls",
        shows=("tool_choice",),
    ),
    Case(model="gpt-4o", wire="wire/refusal.json", text="", finish="refusal"),
    Case(model="gpt-4o", wire="wire/two_choices.json", text="Yes", finish="length"),
    Case(model="gpt-4", wire="wire/chat.json", text=SKY),
    Case(model="gpt-3.5-turbo", wire="wire/chat.sse", text=SKY),
    Case(
        model="o3-pro",
        wire="wire/response.sse",
        request=STREAMED_TOOLS,
        text="I add.",
        thinking="Add them.",
        tool_calls=CALLS[:1],
        usage=Usage(12, 30, 4, None, 20),
        finish="tool_calls",
        pair="response",
    ),
    Case(
        model="o3-pro",
        wire="wire/response.json",
        request=WITH_TOOLS,
        text="I add.",
        thinking="Add them.",
        tool_calls=CALLS[:1],
        finish="tool_calls",
        pair="response",
    ),
    Case(
        model="gpt-3.5-turbo-instruct",
        wire="wire/completion.json",
        kind="completion",
        text=" upon a time",
        usage=(1, 3),
        finish="length",
    ),
    Case(
        model="gpt-3.5-turbo-instruct",
        wire="wire/completion.sse",
        kind="completion",
        text=" upon a time",
        usage=(1, 3),
    ),
    Case(
        model="text-embedding-3-small",
        wire="wire/embedding.json",
        kind="embedding",
        embedding=(2, 2),
        shows=("dimensions",),
    ),
    Case(model="gpt-5.2", wire="wire/count.json", kind="count", count=11),
    Case(model="gpt-4o", wire="wire/quota.json", status=429, error=QuotaExceededError),
    Case(model="gpt-4", wire="wire/too_long.json", status=400, error=ContextLengthExceededError),
)
def test_conformance(check):
    check()
