"""Choose the API for a request, and the decoder for its answer."""

from __future__ import annotations

import attrs

from jackfield.plugin import Capabilities, Decoder, EmbedRequest, ModelRef, Request, Translation, Wire

from ._invoke import with_envelope
from ._models import ModeRow, mode_of, modes

__all__ = ["decoder", "translate"]


def translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Translate a request into a wire for the endpoint's mode.

    Raises:
        UnsupportedError: The mode does not support this kind of request, or cannot honour an option.
    """
    mode = mode_of(model)
    made = _translate_for_mode(mode, model, request, capabilities)
    return Translation(with_envelope(made.wire, mode, model), made.report)


def _translate_for_mode(
    mode: ModeRow, model: ModelRef, request: Request, capabilities: Capabilities
) -> Translation:
    if mode.dialect is not None:
        return _translate_in_dialect(mode, model, request, capabilities)
    if mode.name == "template":
        from ._template import translate_by_template

        return translate_by_template(model, request, capabilities)
    if isinstance(request, EmbedRequest):
        from ._embeddings import translate_embedding

        return translate_embedding(mode, model, request, capabilities)
    from ._completion import translate_text

    return translate_text(mode, model, request, capabilities)


def _translate_in_dialect(
    mode: ModeRow, model: ModelRef, request: Request, capabilities: Capabilities
) -> Translation:
    """Translate a request in a dialect; a declared `model_name` is written into the body."""
    from . import _dialect

    if mode.dialect == "anthropic":
        from jackfield_anthropic import translate as translate_claude

        made = translate_claude(_dialect.CLAUDE, model, request, capabilities)
    elif mode.dialect == "cohere":
        from jackfield_cohere import translate as translate_cohere

        made = translate_cohere(_dialect.COHERE, model, request, capabilities)
    else:
        from jackfield_openai import translate as translate_openai

        made = translate_openai(_dialect.OPENAI, model, request, capabilities)
    name = model.declared.get("model_name")
    if name is None:
        return made
    wire: Wire = made.wire
    return attrs.evolve(made, wire=attrs.evolve(wire, body={"model": name, **wire.body}))


def decoder(wire: Wire) -> Decoder:
    """Return the decoder for the answer to a wire."""
    inner = _decoder_of(wire)
    if not wire.stream:
        return inner
    from ._invoke_decoder import EnvelopeDecoder

    return EnvelopeDecoder(inner, wire.meta.get("framing"))


def _decoder_of(wire: Wire) -> Decoder:
    mode = modes()[wire.meta["mode"]]
    if mode.dialect is not None:
        return _decoder_in_dialect(mode.dialect, wire)
    if mode.name == "template":
        from ._template_decoder import TemplateDecoder

        return TemplateDecoder(wire)
    if wire.meta["api"] == "embedding":
        from ._embeddings import embedding_decoder

        return embedding_decoder(wire.meta["inputs"])
    from ._completion_decoder import TextDecoder

    return TextDecoder(wire)


def _decoder_in_dialect(dialect: str, wire: Wire) -> Decoder:
    """Return the decoder for an answer in a dialect."""
    from . import _dialect

    if dialect == "anthropic":
        from jackfield_anthropic import decoder as claude_decoder

        return claude_decoder(_dialect.CLAUDE, wire)
    if dialect == "cohere":
        from jackfield_cohere import decoder as cohere_decoder

        return cohere_decoder(_dialect.COHERE, wire)
    from jackfield_openai import decoder as openai_decoder

    return openai_decoder(_dialect.OPENAI, wire)
