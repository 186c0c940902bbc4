"""Which API a request goes to, and which decoder reads the answer."""

from __future__ import annotations

from jackfield import UnsupportedError
from jackfield.plugin import Capabilities, CountRequest, Decoder, ModelRef, Request, Translation, Wire
from jackfield_openai import decoder as openai_decoder, translate as openai_translate

from ._dialect import V1, dialect_of
from ._models import as_openai

__all__ = ["decoder", "translate"]


def translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Translate a request into a wire.

    Raises:
        UnsupportedError: The model does not support an option, or the request counts tokens.
    """
    if isinstance(request, CountRequest):
        raise UnsupportedError("Azure OpenAI has no endpoint that counts tokens", parameter="kind")
    return openai_translate(dialect_of(model), as_openai(model), request, capabilities)


def decoder(wire: Wire) -> Decoder:
    """Return the decoder for the answer to a wire; both APIs have the same answers."""
    return openai_decoder(V1, wire)
