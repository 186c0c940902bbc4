"""Checks over real loopback sockets: the plugin in a mesh, against a server that records."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import attrs

from jackfield._config import ConnectionConfig, MeshConfig, ModelEntry
from jackfield._contract import HttpAccess, StaticHeader, Transport
from jackfield._errors import JackfieldError, MissingCredentialError
from jackfield._mesh import Mesh
from jackfield._policies import RetryPolicy
from jackfield._registry import Registry
from jackfield._secrets import Secret

from ._answers import Answer
from ._case import Case, plain_request
from ._check import SkipCheck, check
from ._guard import forbid_network
from ._server import RecordingServer
from ._subject import KEY, Subject

T = TypeVar("T")
_CALLS = 5
_PATIENCE = 5.0


def _http(subject: Subject) -> str | None:
    if not subject.speaks_http:
        return "its transport is its own"
    return None if subject.has_base_url else "its settings have no base_url"


def _run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
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
async def _mesh(subject: Subject, url: str, case: Case, *, key: Secret | None = None) -> AsyncIterator[Mesh]:
    """Give an open mesh with the plugin as the connection `conformance`, pointed at a server."""
    # A deployment's model may stand in the tables of other plugins.
    plugins = Registry.of(subject.plugin) if case.underlying is None else Registry.installed()
    provider = subject.hooks
    entry = ModelEntry(id=case.model, underlying=subject.ref(case).underlying, raw=case.declared)
    connection = ConnectionConfig(
        name="conformance",
        provider=provider,
        provider_id=provider.info.id,
        settings=subject.make_settings(key, base_url=url),
        models=(entry,) if provider.info.requires_models or case.declared else None,
        retry=RetryPolicy(attempts=1),
    )
    with forbid_network():
        async with Mesh(MeshConfig(connections={"conformance": connection}), plugins) as mesh:
            yield mesh


def _answer(subject: Subject, case: Case, **play: Any) -> Answer:
    body = subject.body(case)
    headers = {"content-type": case.media_type(body), **case.headers}
    half = len(body) // 2
    chunks = (body[:half], body[half:]) if play else (body,)
    return Answer(status=case.status or 200, headers=headers, chunks=chunks, streamed=bool(play), **play)


async def _call(mesh: Mesh, case: Case) -> Any:
    target = f"conformance:{case.model}"
    if case.kind == "embedding":
        return await mesh.embed(target, ["hello"])
    if case.kind == "rerank":
        return await mesh.rerank(target, "hello", ["hello", "goodbye"])
    if case.kind == "count":
        return await mesh.count_tokens(target, "hello")
    call = {"chat": mesh.chat, "completion": mesh.complete, "summarization": mesh.summarize}[case.kind]
    return await call(target, "hello")


def _whole_case(subject: Subject) -> Case:
    """Give a case that a plain call can be answered with."""
    for case in subject.good_cases(stream=False):
        if not case.in_process and case.kind != "count":
            return case
    raise SkipCheck("no case shows a whole answer")


def _stream_case(subject: Subject) -> Case:
    for case in subject.good_cases(stream=True):
        if not case.in_process and case.kind == "chat":
            return case
    raise SkipCheck("no case shows a streamed chat")


@check(
    "transport.gives",
    law="jackfield_transport gives an HttpAccess or a Transport, at once and without I/O.",
    remedy="return HttpAccess(base_url, auth); secrets stay references",
)
def gives(subject: Subject) -> Iterable[str]:
    made: object = subject.hooks.transport(subject.settings)
    if not isinstance(made, HttpAccess | Transport):
        yield f"it gives a {type(made).__name__}"


@check(
    "transport.base_url",
    law="`base_url` replaces the start of every address.",
    remedy="use settings.base_url in HttpAccess, and relative paths in wires",
    applies=_http,
)
def base_url(subject: Subject) -> Iterable[str]:
    url = "http://127.0.0.1:9/jackfield-conformance"
    settings = subject.make_settings(base_url=url)
    made = subject.hooks.transport(settings)
    if isinstance(made, HttpAccess) and not made.base_url.startswith(url):
        yield f"with base_url={url} it uses {made.base_url}"
    for probe in subject.probes:
        model = attrs.evolve(probe.model, settings=settings)
        wire = subject.translate(model, plain_request(probe.kind), probe.capabilities).wire
        if wire.path.startswith(("http://", "https://")) and not wire.path.startswith(url):
            yield f"{probe.label}: the wire goes to {wire.path}"


@check(
    "transport.sends_wire",
    law="What is sent is the wire, and the key travels in headers alone.",
    remedy="leave the body and the address to translation, and the key to HttpAccess.auth",
    applies=_http,
)
def sends_wire(subject: Subject) -> Iterable[str]:
    case = _whole_case(subject)

    async def work() -> list[str]:
        async with RecordingServer() as server:
            server.route("*", "*", _answer(subject, case))
            async with _mesh(subject, server.url, case) as mesh:
                await _call(mesh, case)
            found = []
            request = server.requests[-1]
            if KEY in request.path_qs or KEY.encode() in request.body:
                found.append("the key is in the address or in the body")
            access = subject.hooks.transport(subject.settings)
            has_key = isinstance(access, HttpAccess) and isinstance(access.auth, StaticHeader)
            if has_key and not any(KEY in value for value in request.headers.values()):
                found.append("the key is in no header")
            return found

    yield from _run(work)


@check(
    "transport.one_connection",
    law="Calls one after the other share one connection.",
    remedy="leave the pool to the core; open no session in a call",
    applies=_http,
)
def one_connection(subject: Subject) -> Iterable[str]:
    case = _whole_case(subject)

    async def work() -> int:
        async with RecordingServer() as server:
            server.route("*", "*", _answer(subject, case))
            async with _mesh(subject, server.url, case) as mesh:
                for _ in range(_CALLS):
                    await _call(mesh, case)
            return server.connections

    connections = _run(work)
    if connections != 1:
        yield f"{_CALLS} calls use {connections} connections"


async def _cancelled(call: Coroutine[Any, Any, Any], ready: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    task = asyncio.ensure_future(call)
    await asyncio.wait_for(ready(), _PATIENCE)
    task.cancel()
    await asyncio.wait({task}, timeout=_PATIENCE)


@check(
    "transport.cancel_waiting",
    law="A call that is cancelled before its answer closes the upstream, and the next call works.",
    remedy="do not catch CancelledError",
    applies=_http,
)
def cancel_waiting(subject: Subject) -> Iterable[str]:
    case = _whole_case(subject)

    async def work() -> list[str]:
        async with RecordingServer() as server:
            server.answer(Answer.never())
            server.route("*", "*", _answer(subject, case))
            async with _mesh(subject, server.url, case) as mesh:
                await _cancelled(_call(mesh, case), server.wait_requests)
                return await _gone_and_usable(server, mesh, case)

    yield from _run(work)


async def _gone_and_usable(server: RecordingServer, mesh: Mesh, case: Case) -> list[str]:
    found = []
    try:
        await server.wait_disconnected(_PATIENCE)
    except TimeoutError:
        found.append("the upstream stays open")
    try:
        await asyncio.wait_for(_call(mesh, case), _PATIENCE)
    except (JackfieldError, TimeoutError) as error:
        found.append(f"the next call fails: {type(error).__name__}: {error}")
    return found


@check(
    "transport.cancel_streaming",
    law="A stream that is left in the middle closes the upstream, and the next call works.",
    remedy="do not catch CancelledError or GeneratorExit",
    applies=_http,
)
def cancel_streaming(subject: Subject) -> Iterable[str]:
    case, whole = _stream_case(subject), _whole_case(subject)

    async def work() -> list[str]:
        async with RecordingServer() as server:
            server.answer(_answer(subject, case, stall_after=1))
            server.route("*", "*", _answer(subject, whole))
            async with _mesh(subject, server.url, whole) as mesh:
                async with mesh.stream_chat(f"conformance:{case.model}", "hello") as stream:
                    async for _ in stream:
                        break
                return await _gone_and_usable(server, mesh, whole)

    yield from _run(work)


@check(
    "transport.missing_key",
    law="A missing key is MissingCredentialError before any connection is made.",
    remedy="give the Secret to HttpAccess.auth as it is; mark the auth optional only where the service needs none",
    applies=_http,
)
def missing_key(subject: Subject) -> Iterable[str]:
    access = subject.hooks.transport(subject.settings)
    auth = access.auth if isinstance(access, HttpAccess) else None
    if not isinstance(auth, StaticHeader) or auth.secret is None or auth.optional:
        raise SkipCheck("its key is no header, or it needs none")
    case = next(iter(subject.good_cases()), None)
    if case is None:
        case = Case(model=subject.probes_of()[0].model.id, kind=subject.probes_of()[0].kind)

    async def work() -> list[str]:
        async with RecordingServer() as server:
            absent = Secret(reference="env:JACKFIELD_CONFORMANCE_UNSET")
            found = []
            async with _mesh(subject, server.url, case, key=absent) as mesh:
                try:
                    await _call(mesh, case)
                    found.append("the call goes through")
                except MissingCredentialError:
                    pass
                except JackfieldError as error:
                    found.append(f"it is {type(error).__name__}: {error}")
            if server.connections:
                found.append("a connection is made first")
            return found

    yield from _run(work)


@check(
    "transport.closes",
    law="A transport can be closed twice, and closing leaves nothing open.",
    remedy="forget what you closed: `session, self._session = self._session, None`",
)
def closes(subject: Subject) -> Iterable[str]:
    made = subject.hooks.transport(subject.settings)
    if not isinstance(made, HttpAccess):
        transport = made

        async def close_own() -> list[str]:
            await transport.aclose()
            await transport.aclose()
            return []

        yield from _run(close_own)
        return
    if not subject.has_base_url:
        raise SkipCheck("its settings have no base_url")
    case = _whole_case(subject)

    async def work() -> list[str]:
        async with RecordingServer() as server:
            server.route("*", "*", _answer(subject, case))
            async with _mesh(subject, server.url, case) as mesh:
                await _call(mesh, case)
            try:
                await server.wait_closed(_PATIENCE)
            except TimeoutError:
                return [f"{server.open_connections} connection(s) stay open"]
            return []

    yield from _run(work)


@check(
    "transport.two_loops",
    law="A plugin works in two event loops, one after the other.",
    remedy="keep no loop, lock or session in the module",
    applies=_http,
)
def two_loops(subject: Subject) -> Iterable[str]:
    case = _whole_case(subject)

    async def work() -> None:
        async with RecordingServer() as server:
            server.route("*", "*", _answer(subject, case))
            async with _mesh(subject, server.url, case) as mesh:
                await _call(mesh, case)

    for turn in ("first", "second"):
        try:
            _run(work)
        except Exception as error:
            yield f"in the {turn} loop: {type(error).__name__}: {error}"
