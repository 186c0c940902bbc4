"""Play a service on loopback: the plugin in a mesh, against a server that records."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from jackfield._calls.streams import Stream
from jackfield._config.connections import ConnectionConfig, MeshConfig
from jackfield._contract.secrets import Secret
from jackfield._mesh import Mesh
from jackfield._plugins.registry import Registry
from jackfield._types.capabilities import ModelEntry
from jackfield._types.policies import RetryPolicy
from jackfield._types.requests import EmbedRequest
from jackfield._types.sizes import MAX_RESPONSE

from ._answers import Answer
from ._case import Case
from ._findings import SkipCheck
from ._guard import forbid_network
from ._subject import Subject

__all__ = ["answer_of", "call", "open_mesh", "open_stream", "run", "served", "stream_case", "whole_case"]

T = TypeVar("T")


def served(subject: Subject) -> str | None:
    """Return why no loopback server can play the service; None if one can."""
    if not subject.has_base_url:
        return "its settings have no base_url"
    if not subject.speaks_http and not any(not case.in_process for case in subject.cases):
        return "its transport is its own"
    return None


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine in a loop of its own, also where one runs already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work())
    results: list[T] = []
    faults: list[BaseException] = []

    def target() -> None:
        try:
            results.append(asyncio.run(work()))
        except BaseException as fault:
            faults.append(fault)

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    if faults:
        raise faults[0]
    return results[0]


@asynccontextmanager
async def open_mesh(
    subject: Subject,
    url: str | None,
    case: Case,
    *,
    key: Secret | None = None,
    max_response: int | None = MAX_RESPONSE,
) -> AsyncIterator[Mesh]:
    """Open a mesh with the plugin as the connection `conformance`, pointed at a server; without one if `url` is None."""
    # A deployment's model may stand in the tables of other plugins.
    plugins = Registry.of(subject.plugin) if case.underlying is None else Registry.installed()
    provider = subject.hooks
    address = {} if url is None else {"base_url": url}
    entry = ModelEntry(id=case.model, underlying=subject.ref(case).underlying, raw=case.declared)
    connection = ConnectionConfig(
        name="conformance",
        provider=provider,
        provider_id=provider.info.id,
        settings=subject.make_settings(key, **address, max_response=max_response),
        max_response=max_response,
        models=(entry,) if provider.info.requires_models or case.declared else None,
        retry=RetryPolicy(attempts=1),
    )
    with forbid_network():
        async with Mesh(MeshConfig(connections={"conformance": connection}), plugins) as mesh:
            yield mesh


def answer_of(subject: Subject, case: Case, **play: Any) -> Answer:
    """Return a case's answer for the server to play; with a fault, in two halves."""
    body = subject.body(case)
    headers = {"content-type": case.media_type(body), **case.headers}
    half = len(body) // 2
    chunks = (body[:half], body[half:]) if play else (body,)
    return Answer(status=case.status or 200, headers=headers, chunks=chunks, streamed=bool(play), **play)


async def call(mesh: Mesh, case: Case) -> Any:
    """Call for a whole answer of a case's kind."""
    target = f"conformance:{case.model}"
    if case.kind == "embedding":
        return await mesh.embed(target, ["hello"] * _vectors(case))
    if case.kind == "rerank":
        count = max([2, *(index + 1 for index, _ in case.scores or ())])
        return await mesh.rerank(target, "hello", ["hello"] * count)
    if case.kind == "count":
        return await mesh.count_tokens(target, "hello")
    method = {"chat": mesh.chat, "completion": mesh.complete, "summarization": mesh.summarize}[case.kind]
    return await method(target, "hello")


def _vectors(case: Case) -> int:
    """Return how many texts a case's answer is for."""
    if isinstance(case.request, EmbedRequest):
        return len(case.request.inputs)
    wanted: Any = case.embedding or (1, 0)
    return wanted[0] if isinstance(wanted[0], int) else len(wanted)


def whole_case(subject: Subject) -> Case:
    """Return a case that a plain call can be answered with."""
    for case in subject.good_cases(stream=False):
        if not case.in_process and case.kind != "count":
            return case
    raise SkipCheck("no case shows a whole answer")


def stream_case(subject: Subject) -> Case:
    """Return a case that a stream can be answered with."""
    for case in subject.good_cases(stream=True):
        if not case.in_process and case.kind in {"chat", "completion"}:
            return case
    raise SkipCheck("no case shows a streamed chat or completion")


def open_stream(mesh: Mesh, case: Case) -> Stream:
    """Call for a stream of a case's kind."""
    target = f"conformance:{case.model}"
    return mesh.stream_chat(target, "hello") if case.kind == "chat" else mesh.stream_complete(target, "hello")
