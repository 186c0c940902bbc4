"""Which way a model is asked: OpenAI's form, Anthropic's, Snowflake's own, or a SQL function."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

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
    Dialect as OpenAIDialect,
    decoder as openai_decoder,
    translate as openai_translate,
)

from ._finish import CortexDecoder
from ._models import claude_name, family_of, route_of
from ._settings import SQL_ROUTES
from ._usage import credits_of

__all__ = ["claude", "decoder", "openai", "translate"]

BASE: Final = "/api/v2/cortex"


@lru_cache(maxsize=8)
def openai(family: str) -> OpenAIDialect:
    """Give the dialect of OpenAI's form for a family of models.

    Sources: docs.snowflake.com, Cortex REST API (2026); recorded 2026: Claude takes `reasoning.effort`, an answer has its
    thinking in `reasoning_details`, and a stream ends with `[DONE]` and without a finish reason.
    """
    return OpenAIDialect(
        id="snowflake",
        chat_path=f"{BASE}/v1/chat/completions",
        models_path=None,
        max_tokens="max_completion_tokens",
        cache_mark="cache_control",
        effort="reasoning.effort" if family == "claude" else "reasoning_effort",
        end="finish",
    )


@lru_cache(maxsize=1)
def claude() -> Any:
    """Give the dialect of Anthropic's form. Source: docs.snowflake.com, Cortex REST API, messages (2026)."""
    from jackfield_anthropic import Dialect

    return Dialect(
        id="snowflake",
        name=claude_name,
        messages_path=f"{BASE}/v1/messages",
        count_path=None,
        complete_path=None,
        models_path=None,
        api_version="2023-06-01",
    )


def translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Turn a request into one wire for the model's route.

    Raises:
        UnsupportedError: The route serves no such request, or cannot honour an option.
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
            'summaries of Snowflake\'s own are SQL functions; choose route = "sql", or let a chat model summarize',
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
            f"the route messages carries Claude alone, not {model.id}; choose the route openai",
            parameter="route",
        )
    made = claude_translate(claude(), model, request, capabilities)
    headers = {"anthropic-version": "2023-06-01", **made.wire.headers}
    return attrs.evolve(made, wire=attrs.evolve(made.wire, headers=headers))


def decoder(model: ModelRef, wire: Wire) -> Decoder:
    """Give the decoder for the answer to a wire."""
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
