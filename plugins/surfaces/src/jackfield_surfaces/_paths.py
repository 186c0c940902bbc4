"""Find the surface of a path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

import attrs

__all__ = ["PATHS", "Route", "find_route"]

PATHS: Final[Mapping[str, str]] = {
    "/v1/chat/completions": "openai.chat",
    "/v1/completions": "openai.completions",
    "/v1/embeddings": "openai.embeddings",
    "/v1/responses": "openai.responses",
    "/v1/responses/input_tokens": "openai.input_tokens",
    "/v1/messages": "anthropic.messages",
    "/v1/messages/count_tokens": "anthropic.count_tokens",
    "/v1/rerank": "cohere.rerank",
    "/v2/rerank": "cohere.rerank",
}
"""The surface of each path to which requests are posted."""
_MODELS: Final = "/v1/models"


@attrs.frozen
class Route:
    """Where a request goes.

    Attributes:
        surface: The surface's name.
        model: The model that the path names.
    """

    surface: str
    model: str = ""


def find_route(method: str, path: str, headers: Mapping[str, str]) -> Route | None:
    """Return the surface of a path, below any prefix; None if no surface has it.

    Args:
        method: The HTTP method.
        path: The path as it was sent, without its query.
        headers: The headers, by names in lower case: one of them tells whose list of models is meant.
    """
    if method == "POST":
        return next((Route(name) for end, name in PATHS.items() if _ends(path, end)), None)
    if method != "GET":
        return None
    lists = "anthropic.models" if "anthropic-version" in headers else "openai.models"
    if _ends(path, _MODELS):
        return Route(lists)
    before, found, model = path.rpartition(f"{_MODELS}/")
    del before
    return Route(lists, unquote(model)) if found and model else None


def _ends(path: str, end: str) -> bool:
    return path.rstrip("/").endswith(end)
