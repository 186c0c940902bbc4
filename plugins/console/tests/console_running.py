"""A console inside a gateway on a loopback port, with two users, and a browser that posts its forms."""

import re
from contextlib import asynccontextmanager
from html import unescape

import aiohttp
import pytest
from aiohttp import web
from gateway_running import CONFIG, Running

from jackfield import Registry, load_config
from jackfield.testing import FakeProvider
from jackfield_console import ConsoleSettings
from jackfield_console._database import open_database, read_url
from jackfield_console._migrate import migrate
from jackfield_console._users import add_user
from jackfield_gateway import GatewaySettings
from jackfield_gateway._app import make_runner
from jackfield_gateway._state import State

__all__ = ["PASSWORD", "Browser", "both_stores", "messages_of", "prepare", "running_console"]

PASSWORD = "correct horse battery"

both_stores = pytest.mark.parametrize("address", ["sqlite", "postgres"], indirect=True)
"""Run a test on SQLite and on a real PostgreSQL."""


def prepare(store, users=(("alice", "admin"), ("vera", "viewer"))):
    """Migrate a store and add users."""
    url = read_url(store)
    migrate(url)
    database = open_database(url)
    for name, role in users:
        database.call(add_user, name, role, PASSWORD)
    database.close()


class Browser:
    """A browser without scripts: cookies, forms, no redirects unless told."""

    def __init__(self, url, http):
        self.url = url
        self.http = http

    def _address(self, path):
        return f"{self.url}{path}" if isinstance(path, str) else path

    async def get(self, path, *, status=200, **headers):
        """Return the text of a page."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.http.get(self._address(path), headers=names, allow_redirects=False) as answer:
            text = await answer.text()
            assert answer.status == status, (answer.status, text)
            self.headers = answer.headers
            return text

    async def token(self, path):
        """Return the CSRF token of a page's forms."""
        return re.search(r'name="csrf" value="([^"]+)"', await self.get(path))[1]

    async def post(self, path, fields=(), *, status=303, token=None, page=None, headers=None):
        """Post a form as it stands on a page; return the text of the answer."""
        csrf = token if token is not None else await self.token(page or "/")
        data = [*(fields.items() if isinstance(fields, dict) else fields), ("csrf", csrf)]
        async with self.http.post(
            self._address(path), data=data, headers=headers or {}, allow_redirects=False
        ) as answer:
            text = await answer.text()
            self.status = answer.status
            assert status in (None, answer.status), (answer.status, text)
            self.headers = answer.headers
            self.cookies = answer.cookies
            return text

    async def log_in(self, name="alice", password=PASSWORD, *, status=303, after=""):
        """Log in."""
        return await self.post(
            "/login", {"name": name, "password": password, "next": after}, page="/login", status=status
        )


def messages_of(text):
    """Return the messages that a page shows."""
    return [unescape(found) for found in re.findall(r'<p class="message[^>]*>(.*?)</p>', text)]


@asynccontextmanager
async def running_console(
    store, *, config=CONFIG, fake=None, console=None, path=None, registry=None, **settings
):
    """Run a gateway with a console; the store is prepared.

    Args:
        store: The store's address.
        config: Connections and the like, without `[gateway]` and `[console]`; ignored with `path`.
        fake: The provider.
        console: The table `[console]`.
        path: A configuration file to load instead.
        registry: The plugins; without it, the provider alone.
        settings: For `[gateway]`.
    """
    fake = fake if fake is not None else FakeProvider()
    tables = {"gateway": GatewaySettings, "console": ConsoleSettings}
    registry = Registry.of(fake, tables=tables) if registry is None else registry
    content = {**config, "gateway": {"port": 0, "store": store, **settings}, "console": console or {}}
    loaded = load_config(content if path is None else path, registry)
    async with State(loaded, registry) as state:
        runner = make_runner(state)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            async with (
                aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as cookies,
                aiohttp.ClientSession() as http,
            ):
                running = Running(address, state, fake, http)
                running.browser = Browser(f"{address}/console", cookies)
                yield running
        finally:
            await runner.cleanup()
