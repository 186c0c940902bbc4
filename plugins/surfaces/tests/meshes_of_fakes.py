"""Meshes whose models are fakes, and a loopback server that serves one: what a gateway does, in thirty lines."""

from contextlib import asynccontextmanager

from aiohttp import web

from jackfield import Mesh, Registry
from jackfield.testing import FakeProvider
from jackfield_surfaces import serve

__all__ = ["config", "mesh_of", "serving"]


def config(provider="fake", **fields):
    """Return a configuration with one connection `c`, and the alias `best`."""
    return {
        "aliases": {"best": f"c:{fields.pop('model', 'echo')}"},
        "connections": {"c": {"provider": provider, "retry": {"attempts": 1}, **fields}},
    }


def mesh_of(provider=None, **fields):
    """Return a mesh, not open, of one fake provider."""
    fake = FakeProvider() if provider is None else provider
    return Mesh.from_config(config(fake.id, **fields), registry=Registry.of(fake))


@asynccontextmanager
async def serving(mesh):
    """Serve an open mesh on loopback; gives the address."""

    async def handle(request):
        served = await serve(
            mesh,
            request.method,
            request.rel_url.raw_path,
            dict(request.headers),
            await request.read(),
            query=dict(request.query),
        )
        if isinstance(served.body, bytes):
            return web.Response(status=served.status, headers=served.headers, body=served.body)
        response = web.StreamResponse(status=served.status, headers=served.headers)
        await response.prepare(request)
        try:
            async for piece in served.body:
                await response.write(piece)
        finally:
            await served.body.aclose()
        await response.write_eof()
        return response

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
