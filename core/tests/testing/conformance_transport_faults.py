"""Broken transports, one fault each, by the check that has to catch it; all of them carry wires over real sockets."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import attrs
from conformance_acme import Acme

from jackfield import ConnectionFailedError, JackfieldError
from jackfield.http import HttpTransport
from jackfield.plugin import Exchange, hookimpl

FAULTS = []


class Carries:
    """A sound transport of a plugin's own: the core's, behind another name, as an SDK would be."""

    def __init__(self, access, settings):
        self.access = access
        self.most = settings.max_response
        self.inner = None

    async def open(self):
        self.inner = HttpTransport(self.access, max_response=self.most)
        await self.inner.open()

    @asynccontextmanager
    async def exchange(self, wire):
        async with self.inner.exchange(wire) as exchange:
            yield Exchange(exchange.head, self.frames(exchange.frames))

    async def frames(self, frames):
        async for some in frames:
            yield some

    async def aclose(self):
        if self.inner is not None:
            await self.inner.aclose()


class OwnTransport(Acme):
    """Acme, reached by a transport of its own."""

    transport = Carries

    @hookimpl
    def jackfield_transport(self, settings):
        return self.transport(super().jackfield_transport(settings), settings)


def caught_by(*names):
    """Return which checks have to catch a fault."""

    def add(cls):
        plugin = type(f"{cls.__name__}Acme", (OwnTransport,), {"transport": cls, "__module__": __name__})
        FAULTS.append((plugin, names))
        return cls

    return add


@caught_by("transport.back_pressure")
class ReadsAhead(Carries):
    async def frames(self, frames):
        everything = [some async for some in frames]
        for some in everything:
            yield some


@caught_by("transport.cut")
class EndsAsIfAllHadCome(Carries):
    @asynccontextmanager
    async def exchange(self, wire):
        # Without its exception a cut looks like an end; what the decoder then says of it is lost here too.
        async with self.inner.exchange(wire) as exchange:
            yield Exchange(exchange.head, self.frames(exchange.frames))

    async def frames(self, frames):
        try:
            async for some in frames:
                yield some
        except JackfieldError:
            from jackfield.plugin import Frame

            yield [Frame(b'{"type": "end", "reason": "done"}'), Frame(b"[DONE]")]


@caught_by("transport.one_attempt")
class TriesAgain(Carries):
    @asynccontextmanager
    async def exchange(self, wire):
        for attempt in range(3):
            try:
                async with self.inner.exchange(wire) as exchange:
                    if exchange.head.status < 400 or attempt == 2:
                        yield exchange
                        return
            except ConnectionFailedError:
                if attempt == 2:
                    raise


@caught_by("transport.one_connection")
class ConnectionForEachCall(Carries):
    @asynccontextmanager
    async def exchange(self, wire):
        inner = HttpTransport(self.access)
        await inner.open()
        try:
            async with inner.exchange(wire) as exchange:
                yield exchange
        finally:
            await inner.aclose()


@caught_by("transport.cancel_streaming")
class HoldsOn(Carries):
    kept = ()

    @asynccontextmanager
    async def exchange(self, wire):
        context = self.inner.exchange(wire)
        exchange = await context.__aenter__()
        self.kept = (*self.kept, context)
        yield exchange
        # Left open, whoever goes.


@caught_by("transport.cancel_waiting")
class CannotBeCancelled(Carries):
    @asynccontextmanager
    async def exchange(self, wire):
        waiting = asyncio.ensure_future(self.begun(wire))
        self.waiting = waiting
        context, exchange = await asyncio.shield(waiting)
        try:
            yield exchange
        finally:
            await context.__aexit__(None, None, None)

    async def begun(self, wire):
        context = self.inner.exchange(wire)
        return context, await context.__aenter__()


@caught_by("transport.limits_body")
class ReadsWithoutLimit(Carries):
    async def open(self):
        self.inner = HttpTransport(self.access, max_response=None)
        await self.inner.open()


LOOPS = {}


@caught_by("transport.two_loops")
class KeepsItsLoop(Carries):
    async def open(self):
        await super().open()
        LOOPS.setdefault("first", asyncio.Lock())
        LOOPS.setdefault("loop", asyncio.get_running_loop())

    @asynccontextmanager
    async def exchange(self, wire):
        if LOOPS["loop"] is not asyncio.get_running_loop():
            raise RuntimeError("a lock of another event loop")
        async with self.inner.exchange(wire) as exchange:
            yield exchange


class Unread(Acme):
    """Lists models, and reads the list wrongly."""

    @hookimpl
    def jackfield_discover(self, settings):
        listing = super().jackfield_discover(settings)
        return attrs.evolve(
            listing, parse=lambda head, body: (listing.parse(head, body)[0][1:], listing.wire)
        )


class NoListing(Acme):
    @hookimpl
    def jackfield_discover(self, settings):
        return None


FAULTS += [(Unread, ("answers.listing",)), (NoListing, ("answers.listing",))]
