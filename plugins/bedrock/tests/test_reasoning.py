"""Translate `reasoning`."""

import pytest
from bedrock_requests import CLAUDE, NOVA, chat

from jackfield import Reasoning, UnsupportedError


def test_efforts_and_budgets():
    effort = chat("anthropic.claude-opus-4-8", reasoning=Reasoning("high")).wire.body[
        "additionalModelRequestFields"
    ]
    assert effort == {"output_config": {"effort": "high"}, "thinking": {"type": "adaptive"}}
    note = chat(NOVA, reasoning=Reasoning("low")).report["reasoning.effort"]
    assert note.wire == "additionalModelRequestFields.reasoningConfig"
    native = chat(NOVA, declared={"route": "invoke"}, reasoning=Reasoning("low"), top_k=3).wire.body
    assert native["reasoningConfig"] == {"type": "enabled", "maxReasoningEffort": "low"}
    assert (native["inferenceConfig"], native["schemaVersion"]) == ({"topK": 3}, "messages-v1")
    off = chat(NOVA, reasoning=Reasoning("none")).wire.body["additionalModelRequestFields"]
    assert off == {"reasoningConfig": {"type": "disabled"}}
    assert chat("openai.gpt-oss-20b-1:0", reasoning=Reasoning("low")).wire.body[
        "additionalModelRequestFields"
    ] == {"reasoning_effort": "low"}
    with pytest.raises(UnsupportedError, match="low, medium, high"):
        chat(NOVA, reasoning=Reasoning("max"))
    with pytest.raises(UnsupportedError, match="not budgets"):
        chat(NOVA, reasoning=Reasoning(budget_tokens=1024))
    with pytest.raises(UnsupportedError, match="reasoning"):
        chat("amazon.titan-text-express-v1", reasoning=Reasoning("low"))
    with pytest.raises(UnsupportedError, match="temperature"):
        chat(CLAUDE, reasoning=Reasoning(budget_tokens=1024), max_tokens=4096, temperature=0.2)


@pytest.mark.parametrize("name", ["max_tokens", "temperature", "top_p"])
def test_nova_2_has_no_limits_of_its_answer_while_it_thinks_hard(name):
    value = 100 if name == "max_tokens" else 0.5
    with pytest.raises(UnsupportedError, match="effort high"):
        chat(NOVA, reasoning=Reasoning("high"), **{name: value})
    dropped = chat(NOVA, reasoning=Reasoning("high"), unsupported="drop", **{name: value})
    assert "inferenceConfig" not in dropped.wire.body
    assert chat(NOVA, reasoning=Reasoning("low"), **{name: value}).wire.body["inferenceConfig"]
