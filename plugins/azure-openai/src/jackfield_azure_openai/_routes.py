"""Requests to deployments."""

from __future__ import annotations

from jackfield import UnsupportedError
from jackfield.plugin import Capabilities, CountRequest, ModelRef, Request, Translation
from jackfield_openai import translate as translate_openai

from ._dialect import dialect_of
from ._models import as_openai

__all__ = ["translate"]


def translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Turn a request into a wire.

    Raises:
        UnsupportedError: The model cannot honour an option, or tokens are to be counted.
    """
    if isinstance(request, CountRequest):
        raise UnsupportedError("Azure OpenAI has no endpoint that counts tokens", parameter="kind")
    return translate_openai(dialect_of(model), as_openai(model), request, capabilities)
