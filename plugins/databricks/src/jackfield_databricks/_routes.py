"""Which route of a workspace a request takes, and which decoder reads the answer."""

from __future__ import annotations

from typing import Final

import attrs

from jackfield import Event, UnsupportedError
from jackfield.plugin import (
    Capabilities,
    ChatRequest,
    Decoder,
    Head,
    ModelRef,
    Request,
    Translation,
    Wire,
    WrappedDecoder,
)
from jackfield_openai import decoder as openai_decoder, translate as translate_openai

from ._chat import translate_chat
from ._dialect import dialect_for
from ._errors import reject_page
from ._models import row_of

__all__ = ["decoder", "translate"]

_ROUTES: Final = ("compatible", "invocations", "gateway", "responses")
"""The values of a model's `route`. Sources: docs.databricks.com (2026), litellm 1.109.1.

compatible: `/serving-endpoints/chat/completions` and its siblings, the model in the body.
invocations: `/serving-endpoints/{endpoint}/invocations` for all requests; the service infers the kind from the body.
gateway: `/ai-gateway/mlflow/v1/chat/completions`, for models named `system.ai.…`.
responses: `/serving-endpoints/responses`, OpenAI's Responses API.
"""


def translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Translate a request into one wire for one of the routes.

    Raises:
        UnsupportedError: The route or the model does not support something.
    """
    route = _choose_route(model, request)
    dialect = dialect_for(route, model.id, model.known_as, per_token=model.underlying is None)
    model = attrs.evolve(model, declared={**model.declared, "route": route})
    if isinstance(request, ChatRequest):
        result = translate_chat(dialect, model, request, capabilities, route=route)
    else:
        result = translate_openai(dialect, model, request, capabilities)
    wire = result.wire
    return attrs.evolve(result, wire=attrs.evolve(wire, meta={**wire.meta, "route": route}))


def decoder(model: ModelRef, wire: Wire) -> Decoder:
    """Return the decoder for the answer to a wire."""
    route = wire.meta.get("route", "compatible")
    dialect = dialect_for(route, model.id, model.known_as, per_token=model.underlying is None)
    return _PageGuard(openai_decoder(dialect, wire))


def _choose_route(model: ModelRef, request: Request) -> str:
    """Return the route of a request: the declared one, or the one that follows from the model's name or row.

    Raises:
        UnsupportedError: The route does not support this kind of request, or there is no such route.
    """
    route = model.declared.get("route")
    if route is None:
        row = row_of(model.known_as) or {}
        responses = isinstance(request, ChatRequest) and row.get("route") == "responses"
        route = "gateway" if model.id.startswith("system.ai.") else "responses" if responses else "compatible"
    if route not in _ROUTES:
        raise UnsupportedError(
            f"there is no route {route!r}; the routes of databricks are {', '.join(_ROUTES)}",
            parameter="route",
        )
    if route in ("gateway", "responses") and not isinstance(request, ChatRequest):
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
