"""Map a connection to a provider and a model name of genai-prices."""

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
"""Providers with another name in the data; all others have the same name in both."""

# They sell models of other companies at prices of their own.
_PLATFORMS: Final = frozenset(NAMES)
# They are paid by the hour, in credits, or not at all.
_NOT_BY_TOKENS: Final = frozenset({"onnx", "sagemaker", "snowflake"})


@attrs.frozen
class Biller:
    """The provider whose prices apply, and the names of the model there.

    Attributes:
        provider: The id of a provider of Jackfield.
        models: Names of the model, in the order in which they are tried.
    """

    provider: str
    models: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of the provider in the data."""
        return NAMES.get(self.provider, self.provider)


def biller_of(model: ModelRef, context: CostContext) -> Biller | None:
    """Return whose prices apply to a call; None if it is not paid by tokens.

    The model that the answer names precedes the alias in the request, because aliases move. On Databricks, a customer's
    own endpoint is paid by the hour, or is another provider's model, which that provider bills.
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
