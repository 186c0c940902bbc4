"""Containers that speak another service's dialect: OpenAI's, Anthropic's text completions, Cohere's."""

from __future__ import annotations

from typing import Final

import attrs

from jackfield.plugin import Capabilities, Decoder, Limits, ModelRef, Request, Translation, Wire
from jackfield_anthropic import dialect as anthropic
from jackfield_cohere import dialect as cohere
from jackfield_openai import (
    OPENAI,
    Dialect as OpenAIDialect,
    decoder as openai_decoder,
    translate as translate_openai,
)

from ._models import ModeRow

__all__ = ["capabilities_of", "decoder_of", "translate_in_dialect"]

_HERE: Final = "/"
"""Where in the container makes no difference: the envelope has the path."""

_OPENAI: Final = OpenAIDialect(
    id="sagemaker", chat_path=_HERE, completion_path=_HERE, embedding_path=_HERE, models_path=None,
    send_model=False, end="finish",
)  # fmt: skip
"""Source: djl-serving, LMI chat completions schema; text-generation-inference, Messages API (2026-11-22)."""


def _name(model: ModelRef) -> str:
    # Of a Claude that nobody names it is known that it completes text, as all of that time do.
    return "claude-2" if model.underlying is None else model.known_as


_CLAUDE: Final = anthropic.Dialect(
    id="sagemaker", name=_name, messages_path=_HERE, count_path=None, complete_path=_HERE,
    models_path=None, send_model=False, send_stream=False, body_version=None, framing="aws_eventstream",
)  # fmt: skip

_COHERE: Final = cohere.Dialect(
    id="sagemaker", paths=dict.fromkeys(("generate", "chat_v1", "embed"), _HERE), route="v1",
    send_model=False, stop="stop_sequences", base64=False,
)  # fmt: skip
"""Source: cohere-aws 0.8.18."""


def capabilities_of(mode: ModeRow, model: ModelRef) -> Capabilities:
    """Say what a dialect's own table knows of the underlying model."""
    if mode.dialect == "anthropic":
        known = anthropic.capabilities(_CLAUDE, model)
    elif mode.dialect == "cohere":
        known = cohere.capabilities(_COHERE, model)
    else:
        known = OPENAI.capabilities(model)
        # The rules are those of OpenAI's own service; a container has its own.
        known = attrs.evolve(known, parameters={})
    return known if model.underlying is not None else attrs.evolve(known, limits=Limits())


def translate_in_dialect(
    mode: ModeRow, model: ModelRef, request: Request, capabilities: Capabilities
) -> Translation:
    """Turn a request into a wire of a dialect; the model's name is written into the body where it is declared."""
    if mode.dialect == "anthropic":
        made = anthropic.translate(_CLAUDE, model, request, capabilities)
    elif mode.dialect == "cohere":
        made = cohere.translate(_COHERE, model, request, capabilities)
    else:
        made = translate_openai(_OPENAI, model, request, capabilities)
    name = model.declared.get("model_name")
    if name is None:
        return made
    wire: Wire = made.wire
    return attrs.evolve(made, wire=attrs.evolve(wire, body={"model": name, **wire.body}))


def decoder_of(dialect: str, wire: Wire) -> Decoder:
    """Give the decoder for an answer in a dialect."""
    if dialect == "anthropic":
        return anthropic.decoder(_CLAUDE, wire)
    if dialect == "cohere":
        return cohere.decoder(_COHERE, wire)
    return openai_decoder(_OPENAI, wire)
