"""Rates of serverless offers."""

from __future__ import annotations

from jackfield import Usage
from jackfield.plugin import CostContext, ModelRef, RateCard
from jackfield_anthropic import rates as claude_rates
from jackfield_azure_openai.dialect import azure_rates

from ._dialect import claude_name
from ._names import is_claude

__all__ = ["rates"]


def rates(model: ModelRef, usage: Usage, context: CostContext) -> RateCard | None:
    """Return the rates for one call; None if they are unknown.

    Claude costs in Foundry what it costs at Anthropic. Source: Microsoft's page on Claude Consumption Units (2026);
    litellm 1.109.1 (November 2026) has the same amounts.
    """
    name = claude_name(model)
    if is_claude(name or context.reported_model):
        return claude_rates(name, usage, context)
    return azure_rates(model, usage, context, "foundry")
