"""Which route of a workspace a request takes, and which decoder reads the answer."""

from __future__ import annotations

from typing import Final

import attrs

from jackfield import Event, UnsupportedError
from jackfield.plugin import (
    Capabilities,
    Capability,
    ChatRequest,
    Decoder,
    Head,
    ModelRef,
    Request,
    Translation,
    Wire,
    WrappedDecoder,
)
from jackfield_anthropic import (
    capabilities as of_claude,
    decoder as claude_decoder,
    translate as translate_claude,
)
from jackfield_openai import decoder as openai_decoder, translate as translate_openai

from ._chat import translate_chat
from ._dialect import CLAUDE_VERSION, claude_for, dialect_for
from ._errors import reject_page
from ._messages import thinking_for_messages
from ._models import capabilities as of_table, row_of
from ._prices import dbu
from ._usage import DbuCounter

__all__ = ["capabilities", "decoder", "route_of", "translate"]

_ROUTES: Final = ("compatible", "invocations", "gateway", "responses", "messages")
"""The values of a model's `route`. Sources: docs.databricks.com (2026), litellm 1.109.1.

compatible: `/serving-endpoints/chat/completions` and its siblings, the model in the body.
invocations: `/serving-endpoints/{endpoint}/invocations` for all requests; the service infers the kind from the body.
gateway: `/ai-gateway/mlflow/v1/chat/completions`, for models named `system.ai.…`.
responses: `/serving-endpoints/responses`, OpenAI's Responses API.
messages: `/serving-endpoints/anthropic/v1/messages`, Anthropic's Messages API, for Claude; models named `system.ai.…`
have it under `/ai-gateway/anthropic`.
"""

_SIZES: Final = ("context_window", "max_output_tokens")


def capabilities(model: ModelRef) -> Capabilities:
    """Return the capabilities of a model by its route: Anthropic's own on its Messages API, within the service's limits."""
    ours = of_table(model.known_as)
    if model.declared.get("route") != "messages":
        return ours
    known = of_claude(claude_for(model.id), model)
    sizes = {name: size for name in _SIZES if (size := getattr(ours.limits, name)) is not None}
    greatest = {name: rule for name, rule in ours.parameters.items() if name == "max_tokens"}
    return attrs.evolve(
        known,
        kinds=frozenset({"chat"}),
        features={**known.features, "count_tokens": Capability(value=False, source=ours.source)},
        parameters={**known.parameters, **greatest},
        limits=attrs.evolve(known.limits, **sizes),
        chat_prompt=None,
        chat_prompt_name=None,
    )


def translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Translate a request into one wire for one of the routes.

    Raises:
        UnsupportedError: The route or the model does not support something.
    """
    route = route_of(model, chat=isinstance(request, ChatRequest))
    if route == "messages":
        return _translate_messages(model, request, capabilities)
    dialect = dialect_for(route, model.id, model.known_as, per_token=model.underlying is None)
    model = attrs.evolve(model, declared={**model.declared, "route": route})
    if isinstance(request, ChatRequest):
        result = translate_chat(dialect, model, request, capabilities, route=route)
    else:
        result = translate_openai(dialect, model, request, capabilities)
    wire = result.wire
    return attrs.evolve(result, wire=attrs.evolve(wire, meta={**wire.meta, "route": route}))


def _translate_messages(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    if isinstance(request, ChatRequest):
        request = attrs.evolve(request, messages=thinking_for_messages(request.messages))
    result = translate_claude(claude_for(model.id), model, request, capabilities)
    wire = result.wire
    headers = {"anthropic-version": CLAUDE_VERSION, **wire.headers}
    return attrs.evolve(
        result, wire=attrs.evolve(wire, headers=headers, meta={**wire.meta, "route": "messages"})
    )


def decoder(model: ModelRef, wire: Wire) -> Decoder:
    """Return the decoder for the answer to a wire."""
    route = wire.meta.get("route", "compatible")
    if route == "messages":
        inner = claude_decoder(claude_for(model.id), wire)
        per_token = dbu(model.known_as) if model.underlying is None else None
        return _PageGuard(inner if per_token is None else DbuCounter(inner, per_token))
    dialect = dialect_for(route, model.id, model.known_as, per_token=model.underlying is None)
    return _PageGuard(openai_decoder(dialect, wire))


def route_of(model: ModelRef, *, chat: bool) -> str:
    """Return the route of a request: the declared one, or the one that follows from the model's name or row.

    Args:
        model: The model.
        chat: The request is a chat.

    Raises:
        UnsupportedError: The route does not support this kind of request, or there is no such route.
    """
    route = model.declared.get("route")
    if route is None:
        row = row_of(model.known_as) or {}
        responses = chat and row.get("route") == "responses"
        route = "gateway" if model.id.startswith("system.ai.") else "responses" if responses else "compatible"
    if route not in _ROUTES:
        raise UnsupportedError(
            f"there is no route {route!r}; the routes of databricks are {', '.join(_ROUTES)}",
            parameter="route",
        )
    if route in ("gateway", "responses", "messages") and not chat:
        raise UnsupportedError(f"the route {route} of databricks supports only chats", parameter="kind")
    return str(route)


class _PageGuard(WrappedDecoder):
    """Rejects a web page with a good status, and leaves all else to another decoder."""

    def __init__(self, inner: Decoder) -> None:
        super().__init__(inner)
        self.feed = inner.feed  # type: ignore[method-assign]  # spares each event a call

    def start(self, head: Head) -> list[Event]:
        """Handle the response head."""
        reject_page(head)
        return super().start(head)
