"""Who sends the bill, and under which name the model stands on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from jackfield.plugin import CostContext, ModelRef

__all__ = ["Biller", "biller_of"]

NAMES: Final[Mapping[str, str]] = {
    "azure-openai": "azure",
    "azure-llm": "azure",
    "bedrock": "aws",
    "vertex": "google",
}
"""Providers of Jackfield's that the data calls by another name; all others have the same name in both."""

# They sell models of others under prices of their own.
_PLATFORMS: Final = frozenset(NAMES)
# What runs there is paid by the hour, in credits, or not at all.
_NOT_BY_TOKENS: Final = frozenset({"onnx", "sagemaker", "snowflake"})


@attrs.frozen
class Biller:
    """Where a model is looked up.

    Attributes:
        provider: The id of a provider of Jackfield's.
        models: Names of the model, the one that counts first.
    """

    provider: str
    models: tuple[str, ...]

    @property
    def name(self) -> str:
        """What the data calls the provider."""
        return NAMES.get(self.provider, self.provider)


def biller_of(model: ModelRef, context: CostContext) -> Biller | None:
    """Say who sends the bill for a call; None if it is nobody who charges by tokens.

    A model that the answer names counts more than the alias that was asked for: aliases move. On Databricks
    an endpoint of the customer's own is paid by the hour, or is another provider's model, which that provider bills.
    """
    provider = context.provider
    if provider is None or provider in _NOT_BY_TOKENS:
        return None
    reported = (context.reported_model,) if context.reported_model else ()
    if provider == "databricks":
        if model.underlying is None:
            return Biller(provider, (model.id,))
        prefix, _, name = model.underlying.partition(":")
        if not name or prefix in _NOT_BY_TOKENS or prefix == "databricks":
            return None
        return Biller(prefix, (name,))
    return Biller(provider, tuple(dict.fromkeys((*reported, model.known_as))))
