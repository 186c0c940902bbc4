"""Checks of a transport that answers in this process: an engine, or the author's fake of an SDK. No HTTP is needed."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable

from jackfield._contract.protocols import HttpAccess
from jackfield._mesh import Mesh
from jackfield._types.errors import JackfieldError

from ._case import Case
from ._check import check
from ._findings import SkipCheck
from ._serving import call, open_mesh, open_stream, run
from ._subject import Subject

_PATIENCE = 10.0
_AT_ONCE = 5


def _answers_here(subject: Subject) -> str | None:
    if not subject.in_process:
        return "nobody says in_process=True: that its own transport answers without a network"
    return "it speaks HTTP" if isinstance(subject.hooks.transport(subject.settings), HttpAccess) else None


def _case(subject: Subject, *kinds: str) -> Case:
    cases = [case for case in subject.good_cases() if case.kind in kinds]
    found = cases or [
        Case(model=probe.model.id, kind=probe.kind) for probe in subject.probes if probe.kind in kinds
    ]
    if not found:
        raise SkipCheck(f"it has no model for {' or '.join(kinds)}")
    return found[0]


def _any(subject: Subject) -> Case:
    return _case(subject, "chat", "completion", "embedding", "summarization", "rerank")


async def _works(mesh: Mesh, case: Case, when: str) -> Iterable[str]:
    try:
        await asyncio.wait_for(call(mesh, case), _PATIENCE)
    except (JackfieldError, TimeoutError) as error:
        return [f"{when}: {type(error).__name__}: {error}"]
    return []


@check(
    "transport.engine_loops",
    law="An engine in the process answers in two event loops, one after the other, and several calls at once.",
    remedy="keep no loop, lock or task in the module; make them in `open`, and guard what one call at a time may use",
    applies=_answers_here,
    gentle=True,
)
def engine_loops(subject: Subject) -> Iterable[str]:
    case = _any(subject)

    async def work(turn: str) -> list[str]:
        async with open_mesh(subject, None, case) as mesh:
            calls = (_works(mesh, case, f"in the {turn} loop") for _ in range(_AT_ONCE))
            return [found for some in await asyncio.gather(*calls) for found in some]

    for turn in ("first", "second"):
        yield from run(lambda turn=turn: work(turn))  # type: ignore[misc]


@check(
    "transport.engine_left",
    law="A call that is cancelled, and a stream that is left in the middle, do not disturb the next call.",
    remedy="stop the engine in a `finally` of `exchange`, wait until it has stopped, and then give it free",
    applies=_answers_here,
    gentle=True,
)
def engine_left(subject: Subject) -> Iterable[str]:
    case = _case(subject, "chat", "completion")

    async def work() -> list[str]:
        async with open_mesh(subject, None, case) as mesh:
            found: list[str] = []
            for turns in (1, 5, 50):
                task = asyncio.ensure_future(call(mesh, case))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                _, waiting = await asyncio.wait({task}, timeout=_PATIENCE)
                found += ["a cancelled call does not end"] if waiting else []
                found += await _works(mesh, case, "after a cancelled call")
            async with open_stream(mesh, case) as stream:
                async for _ in stream:
                    break
            return [*found, *await _works(mesh, case, "after a stream that was left")]

    yield from run(work)


@check(
    "transport.engine_closes",
    law="When its mesh is closed, an engine in the process leaves no thread running.",
    remedy="tell your threads to stop in `aclose`, and join them off the event loop",
    applies=_answers_here,
    gentle=True,
)
def engine_closes(subject: Subject) -> Iterable[str]:
    case = _any(subject)
    before = set(threading.enumerate())

    async def work() -> list[str]:
        async with open_mesh(subject, None, case) as mesh:
            return list(await _works(mesh, case, "a call"))

    yield from run(work)
    ends = time.monotonic() + _PATIENCE / 5
    while (left := {one for one in threading.enumerate() if one not in before}) and time.monotonic() < ends:
        time.sleep(0.01)  # a thread that was told to stop takes a moment
    yield from (f"the thread {one.name} still runs" for one in left)
