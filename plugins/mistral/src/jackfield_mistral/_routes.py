"""Which API a request goes to, and which decoder reads the answer: OpenAI's translation, with what Mistral changes."""

from __future__ import annotations

from typing import Final

import attrs

from jackfield.plugin import (
    Capabilities,
    ChatRequest,
    CompletionRequest,
    CountRequest,
    Decoder,
    ModelRef,
    ParameterRule,
    Request,
    Translation,
    Wire,
)
from jackfield_openai import decoder as openai_decoder, translate as openai_translate

from ._chat import translate_chat
from ._dialect import FIM, MISTRAL, RESPONSES

__all__ = ["decoder", "translate"]

_NO_LOGPROBS: Final = ParameterRule(
    supported=False, why="fill-in-the-middle does not return log probabilities", source="Python SDK 3.7.0"
)
_FIM_RULES: Final = {"logprobs": _NO_LOGPROBS, "top_logprobs": _NO_LOGPROBS}


def translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Translate a request into one wire.

    Raises:
        UnsupportedError: The service or the model does not support something.
    """
    if isinstance(request, ChatRequest):
        if model.declared.get("route") == "responses":
            from ._responses import translate_response

            return translate_response(model, request, capabilities)
        return translate_chat(model, request, capabilities)
    if isinstance(request, CountRequest):
        from ._responses import translate_count

        return translate_count(model, request, capabilities)
    if isinstance(request, CompletionRequest):
        rules = {**capabilities.parameters, **_FIM_RULES}
        return openai_translate(FIM, model, request, attrs.evolve(capabilities, parameters=rules))
    return openai_translate(MISTRAL, model, request, capabilities)


def decoder(wire: Wire) -> Decoder:
    """Return the decoder for the answer to a wire; fill-in-the-middle has the same answers as chat."""
    return openai_decoder(RESPONSES if wire.meta.get("api") == "responses" else MISTRAL, wire)
