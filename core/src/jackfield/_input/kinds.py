"""The kinds of calls: what makes the request of each out of what a caller wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Generic, Protocol, TypeVar

from jackfield._types.capabilities import Kind
from jackfield._types.option_rules import UnsupportedPolicy
from jackfield._types.replies import EmbedReply, Reply, RerankReply, TokenCount
from jackfield._types.requests import Request

from .arguments import (
    chat_request,
    completion_request,
    count_request,
    embed_request,
    rerank_request,
    summarize_request,
)

__all__ = [
    "CHAT",
    "COMPLETION",
    "COUNT",
    "EMBEDDING",
    "KINDS_OF_CALLS",
    "RERANK",
    "SUMMARIZATION",
    "CallKind",
    "ReplyT",
]

ReplyT = TypeVar("ReplyT", bound=Reply | EmbedReply | RerankReply | TokenCount)


class _Make(Protocol):
    def __call__(
        self, content: Any, given: Mapping[str, Any], policy: UnsupportedPolicy, /, *, stream: bool
    ) -> Request: ...


class CallKind(Generic[ReplyT]):
    """A kind of call; its type is that of the reply.

    Attributes:
        kind: What models are asked whether they serve it.
        make: Makes the request; raises `ConfigurationError` for what no model could understand.
    """

    __slots__ = ("kind", "make")

    def __init__(self, kind: Kind, make: _Make) -> None:
        self.kind = kind
        self.make = make


def _embed(inputs: Any, given: Mapping[str, Any], policy: UnsupportedPolicy, *, stream: bool) -> Request:
    return embed_request(inputs, given, policy)


def _rerank(asked: Any, given: Mapping[str, Any], policy: UnsupportedPolicy, *, stream: bool) -> Request:
    query, documents = asked
    return rerank_request(query, documents, given, policy)


def _count(messages: Any, given: Mapping[str, Any], policy: UnsupportedPolicy, *, stream: bool) -> Request:
    return count_request(messages, given, policy)


CHAT: Final[CallKind[Reply]] = CallKind("chat", chat_request)
COMPLETION: Final[CallKind[Reply]] = CallKind("completion", completion_request)
SUMMARIZATION: Final[CallKind[Reply]] = CallKind("summarization", summarize_request)
EMBEDDING: Final[CallKind[EmbedReply]] = CallKind("embedding", _embed)
RERANK: Final[CallKind[RerankReply]] = CallKind("rerank", _rerank)
COUNT: Final[CallKind[TokenCount]] = CallKind("chat", _count)

KINDS_OF_CALLS: Final[Mapping[str, CallKind[Any]]] = {
    what.kind: what for what in (CHAT, COMPLETION, SUMMARIZATION, EMBEDDING, RERANK)
}
"""By name, for `explain`."""
