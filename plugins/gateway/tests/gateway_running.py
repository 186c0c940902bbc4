"""A gateway on a loopback port, over a mesh of a scripted provider."""

from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from jackfield import Registry, load_config
from jackfield.testing import FakeProvider
from jackfield_gateway import GatewaySettings
from jackfield_gateway._app import make_runner
from jackfield_gateway._state import State

CONFIG = {
    "connections": {"fake": {"provider": "fake", "models": [{"id": "echo"}, {"id": "secret-model"}]}},
    "aliases": {"best": ["fake:echo"]},
}


class Running:
    """A gateway that runs.

    Attributes:
        url: Its address.
        state: Its state.
        fake: The provider behind it.
        http: A client.
    """

    def __init__(self, url, state, fake, http):
        self.url = url
        self.state = state
        self.fake = fake
        self.http = http

    async def post(self, path, body, **headers):
        """Send JSON; return the status, the headers and the JSON of the answer."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.http.post(f"{self.url}{path}", json=body, headers=names) as answer:
            return answer.status, answer.headers, await answer.json(content_type=None)


@asynccontextmanager
async def running(config=CONFIG, fake=None, *, registry=None, **settings):
    """Run a gateway."""
    fake = fake if fake is not None else FakeProvider()
    plugins = registry if registry is not None else Registry.of(fake, tables={"gateway": GatewaySettings})
    loaded = load_config({**config, "gateway": {"port": 0, **settings}}, plugins)
    async with State(loaded, plugins) as state:
        runner = make_runner(state)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
        await site.start()
        port = runner.addresses[0][1]
        try:
            async with aiohttp.ClientSession() as http:
                yield Running(f"http://127.0.0.1:{port}", state, fake, http)
        finally:
            await runner.cleanup()
