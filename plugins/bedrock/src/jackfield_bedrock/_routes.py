"""Choose the API for a request: Converse, InvokeModel with a native body, or OpenAI's APIs."""

from __future__ import annotations

from functools import lru_cache

import attrs

from jackfield import ConfigurationError, ParameterNote, ParameterReport
from jackfield.plugin import (
    Capabilities,
    ChatRequest,
    CompletionRequest,
    CountRequest,
    Decoder,
    EmbedRequest,
    ModelRef,
    Request,
    Translation,
    WholeDecoder,
    Wire,
    unserved,
)

from ._converse import translate_chat
from ._converse_decoder import ConverseDecoder
from ._models import ROUTES, route_of, row_of
from ._settings import MANTLE, mantle_url

__all__ = ["decoder", "translate"]


def translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Translate a request into one wire; the report contains its route and the reason for it.

    Raises:
        UnsupportedError: The model does not support this kind of request, or cannot honour an option.
        ConfigurationError: The declared route is not one of the model's.
    """
    if isinstance(request, EmbedRequest):
        from ._embeddings import translate_embedding

        return translate_embedding(model, request, capabilities)
    route, why = route_of(model)
    if isinstance(request, CountRequest):
        from ._count import translate_count

        return translate_count(model, request, capabilities, native=route in ("invoke", "messages"))
    if isinstance(request, CompletionRequest):
        from ._completion import translate_completion

        route, why = "invoke", "only native bodies complete text"
        translation = translate_completion(model, request, capabilities)
    elif not isinstance(request, ChatRequest):
        raise unserved("bedrock", request)
    elif route == "converse":
        translation = translate_chat(model, request, capabilities)
    elif route in ("invoke", "messages"):
        from ._invoke import translate_native

        translation = translate_native(model, request, capabilities, messages=route == "messages")
    else:
        translation = _translate_openai(model, request, capabilities, route)
    return Translation(translation.wire, ParameterReport((_note(route, why), *translation.report.notes)))


@lru_cache(maxsize=64)
def _note(route: str, why: str) -> ParameterNote:
    return ParameterNote("route", "sent", None, route, f"{ROUTES[route]}; {why}")


def _translate_openai(
    model: ModelRef, request: ChatRequest, capabilities: Capabilities, route: str
) -> Translation:
    """Translate a chat in OpenAI's dialect. Only the runtime endpoint is known to apply a guardrail."""
    from jackfield_openai import translate as openai_translate

    from ._dialect import openai

    settings = model.settings
    headers = dict(settings.native_headers) if settings is not None else {}
    if route == "openai":
        prefix = "/openai/v1"
    else:
        if getattr(settings, "guardrail_id", None) is not None:
            raise ConfigurationError(
                f"the connection's guardrail would not apply to {model.id} on the route {route}; "
                "use converse, invoke or openai"
            )
        prefix, headers = mantle_url(settings) + row_of(model.known_as).get("mantle", "/v1"), {}
    tier = getattr(settings, "service_tier", None)
    declared = {**model.declared, "route": "responses" if route == "responses" else "chat"}
    translation = openai_translate(
        openai(prefix), attrs.evolve(model, declared=declared), request, capabilities
    )
    body = translation.wire.body if tier is None else {"service_tier": tier, **translation.wire.body}
    headers.pop("X-Amzn-Bedrock-Service-Tier", None)
    wire = attrs.evolve(
        translation.wire,
        body=body,
        headers={**translation.wire.headers, **headers},
        auth=None if route == "openai" else MANTLE,
        meta={**translation.wire.meta, "family": "openai"},
    )
    return Translation(wire, translation.report)


def decoder(wire: Wire) -> Decoder:
    """Return the decoder for the answer to a wire."""
    family = wire.meta.get("family")
    if family == "converse":
        return ConverseDecoder(wire.meta.get("json_tool"), stream=wire.stream)
    if family == "openai":
        from jackfield_openai import decoder as openai_decoder

        from ._dialect import OPENAI

        return openai_decoder(OPENAI, wire)
    if family == "count":
        from ._count import read_count

        return WholeDecoder(read_count)
    from ._invoke_decoder import native_decoder

    return native_decoder(wire)
