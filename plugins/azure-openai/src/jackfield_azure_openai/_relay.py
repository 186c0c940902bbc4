"""Hand a client's request on as it came: Azure has OpenAI's own API."""

from __future__ import annotations

from collections.abc import Mapping

from jackfield.plugin import ModelRef, Wire
from jackfield_openai.dialect import relay as relay_openai

from ._dialect import dialect_of
from ._models import as_openai

__all__ = ["relay"]


def relay(model: ModelRef, surface: str, headers: Mapping[str, str], body: bytes) -> Wire | None:
    """Return the wire that hands a request on to a deployment; None if it must be translated."""
    return relay_openai(dialect_of(model), as_openai(model), surface, headers, body)
