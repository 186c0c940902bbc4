"""How a plugin says that a kind of request is not served, alike for all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from jackfield._types.errors import UnsupportedError
from jackfield._types.requests import (
    ChatRequest,
    CompletionRequest,
    CountRequest,
    EmbedRequest,
    Request,
    RerankRequest,
    SummarizeRequest,
)

__all__ = ["unserved"]

_WHAT: Final[Mapping[type, str]] = {
    ChatRequest: "chat",
    CompletionRequest: "complete a text",
    CountRequest: "count tokens",
    EmbedRequest: "embed",
    RerankRequest: "rerank",
    SummarizeRequest: "summarize",
}


def unserved(who: str, request: Request) -> UnsupportedError:
    """Make the error of a kind of request that is not served; raise it in `jackfield_translate`.

    Args:
        who: The provider, its model or its route.
        request: What is asked.
    """
    # A kind of request that is newer than a plugin comes to it as well.
    return UnsupportedError(f"{who} does not {_WHAT.get(type(request), 'serve this call')}", parameter="kind")
