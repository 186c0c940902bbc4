"""Translate `reasoning`: efforts, budgets, summaries."""

import pytest
from anthropic_requests import body, fates, made

from jackfield import Reasoning, UnsupportedError

REASONING = {
    ("claude-sonnet-4-6", "high"): ({"effort": "high"}, {"type": "adaptive"}),
    ("claude-opus-4-5", "high"): ({"effort": "high"}, None),
    ("claude-opus-5", "max"): ({"effort": "max"}, None),
    ("claude-opus-5", "none"): (None, {"type": "disabled"}),
    ("claude-haiku-4-5", "low"): (None, {"type": "enabled", "budget_tokens": 2048}),
    ("claude-haiku-4-5", "none"): (None, {"type": "disabled"}),
    ("claude-3-5-haiku-20241022", "none"): (None, None),
}


@pytest.mark.parametrize(("model", "effort"), REASONING)
def test_efforts_are_written_as_the_family_takes_them(model, effort):
    output, thinking = REASONING[model, effort]
    sent = body(model, reasoning=Reasoning(effort=effort))
    assert (sent.get("output_config"), sent.get("thinking")) == (output, thinking)


@pytest.mark.parametrize(
    ("model", "reasoning"),
    [
        ("claude-opus-4-5", Reasoning(effort="max")),
        ("claude-opus-5", Reasoning(budget_tokens=2048)),
        ("claude-fable-5", Reasoning(effort="none")),
        ("claude-sonnet-5-5", Reasoning(effort="none")),
        ("claude-3-haiku-20240307", Reasoning(effort="low")),
        ("claude-3-haiku-20240307", Reasoning(budget_tokens=2048)),
        ("claude-haiku-4-5", Reasoning(summary="auto")),
        ("claude-haiku-4-5", Reasoning(effort="enormous")),
    ],
)
def test_reasoning_that_a_model_does_not_take_is_refused(model, reasoning):
    with pytest.raises(UnsupportedError, match="reasoning"):
        made(model, reasoning=reasoning)
    assert "thinking" not in body(model, reasoning=reasoning, unsupported="drop")


def test_an_effort_is_clamped_to_the_nearest_if_it_may():
    translation = made("claude-opus-4-5", reasoning=Reasoning(effort="max"), unsupported="drop")
    assert translation.wire.body["output_config"] == {"effort": "high"}
    assert fates(translation)["reasoning.effort"] == "clamped"


def test_a_budget_that_stands_for_an_effort_fits_below_max_tokens():
    sent = body(reasoning=Reasoning(effort="high"), max_tokens=2000)
    assert sent["thinking"] == {"type": "enabled", "budget_tokens": 1999}
    with pytest.raises(UnsupportedError, match="at least 1024"):
        made(reasoning=Reasoning(effort="high"), max_tokens=1000)
    with pytest.raises(UnsupportedError, match="budget_tokens"):
        made(reasoning=Reasoning(effort="high"), emulate=False)


@pytest.mark.parametrize(
    ("budget", "most", "sent"),
    [
        (100, 4000, 1024),
        (2000, 1500, 1499),
        (1500, 1500, 1499),
        (1024, 1024, None),
        (100, 900, None),
        (1024, 1025, 1024),
    ],
)
def test_a_budget_is_at_least_1024_and_below_max_tokens(budget, most, sent):
    options = {"reasoning": Reasoning(budget_tokens=budget), "max_tokens": most}
    if sent == budget:
        assert body(**options)["thinking"]["budget_tokens"] == sent
        return
    with pytest.raises(UnsupportedError, match="at least 1024"):
        made(**options)
    dropped = made(unsupported="drop", **options)
    assert dropped.wire.body.get("thinking", {}).get("budget_tokens") == sent
    assert dropped.report["reasoning.budget_tokens"].fate == ("dropped" if sent is None else "clamped")


def test_with_interleaved_thinking_a_budget_is_for_a_whole_turn():
    extra = {"anthropic": {"betas": ["interleaved-thinking-2025-05-14"]}}
    sent = body(reasoning=Reasoning(budget_tokens=9000), max_tokens=2000, extra=extra)
    assert sent["thinking"]["budget_tokens"] == 9000
