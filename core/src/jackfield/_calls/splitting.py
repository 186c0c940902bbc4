"""Split embedding and rerank requests that are too long for one wire, and join the replies."""

from __future__ import annotations

import asyncio
import functools
import operator
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import attrs

from jackfield._types.billing import sum_costs
from jackfield._types.capabilities import Limits
from jackfield._types.option_rules import UNSET
from jackfield._types.replies import EmbedReply, Ranking, RerankReply
from jackfield._types.requests import EmbedRequest, RerankRequest

__all__ = ["Batch", "BatchReply", "cut", "run_parts"]

_AT_ONCE = 4
_BYTES_A_TOKEN = 3
"""A cautious estimate (English has about 4): a part that is too long would be rejected as a whole."""

Batch: TypeAlias = EmbedRequest | RerankRequest
BatchReply: TypeAlias = EmbedReply | RerankReply


def cut(request: Batch, limits: Limits) -> list[Batch]:
    """Cut a request into parts that keep to `max_inputs` and `max_input_tokens_per_request`."""
    texts = request.inputs if isinstance(request, EmbedRequest) else request.documents
    pieces = _cut_texts(texts, limits.max_inputs, limits.max_input_tokens_per_request)
    if len(pieces) == 1:
        return [request]
    if isinstance(request, EmbedRequest):
        return [attrs.evolve(request, inputs=piece) for piece in pieces]
    # The best of all parts are known only when all have arrived, so each part returns all its scores.
    return [attrs.evolve(request, documents=piece, top_n=UNSET) for piece in pieces]


def _cut_texts(texts: Sequence[str], most: int | None, most_tokens: int | None) -> list[tuple[str, ...]]:
    if (most is None or len(texts) <= most) and (
        most_tokens is None or sum(map(_estimate_tokens, texts)) <= most_tokens
    ):
        return [tuple(texts)]
    pieces: list[tuple[str, ...]] = []
    piece: list[str] = []
    size = 0
    for text in texts:
        tokens = _estimate_tokens(text)
        full = most is not None and len(piece) >= most
        heavy = most_tokens is not None and piece and size + tokens > most_tokens
        if full or heavy:
            pieces.append(tuple(piece))
            piece, size = [], 0
        piece.append(text)
        size += tokens
    pieces.append(tuple(piece))
    return pieces


def _estimate_tokens(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass")) // _BYTES_A_TOKEN + 1


async def run_parts(
    request: Batch, parts: Sequence[Batch], run: Callable[[Batch], Awaitable[BatchReply]]
) -> BatchReply:
    """Run parts, at most four at once, and join their replies in order.

    Raises:
        JackfieldError: That of the first part that failed; the others are cancelled.
    """
    gate = asyncio.Semaphore(_AT_ONCE)
    failed = False

    replies: dict[int, BatchReply] = {}

    async def run_one(number: int, part: Batch) -> None:
        nonlocal failed
        async with gate:
            if failed:  # the group will cancel this one, but its turn came first
                return
            try:
                replies[number] = await run(part)
            except BaseException:
                failed = True
                raise

    failure: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as group:
            for number, part in enumerate(parts):
                group.create_task(run_one(number, part))
    except BaseExceptionGroup as failures:
        # The first failure is the call's; the rest were cancelled for it or fell with it.
        failure = failures.exceptions[0]
    if failure is not None:
        raise failure  # out here, so that the group does not become its context
    return _join(request, parts, [replies[number] for number in range(len(parts))])


def _join(request: Batch, parts: Sequence[Batch], replies: Sequence[BatchReply]) -> BatchReply:
    joined = attrs.evolve(
        replies[0],
        usage=functools.reduce(operator.add, (reply.usage for reply in replies)),
        attempts=tuple(attempt for reply in replies for attempt in reply.attempts),
        cost=lambda: sum_costs([reply.cost for reply in replies]),
        raw=[reply.raw for reply in replies],
    )
    if isinstance(joined, EmbedReply):
        embeddings = [
            vector for reply in replies if isinstance(reply, EmbedReply) for vector in reply.embeddings
        ]
        return attrs.evolve(joined, embeddings=embeddings)
    results: list[Ranking] = []
    offset = 0
    for part, reply in zip(parts, replies, strict=True):
        if isinstance(part, RerankRequest) and isinstance(reply, RerankReply):
            results += [Ranking(ranking.index + offset, ranking.score) for ranking in reply.results]
            offset += len(part.documents)
    results.sort(key=lambda ranking: -ranking.score)
    most = request.top_n if isinstance(request, RerankRequest) else UNSET
    return attrs.evolve(joined, results=tuple(results if most is UNSET else results[:most]))
