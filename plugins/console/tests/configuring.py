"""A console over a configuration in a file, and a plugin of somebody else's with settings of many types."""

import html
import re
from collections.abc import Mapping
from contextlib import asynccontextmanager
from typing import Literal

import aiohttp
import attrs
from aiohttp import web
from console_running import Browser, prepare
from gateway_running import Running

from jackfield import Registry, Secret, load_config
from jackfield.plugin import ProviderInfo, hookimpl, secret
from jackfield.testing import FakeProvider
from jackfield_console import ConsoleSettings
from jackfield_gateway import GatewaySettings
from jackfield_gateway._app import make_runner
from jackfield_gateway._state import State

__all__ = ["FILE", "Theirs", "configured", "fields_of_page"]

FILE = """\
# ours; talk to us before you change it
[gateway]
store = "{store}"

[console]

# the free one
[connections.fake]
provider = "fake"
models = ["echo"] # only this

# the one of the others
[connections.theirs]
provider = "theirs"
host = "h.example"

[aliases]
best = ["theirs:m", "fake:echo"]
alone = "theirs:m"
"""


@attrs.frozen(kw_only=True)
class TheirSettings:
    """Settings.

    Attributes:
        host: Where it is; <b>bold</b> words.
        api_key: A reference to the key.
        mode: How it works.
        size: How large; at most 100.
        labels: Labels.
        names: Names.
        delay: Seconds.
    """

    host: str
    api_key: Secret | None = secret(env="THEIR_KEY")
    mode: Literal["slow", "fast"] = "slow"
    size: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.le(100))
    )
    labels: Mapping[str, str] = attrs.field(factory=dict)
    names: tuple[str, ...] = ()
    proxy: str | None = None
    delay: float = 0.0


class Theirs(FakeProvider):
    """A plugin of somebody else's."""

    @hookimpl
    def jackfield_provider(self) -> ProviderInfo:
        """Return its info."""
        return ProviderInfo(
            id=self.id, title="Their <i>service</i>", settings=TheirSettings, kinds=frozenset({"chat"})
        )


def fields_of_page(text):
    """Return what a browser would post of the page's last form, untouched: names and values."""
    form = text[text.rindex('<form class="sheet"') :]
    form = form[: form.index("</form>")]
    fields = {}
    for tag in re.findall(r"<input[^>]*>", form):
        kind, name = _attribute(tag, "type"), _attribute(tag, "name")
        if kind in ("checkbox", "radio") and " checked" not in tag:
            continue
        fields[name] = _attribute(tag, "value") or ""
    for name, inside in re.findall(r'<textarea[^>]* name="([^"]*)"[^>]*>(.*?)</textarea>', form, re.DOTALL):
        fields[name] = html.unescape(inside)
    for name, inside in re.findall(r'<select[^>]* name="([^"]*)"[^>]*>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', inside)
        first = re.search(r'value="([^"]*)"', inside)
        fields[name] = html.unescape((chosen or first)[1])
    fields.pop("csrf", None)
    return fields


def _attribute(tag, name):
    found = re.search(rf'\b{name}="([^"]*)"', tag)
    return None if found is None else html.unescape(found[1])


@asynccontextmanager
async def configured(folder, text=FILE, *, fake=None, theirs=None, registry=None):
    """Run a gateway with a console over a file; alice is logged in."""
    store = f"sqlite:///{folder / 'gateway.db'}"
    prepare(store)
    path = folder / "jackfield.toml"
    path.write_text(text.replace("{store}", store))
    fake = fake if fake is not None else FakeProvider()
    theirs = theirs if theirs is not None else Theirs("theirs", models=("m",))
    tables = {"gateway": GatewaySettings, "console": ConsoleSettings}
    plugins = (
        Registry.of(fake, theirs, tables=tables)
        if registry is None
        else registry.extended(fake, tables=tables)
    )
    async with State(load_config(path, plugins), plugins) as state:
        runner = make_runner(state)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            async with (
                aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as cookies,
                aiohttp.ClientSession() as http,
            ):
                running = Running(address, state, fake, http)
                running.theirs, running.path, running.store = theirs, path, store
                running.browser = Browser(f"{address}/console", cookies)
                await running.browser.log_in()
                yield running
        finally:
            await runner.cleanup()
