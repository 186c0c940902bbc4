"""How the routes into a workspace differ from OpenAI's dialect, as values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any, Final

from jackfield import Usage
from jackfield.plugin import quote_segment
from jackfield_anthropic import Dialect as Claude
from jackfield_openai import Dialect

from ._models import claude_name, family_of, row_of
from ._prices import add_dbu, dbu
from ._usage import read_usage

__all__ = ["CLAUDE_VERSION", "claude_for", "dialect_for"]

CLAUDE_VERSION: Final = "2023-06-01"
"""The version of Anthropic's API that is requested. No page says whether the service has 2026-10-21, too."""


@lru_cache(maxsize=512)
def dialect_for(route: str, model: str, known_as: str, *, per_token: bool) -> Dialect:
    """Return the dialect of a route for a model.

    Args:
        route: A value of the key `route`.
        model: The endpoint's name.
        known_as: The name in the table.
        per_token: The endpoint is paid per token, so its usage contains DBU.
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
        # Claude reports running totals in each chunk, without a request.
        usage_option=not claude,
        cache_mark="cache_control",
        effort=None if claude else "reasoning_effort",
        reasoning_budget="thinking.budget_tokens" if claude else None,
        usage=_make_reader(known_as) if per_token else read_usage,
        end="finish",
        **own,
    )


def _make_reader(model: str) -> Callable[[Mapping[str, Any]], Usage]:
    per_token = dbu(model)
    if per_token is None:
        return read_usage
    row = row_of(model) or {}
    return partial(_read_with_dbu, per_token, row.get("kind") == "embedding")


def _read_with_dbu(per_token: Mapping[str, Decimal], is_embedding: bool, raw: Mapping[str, Any]) -> Usage:
    usage = read_usage(raw)
    return add_dbu(usage, per_token, output=0 if is_embedding else usage.output_tokens)


@lru_cache(maxsize=256)
def claude_for(model: str) -> Claude:
    """Return the dialect of Anthropic's Messages API for a model. Token counts are documented nowhere.

    Source: docs.databricks.com, "Query with the Anthropic Messages API" (2026).

    Args:
        model: The endpoint's name.
    """
    start = "/ai-gateway" if model.startswith("system.ai.") else "/serving-endpoints"
    return Claude(
        id="databricks",
        also=("anthropic",),
        name=lambda ref: claude_name(ref.known_as),
        messages_path=f"{start}/anthropic/v1/messages",
        count_path=None,
        complete_path=None,
        models_path=None,
        api_version=CLAUDE_VERSION,
    )
