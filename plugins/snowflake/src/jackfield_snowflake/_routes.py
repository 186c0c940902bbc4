"""Choose the API for a request (OpenAI's, Anthropic's, Snowflake's own, or a SQL function), and its decoder."""

from __future__ import annotations

import attrs

from jackfield import UnsupportedError
from jackfield.plugin import (
    Capabilities,
    ChatRequest,
    Decoder,
    EmbedRequest,
    ModelRef,
    Request,
    SummarizeRequest,
    Translation,
    WholeDecoder,
    Wire,
    unserved,
)
from jackfield_openai import (
    decoder as openai_decoder,
    translate as openai_translate,
)

from ._dialect import claude, openai
from ._finish import CortexDecoder
from ._models import route_of
from ._names import family_of
from ._settings import SQL_ROUTES
from ._usage import credits_of

__all__ = ["decoder", "translate"]


def translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Translate a request into a wire for the model's route.

    Raises:
        UnsupportedError: The route does not serve the request, or cannot honour an option.
    """
    route = route_of(model)
    if route in SQL_ROUTES:
        from ._sql import translate_sql

        return translate_sql(model, request, capabilities, legacy=route == "legacy_sql")
    if isinstance(request, EmbedRequest):
        from ._embeddings import translate_embedding

        return translate_embedding(model, request, capabilities)
    if isinstance(request, SummarizeRequest):
        raise UnsupportedError(
            'Snowflake\'s own summaries are SQL functions; choose route = "sql", or let a chat model summarize',
            parameter="kind",
        )
    if not isinstance(request, ChatRequest):
        raise unserved("snowflake", request)
    if route == "complete":
        from ._complete import translate_complete

        return translate_complete(model, request, capabilities)
    if route == "messages":
        return _messages(model, request, capabilities)
    return openai_translate(openai(family_of(model.known_as)), model, request, capabilities)


def _messages(model: ModelRef, request: ChatRequest, capabilities: Capabilities) -> Translation:
    from jackfield_anthropic import translate as claude_translate

    if family_of(model.known_as) != "claude":
        raise UnsupportedError(
            f"the route messages only serves Claude, not {model.id}; choose the route openai",
            parameter="route",
        )
    translation = claude_translate(claude(), model, request, capabilities)
    headers = {"anthropic-version": "2023-06-01", **translation.wire.headers}
    return attrs.evolve(translation, wire=attrs.evolve(translation.wire, headers=headers))


def decoder(model: ModelRef, wire: Wire) -> Decoder:
    """Return the decoder for the answer to a wire."""
    api = wire.meta.get("api")
    per_token = credits_of(model)
    inner: Decoder
    if api == "sql":
        from ._sql_decoder import SqlDecoder

        return CortexDecoder(SqlDecoder(wire.meta), wire.meta.get("limit"), per_token,
                             embeds=wire.meta["function"] == "embed")  # fmt: skip
    if api == "embed":
        from ._embeddings import read_embeddings

        return CortexDecoder(WholeDecoder(read_embeddings), None, per_token, embeds=True)
    if api == "messages":
        from jackfield_anthropic import decoder as claude_decoder

        return CortexDecoder(claude_decoder(claude(), wire), None, per_token)
    if api == "complete":
        from ._complete_decoder import CompleteDecoder

        inner = CompleteDecoder(wire)
    else:
        inner = openai_decoder(openai("other"), wire)
    body = wire.body if isinstance(wire.body, dict) else {}
    return CortexDecoder(inner, body.get("max_completion_tokens", body.get("max_tokens")), per_token)
