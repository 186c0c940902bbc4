"""Checks over real loopback sockets: the plugin in a mesh, against a server that records."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import attrs

from jackfield._contract.protocols import HttpAccess, StaticHeader, Transport
from jackfield._contract.secrets import Secret
from jackfield._mesh import Mesh
from jackfield._types.errors import (
    ConnectionFailedError,
    JackfieldError,
    MalformedResponseError,
    MissingCredentialError,
    StreamInterruptedError,
)

from ._answers import Answer
from ._case import Case, plain_request
from ._check import check
from ._findings import SkipCheck
from ._framed import events_of, framing_of
from ._server import RecordingServer
from ._serving import answer_of, call, open_mesh, open_stream, run, served, stream_case, whole_case
from ._subject import KEY, Subject

_PADDING = 65_536
_PADDINGS = 500  # 33 MB: more than sockets and their readers hold
_SLOW = 0.5
_TURNS = 100
_CALLS = 5
_PATIENCE = 5.0


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
    applies=served,
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
    applies=served,
)
def sends_wire(subject: Subject) -> Iterable[str]:
    case = whole_case(subject)

    async def work() -> list[str]:
        async with RecordingServer() as server:
            server.route("*", "*", answer_of(subject, case))
            async with open_mesh(subject, server.url, case) as mesh:
                await call(mesh, case)
            found = []
            request = server.requests[-1]
            if KEY in request.path_qs or KEY.encode() in request.body:
                found.append("the key is in the address or in the body")
            access = subject.hooks.transport(subject.settings)
            has_key = isinstance(access, HttpAccess) and isinstance(access.auth, StaticHeader)
            if has_key and not any(KEY in value for value in request.headers.values()):
                found.append("the key is in no header")
            return found

    yield from run(work)


@check(
    "transport.one_connection",
    law="Calls one after the other share one connection.",
    remedy="leave the pool to the core; open no session in a call",
    applies=served,
)
def one_connection(subject: Subject) -> Iterable[str]:
    case = whole_case(subject)

    async def work() -> int:
        async with RecordingServer() as server:
            server.route("*", "*", answer_of(subject, case))
            async with open_mesh(subject, server.url, case) as mesh:
                for _ in range(_CALLS):
                    await call(mesh, case)
            return server.connections

    connections = run(work)
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
    applies=served,
)
def cancel_waiting(subject: Subject) -> Iterable[str]:
    case = whole_case(subject)

    async def work() -> list[str]:
        async with RecordingServer() as server:
            server.answer(Answer.never())
            server.route("*", "*", answer_of(subject, case))
            async with open_mesh(subject, server.url, case) as mesh:
                await _cancelled(call(mesh, case), server.wait_requests)
                return await _gone_and_usable(server, mesh, case)

    yield from run(work)


async def _gone_and_usable(server: RecordingServer, mesh: Mesh, case: Case) -> list[str]:
    found = []
    try:
        await server.wait_disconnected(_PATIENCE)
    except TimeoutError:
        found.append("the upstream stays open")
    try:
        await asyncio.wait_for(call(mesh, case), _PATIENCE)
    except (JackfieldError, TimeoutError) as error:
        found.append(f"the next call fails: {type(error).__name__}: {error}")
    return found


@check(
    "transport.cancel_streaming",
    law="A stream that is left in the middle closes the upstream, and the next call works.",
    remedy="do not catch CancelledError or GeneratorExit",
    applies=served,
)
def cancel_streaming(subject: Subject) -> Iterable[str]:
    case, whole = stream_case(subject), whole_case(subject)

    async def work() -> list[str]:
        async with RecordingServer() as server:
            server.answer(answer_of(subject, case, stall_after=1))
            server.route("*", "*", answer_of(subject, whole))
            async with open_mesh(subject, server.url, whole) as mesh:
                async with open_stream(mesh, case) as stream:
                    async for _ in stream:
                        break
                return await _gone_and_usable(server, mesh, whole)

    yield from run(work)


@check(
    "transport.one_attempt",
    law="A call is sent once: the core alone tries again.",
    remedy="switch off the SDK's own retries (max_retries=0), and send nothing twice in your transport",
    applies=served,
    gentle=True,
)
def one_attempt(subject: Subject) -> Iterable[str]:
    case = whole_case(subject)

    async def work(answer: Answer) -> int:
        async with RecordingServer() as server:
            server.route("*", "*", answer)
            async with open_mesh(subject, server.url, case) as mesh:
                try:
                    await call(mesh, case)
                except JackfieldError:
                    pass
            return len(server.requests)

    plays = {
        "503": Answer.json({"error": {"message": "busy"}}, 503, {"retry-after": "0"}),
        "429": Answer.json({"error": {"message": "slowly"}}, 429, {"retry-after": "0"}),
        "a connection that is closed": Answer(hang_up=True),
    }
    for what, answer in plays.items():
        sent = run(lambda answer=answer: work(answer))  # type: ignore[misc]
        if sent != 1:
            yield f"after {what}, it is sent {sent} times in all"


@check(
    "transport.cut",
    law="A connection that breaks is an error of the transport: before an answer, or in the middle of a stream.",
    remedy="let the SDK's exception pass, and map it in jackfield_error; never end the frames as if all had come",
    applies=served,
    gentle=True,
)
def cut_off(subject: Subject) -> Iterable[str]:
    case, whole = stream_case(subject), whole_case(subject)

    async def work(answer: Answer, *, streamed: bool) -> JackfieldError | None:
        async with RecordingServer() as server:
            server.route("*", "*", answer)
            async with open_mesh(subject, server.url, case) as mesh:
                try:
                    if streamed:
                        async with open_stream(mesh, case) as stream:
                            async for _ in stream:
                                pass
                    else:
                        await call(mesh, whole)
                except JackfieldError as error:
                    return error
                return None

    plays = {
        "a stream that ends in the middle": (answer_of(subject, case, truncate_after=1), True),
        "a stream that is reset in the middle": (answer_of(subject, case, reset_after=1), True),
        "no answer at all": (Answer(hang_up=True), False),
    }
    for what, (answer, streamed) in plays.items():
        error = run(lambda answer=answer, streamed=streamed: work(answer, streamed=streamed))  # type: ignore[misc]
        if not isinstance(error, StreamInterruptedError | ConnectionFailedError):
            yield f"{what} is {type(error).__name__ if error else 'an answer'}"


@check(
    "transport.back_pressure",
    law="Who reads slowly slows the service down: nothing is read ahead and kept.",
    remedy="give frames as they are asked for; between a thread and the loop, use a queue with a bound",
    applies=served,
    gentle=True,
)
def back_pressure(subject: Subject) -> Iterable[str]:
    case = stream_case(subject)
    body = subject.body(case)
    framing = framing_of(subject, case, body)
    if framing not in {"sse", "jsonlines"}:
        raise SkipCheck("the streamed case is not framed as sse or jsonlines, so nothing can be slipped in")
    events, _ = events_of(body, framing)
    empty = b": " + b"." * _PADDING + b"\n\n" if framing == "sse" else b" " * _PADDING + b"\n"
    half = max(1, len(events) // 2)
    chunks = (b"".join(events[:half]), *[empty] * _PADDINGS, b"".join(events[half:]))
    headers = {"content-type": case.media_type(body), **case.headers}

    async def work() -> bool:
        async with RecordingServer() as server:
            server.answer(Answer(headers=headers, chunks=chunks, streamed=True))
            async with open_mesh(subject, server.url, case) as mesh:
                async with open_stream(mesh, case) as stream:
                    async for _ in stream:
                        # Many short sleeps: on a busy machine a long one gives the transport few turns to read.
                        for _ in range(_TURNS):
                            await asyncio.sleep(_SLOW / _TURNS)
                        break
                try:
                    return (await server.wait_disconnected(_PATIENCE)).chunks_sent < len(chunks)
                except TimeoutError:
                    return False  # the whole answer had gone out before the reader left

    if not run(work):
        yield f"{_PADDING * _PADDINGS // 1_000_000} MB were read though only the first event was asked for"


@check(
    "transport.limits_body",
    law="An answer that is longer than `max_response` is MalformedResponseError, and is not read to its end.",
    remedy="hand `max_response` to HttpTransport (a field of that name in the settings gets it), or count what an SDK brings",
    gentle=True,
    applies=served,
)
def limits_body(subject: Subject) -> Iterable[str]:
    case = whole_case(subject)
    body = subject.body(case)
    most = max(1 << 20, 2 * len(body))
    # White space behind an answer changes no JSON, so who reads it all goes on as if nothing were wrong.
    chunks = (body, *[b" " * _PADDING] * _PADDINGS)
    headers = {"content-type": case.media_type(body), **case.headers}

    async def work() -> list[str]:
        async with RecordingServer() as server:
            server.answer(Answer(headers=headers, chunks=chunks, streamed=True))
            async with open_mesh(subject, server.url, case, max_response=most) as mesh:
                try:
                    await call(mesh, case)
                except MalformedResponseError:
                    return []
                except JackfieldError as error:
                    return [f"it is {type(error).__name__}: {error}"]
            return [f"{_PADDING * _PADDINGS // 1_000_000} MB are read where max_response is {most} bytes"]

    yield from run(work)


@check(
    "transport.missing_key",
    law="A missing key is MissingCredentialError before any connection is made.",
    remedy="give the Secret to HttpAccess.auth as it is; mark the auth optional only where the service needs none",
    applies=served,
)
def missing_key(subject: Subject) -> Iterable[str]:
    access = subject.hooks.transport(subject.settings)
    auth = access.auth if isinstance(access, HttpAccess) else None
    if not isinstance(auth, StaticHeader) or auth.secret is None or auth.optional:
        raise SkipCheck("its key is not a header, or it needs none")
    case = next(iter(subject.good_cases()), None)
    if case is None:
        case = Case(model=subject.probes_of()[0].model.id, kind=subject.probes_of()[0].kind)

    async def work() -> list[str]:
        async with RecordingServer() as server:
            absent = Secret(reference="env:JACKFIELD_CONFORMANCE_UNSET")
            found = []
            async with open_mesh(subject, server.url, case, key=absent) as mesh:
                try:
                    await call(mesh, case)
                    found.append("the call goes through")
                except MissingCredentialError:
                    pass
                except JackfieldError as error:
                    found.append(f"it is {type(error).__name__}: {error}")
            if server.connections:
                found.append("a connection is made first")
            return found

    yield from run(work)


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

        yield from run(close_own)
        return
    if not subject.has_base_url:
        raise SkipCheck("its settings have no base_url")
    case = whole_case(subject)

    async def work() -> list[str]:
        async with RecordingServer() as server:
            server.route("*", "*", answer_of(subject, case))
            async with open_mesh(subject, server.url, case) as mesh:
                await call(mesh, case)
            try:
                await server.wait_closed(_PATIENCE)
            except TimeoutError:
                return [f"{server.open_connections} connection(s) stay open"]
            return []

    yield from run(work)


@check(
    "transport.two_loops",
    law="A plugin works in two event loops, one after the other.",
    remedy="keep no loop, lock or session in the module",
    applies=served,
)
def two_loops(subject: Subject) -> Iterable[str]:
    case = whole_case(subject)

    async def work() -> None:
        async with RecordingServer() as server:
            server.route("*", "*", answer_of(subject, case))
            async with open_mesh(subject, server.url, case) as mesh:
                await call(mesh, case)

    for turn in ("first", "second"):
        try:
            run(work)
        except Exception as error:
            yield f"in the {turn} loop: {type(error).__name__}: {error}"
