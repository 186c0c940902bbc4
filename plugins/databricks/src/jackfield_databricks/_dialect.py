"""The ways into a workspace, each as a dialect of OpenAI's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any, Final

from jackfield import UnsupportedError, Usage
from jackfield.plugin import ChatRequest, ModelRef, Request, quote_segment
from jackfield_openai import Dialect

from ._models import family_of, row_of
from ._prices import dbu, with_dbu
from ._usage import read_usage

__all__ = ["ROUTES", "dialect_for", "route_of"]

ROUTES: Final = ("compatible", "invocations", "gateway", "responses")
"""What `route` of a model may be. Sources: docs.databricks.com (2026), litellm 1.109.1.

compatible: `/serving-endpoints/chat/completions` and its siblings, the model in the body.
invocations: `/serving-endpoints/{endpoint}/invocations`, for everything; the body's shape decides.
gateway: `/ai-gateway/mlflow/v1/chat/completions`, for models named `system.ai.…`.
responses: `/serving-endpoints/responses`, OpenAI's Responses API.
"""


def route_of(model: ModelRef, request: Request) -> str:
    """Choose the route of a request: declared, or the one that the model's name or row tells.

    Raises:
        UnsupportedError: The route does not carry this kind of request, or there is no such route.
    """
    route = model.declared.get("route")
    if route is None:
        row = row_of(model.known_as) or {}
        responses = isinstance(request, ChatRequest) and row.get("route") == "responses"
        route = "gateway" if model.id.startswith("system.ai.") else "responses" if responses else "compatible"
    if route not in ROUTES:
        raise UnsupportedError(
            f"there is no route {route!r}; the routes of databricks are {', '.join(ROUTES)}",
            parameter="route",
        )
    if route in ("gateway", "responses") and not isinstance(request, ChatRequest):
        raise UnsupportedError(f"the route {route} of databricks carries nothing but chats", parameter="kind")
    return str(route)


@lru_cache(maxsize=512)
def dialect_for(route: str, model: str, known_as: str, *, per_token: bool) -> Dialect:
    """Give the dialect of a route for a model.

    Args:
        route: One of `ROUTES`.
        model: The endpoint's name.
        known_as: The name to look up.
        per_token: It is paid by tokens, so its usage has DBU.
    """
    claude = family_of(known_as) == "claude"
    own: dict[str, Any] = {}
    if route == "invocations":
        path = f"/serving-endpoints/{quote_segment(model)}/invocations"
        own = {"chat_path": path, "completion_path": path, "embedding_path": path, "send_model": False}
    elif route == "gateway":
        own = {"chat_path": "/ai-gateway/mlflow/v1/chat/completions"}
    else:
        own = {
            "chat_path": "/serving-endpoints/chat/completions",
            "completion_path": "/serving-endpoints/completions",
            "embedding_path": "/serving-endpoints/embeddings",
            "responses_path": "/serving-endpoints/responses" if route == "responses" else None,
        }
    return Dialect(
        id="databricks",
        # Claude tells its running totals with every chunk, unasked.
        usage_option=not claude,
        cache_mark="cache_control",
        effort=None if claude else "reasoning_effort",
        reasoning_budget="thinking.budget_tokens" if claude else None,
        usage=_reader(known_as) if per_token else read_usage,
        end="finish",
        **own,
    )


def _reader(model: str) -> Callable[[Mapping[str, Any]], Usage]:
    per_token = dbu(model)
    if per_token is None:
        return read_usage
    row = row_of(model) or {}
    return partial(_read_with_dbu, per_token, row.get("kind") == "embedding")


def _read_with_dbu(per_token: Mapping[str, Decimal], embeds: bool, raw: Mapping[str, Any]) -> Usage:
    usage = read_usage(raw)
    return with_dbu(usage, per_token, output=0 if embeds else usage.output_tokens)
