"""Responses, which Mistral serves without state, and the count of their tokens: OpenAI's translation.

Source: `Responses` of the Python SDK 3.7.0 (November 2026): answers are not stored, `store` and `background` can only be
False, `top_logprobs` only 0, and `reasoning` has an effort alone. The API description of 2026-08-21 does not have it yet.
"""

from __future__ import annotations

from typing import Final

import attrs

from jackfield.plugin import (
    UNSET,
    Capabilities,
    ChatRequest,
    CountRequest,
    ModelRef,
    ParameterRule,
    ReportBuilder,
    Translation,
)
from jackfield_openai import translate as openai_translate

from ._dialect import RESPONSES

__all__ = ["translate_count", "translate_response"]

_SOURCE: Final = "Python SDK 3.7.0"
_STATELESS: Final = "the service keeps no answers"


def _refused(why: str) -> ParameterRule:
    return ParameterRule(supported=False, why=why, source=_SOURCE)


_RULES: Final = {
    "store": ParameterRule(choices=(False,), why=_STATELESS, source=_SOURCE),
    "background": ParameterRule(choices=(False,), why=_STATELESS, source=_SOURCE),
    "continue_from": _refused(_STATELESS),
    "logprobs": _refused("Responses return no log probabilities"),
    "top_logprobs": _refused("Responses return no log probabilities"),
}


def translate_response(model: ModelRef, request: ChatRequest, capabilities: Capabilities) -> Translation:
    """Translate a chat into a wire for Responses."""
    return _translate(model, request, capabilities)


def translate_count(model: ModelRef, request: CountRequest, capabilities: Capabilities) -> Translation:
    """Translate a conversation into a wire for the endpoint that counts its tokens, whatever the model's route."""
    return _translate(model, request, capabilities)


def _translate(
    model: ModelRef, request: ChatRequest | CountRequest, capabilities: Capabilities
) -> Translation:
    report = ReportBuilder(request.options.unsupported, model=model.id)
    reasoning = request.options.reasoning
    if reasoning is not UNSET and reasoning.summary not in (None, False):
        report.refuse("reasoning.summary", "the service has no summaries of thinking", reasoning.summary)
        options = attrs.evolve(request.options, reasoning=attrs.evolve(reasoning, summary=None))
        request = attrs.evolve(request, options=options)
    rules = {**capabilities.parameters, **_RULES}
    made = openai_translate(RESPONSES, model, request, attrs.evolve(capabilities, parameters=rules))
    report.extend(made.report)
    return Translation(made.wire, report.finish())
