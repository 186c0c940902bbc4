"""Engines in the process: a sound one, and one with each fault, by the check that has to catch it."""

from __future__ import annotations

import asyncio
import queue
import threading
from contextlib import asynccontextmanager

import attrs
from conformance_acme import Acme, Decoder

from jackfield import Secret
from jackfield.plugin import Exchange, hookimpl, secret

FAULTS = []
ANSWER = {"id": "a1", "model": "acme-1", "text": "Hm", "end": "done"}
PIECES = (
    {"type": "start", "id": "a1", "model": "acme-1"}, {"type": "text", "text": "H"}, {"type": "text", "text": "m"},
    {"type": "end", "reason": "done"},
)  # fmt: skip


class Objects(Decoder):
    def finish(self):
        return []

    def parse(self, data):
        return data


@attrs.frozen
class Settings:
    api_key: Secret | None = secret(env="ACME_API_KEY")


class Engine:
    """Answers in a thread of its own, one question at a time."""

    async def open(self):
        self.questions = queue.SimpleQueue()
        self.lock = asyncio.Lock()
        self.thread = threading.Thread(target=self.serve, name="acme-engine", daemon=True)
        self.thread.start()

    def serve(self):
        while (question := self.questions.get()) is not None:
            question()

    async def ask(self, answer):
        loop, come = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()
        self.questions.put(lambda: loop.call_soon_threadsafe(lambda: come.done() or come.set_result(answer)))
        return await come

    @asynccontextmanager
    async def exchange(self, wire):
        async with self.lock:
            if wire.stream:
                yield Exchange.streamed(self.pieces())
            else:
                yield Exchange.whole(await self.ask(ANSWER))

    async def pieces(self):
        for piece in PIECES:
            yield await self.ask(piece)

    async def aclose(self):
        thread, self.thread = getattr(self, "thread", None), None
        if thread is not None:
            self.questions.put(None)
            await asyncio.to_thread(thread.join)


class InProcess(Acme):
    """Acme as an engine in the process."""

    decoder = Objects
    engine = Engine

    @hookimpl
    def jackfield_provider(self):
        return attrs.evolve(super().jackfield_provider(), settings=Settings)

    @hookimpl
    def jackfield_transport(self, settings):
        return self.engine()


def caught_by(*names):
    """Return which checks have to catch a fault."""

    def add(cls):
        plugin = type(f"{cls.__name__}Acme", (InProcess,), {"engine": cls, "__module__": __name__})
        FAULTS.append((plugin, names))
        return cls

    return add


LOCKS = []


@caught_by("transport.engine_loops")
class LockOfTheModule(Engine):
    async def open(self):
        await super().open()
        LOCKS.append(asyncio.get_running_loop())

    async def ask(self, answer):
        if LOCKS[0] is not asyncio.get_running_loop():
            raise RuntimeError("it belongs to another loop")
        return await super().ask(answer)


@caught_by("transport.engine_loops")
class OneAtATime(Engine):
    busy = False

    @asynccontextmanager
    async def exchange(self, wire):
        if self.busy:
            raise RuntimeError("the engine is busy")
        self.busy = True
        try:
            async with super().exchange(wire) as exchange:
                yield exchange
        finally:
            self.busy = False


@caught_by("transport.engine_left")
class KeepsTheLockWhenLeft(Engine):
    @asynccontextmanager
    async def exchange(self, wire):
        if self.lock.locked():
            raise RuntimeError("the engine still answers another call")
        await self.lock.acquire()
        yield Exchange.streamed(self.pieces()) if wire.stream else Exchange.whole(await self.ask(ANSWER))
        self.lock.release()


@caught_by("transport.engine_closes")
class LeavesItsThread(Engine):
    async def aclose(self):
        pass
