"""A fault of a plugin is told as one, whatever it raises and wherever, and breaks nothing else."""

import asyncio
import logging

import attrs
import pytest
from plain_provider import PlainProvider, hello, mesh_for, read, streamed, text_of

from jackfield import ConfigurationError, Mesh, PluginError, Registry, UnsupportedError
from jackfield.plugin import CostContext, CredentialKind, ModelRef, hookimpl
from jackfield.testing import FakeProvider

HOOKS = {
    "capabilities": lambda provider: provider.capabilities(ModelRef("m")),
    "discover": lambda provider: provider.discover(None),
    "translate": lambda provider: provider.translate(ModelRef("m"), None, None),
    "decoder": lambda provider: provider.decoder(ModelRef("m"), None),
    "error": lambda provider: provider.error(None, None),
    "cost": lambda provider: provider.cost(ModelRef("m"), None, None),
    "transport": lambda provider: provider.transport(None),
    "table": lambda provider: provider.table(None),
}
ARGUMENTS = {
    "capabilities": "model",
    "discover": "settings",
    "translate": "model, request, capabilities",
    "decoder": "wire",
    "error": "failure",
    "cost": "usage",
    "transport": "settings",
    "table": "settings",
}
PROVIDER = """
    import asyncio
    from jackfield import UnsupportedError
    from jackfield.plugin import hookimpl
    from jackfield.testing import FakeProvider

    class Panic(BaseException):
        '''What an extension module written in Rust raises.'''

    class Bad(FakeProvider):
        @hookimpl
        def jackfield_{hook}(self, {arguments}):
            {body}

    plugin = Bad("bad")
"""
GOOD = 'from jackfield.testing import FakeProvider\nplugin = FakeProvider("good")'


def bad_provider(install, hook, body):
    source = PROVIDER.format(hook=hook, arguments=ARGUMENTS.get(hook, ""), body=body)
    install("jackfield-bad", {"providers.v1": "bad = {module}:plugin"}, source)
    return Registry.installed().provider("bad")


@pytest.mark.parametrize("fault", ["KeyError('slip')", "SystemExit('slip')", "Panic('slip')"])
@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_that_fails_names_plugin_version_hook_and_remedy(install, hook, fault):
    provider = bad_provider(install, hook, f"raise {fault}")
    with pytest.raises(PluginError, match="slip") as caught:
        HOOKS[hook](provider)
    message = caught.value.message
    assert message.startswith(f"jackfield_{hook} failed: {fault.partition('(')[0]}: ")
    assert "the provider plugin 'bad' (jackfield-bad 1.0)" in message
    assert message.endswith("upgrade it, or report this to its author")
    assert type(caught.value.__cause__).__name__ == fault.partition("(")[0]


@pytest.mark.parametrize("hook", sorted(HOOKS.keys() - {"decoder"}))
def test_a_hook_that_returns_something_else_says_what_it_must(install, hook):
    provider = bad_provider(install, hook, "return 7")
    with pytest.raises(PluginError, match=f"^jackfield_{hook} gave an int; it must give an? ") as caught:
        HOOKS[hook](provider)
    assert "this is a fault of the provider plugin 'bad' (jackfield-bad 1.0)" in caught.value.message


@pytest.mark.parametrize("hook", HOOKS)
def test_an_error_of_ours_is_for_a_hook_to_raise(install, hook):
    provider = bad_provider(install, hook, "raise UnsupportedError('not this')")
    with pytest.raises(UnsupportedError, match="^not this"):
        HOOKS[hook](provider)


@pytest.mark.parametrize("end", [KeyboardInterrupt, asyncio.CancelledError, GeneratorExit])
@pytest.mark.parametrize("hook", HOOKS)
def test_what_ends_a_program_or_a_task_is_no_fault(install, hook, end):
    name = f"asyncio.{end.__name__}" if end is asyncio.CancelledError else end.__name__
    provider = bad_provider(install, hook, f"raise {name}")
    with pytest.raises(end):
        HOOKS[hook](provider)


# At import, and when a plugin is bound

LOADING = {
    "a panic at import": "class Panic(BaseException): ...\n    raise Panic('torn')",
    "an exit at import": "raise SystemExit('torn')",
    "a panic of the first hook": PROVIDER.format(hook="provider", arguments="", body="raise Panic('torn')"),
    "an exit of the first hook": PROVIDER.format(
        hook="provider", arguments="", body="raise SystemExit('torn')"
    ),
    "an error of ours out of the first hook": PROVIDER.format(
        hook="provider", arguments="", body="raise UnsupportedError('torn')"
    ),
    "a panic when it is looked at": """
    class Panic(BaseException): ...

    class Bad:
        @property
        def jackfield_provider(self):
            raise Panic("torn")

    plugin = Bad()
""",
}


def install_both(install, source):
    install("jackfield-bad", {"providers.v1": "bad = {module}:plugin"}, f"\n    {source.strip()}\n")
    install("jackfield-good", {"providers.v1": "good = {module}:plugin"}, GOOD)
    return Registry.installed()


@pytest.mark.parametrize("what", LOADING)
async def test_what_breaks_while_a_plugin_is_loaded_breaks_it_alone(install, what):
    registry = install_both(install, LOADING[what])
    config = {"connections": {"bad": {"provider": "bad"}, "good": {"provider": "good"}}}
    async with Mesh.from_config(config, registry=registry) as mesh:
        assert (await mesh.chat("good:echo", "Hi")).text == "You said: Hi"
        with pytest.raises(PluginError, match="torn") as caught:
            await mesh.chat("bad:m", "Hi")
    assert "the provider plugin 'bad' (jackfield-bad 1.0)" in caught.value.message
    states = {state.name: state.state for state in registry.plugins(load=True)}
    assert (states["bad"], states["good"]) == ("failed", "ready")


@pytest.mark.parametrize("what", LOADING)
def test_the_list_of_plugins_shows_what_breaks(install, what):
    listed = {state.name: state for state in install_both(install, LOADING[what]).plugins(load=True)}
    assert (listed["bad"].state, listed["good"].state) == ("failed", "ready")
    assert "torn" in listed["bad"].reason


def test_a_user_may_interrupt_an_import(install):
    registry = install_both(install, "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        registry.provider("bad")


async def test_a_late_module_that_panics_is_logged_and_the_mesh_is_there(install, caplog):
    module = install("jackfield-late", {}, "class Panic(BaseException): ...\nraise Panic('torn')")

    class Late(FakeProvider):
        @hookimpl
        def jackfield_provider(self):
            return attrs.evolve(super().jackfield_provider(), preload=(module,))

    async with Mesh.from_config(
        {"connections": {"a": {"provider": "fake"}}}, registry=Registry.of(Late())
    ) as mesh:
        assert (await mesh.chat("a:echo", "Hi")).text == "You said: Hi"
    assert "torn" in caplog.text
    assert module in caplog.text


@attrs.frozen
class NoSettings:
    """Settings without fields."""


class Panic(BaseException):
    """What an extension module written in Rust raises."""


def raising(error):
    """Make a factory that raises."""

    def make(settings):
        raise error

    return make


@pytest.mark.parametrize("error", [SystemExit("torn"), Panic("torn"), KeyError("torn")])
async def test_a_factory_that_ends_everything_ends_nothing(error):
    config = {"connections": {"a": {"provider": "fake", "middlewares": ["bad"]}}}
    registry = Registry.of(FakeProvider(), middlewares={"bad": raising(error)})
    with pytest.raises(ConfigurationError, match="the middleware bad cannot be made.*torn"):
        async with Mesh.from_config(config, registry=registry):
            pass


class Signed(FakeProvider):
    """A provider whose connections may name an identity."""

    @hookimpl
    def jackfield_provider(self):
        @attrs.frozen
        class Settings:
            credentials: object = None

        return attrs.evolve(super().jackfield_provider(), settings=Settings, credentials=("bad",))


@pytest.mark.parametrize("error", [SystemExit("torn"), Panic("torn"), KeyError("torn")])
async def test_an_identity_whose_factory_ends_everything_costs_its_connections_alone(error):
    config = {
        "credentials": {"main": {"kind": "bad"}},
        "connections": {"a": {"provider": "fake", "credentials": "main"}, "b": {"provider": "fake"}},
    }
    kind = CredentialKind(NoSettings, raising(error))
    registry = Registry.of(Signed(), credentials={"bad": kind})
    mesh = Mesh.from_config(config, registry=registry)
    assert "torn" in mesh.connections["a"].failure.message
    assert mesh.connections["b"].failure is None


# Extensions


class Torn:
    """An extension whose every hook raises."""

    def __init__(self, error):
        self.error = error

    @hookimpl
    def jackfield_call_started(self, call):
        raise self.error

    @hookimpl
    def jackfield_call_finished(self, call, outcome):
        raise self.error

    @hookimpl
    def jackfield_price(self, model, context):
        raise self.error


@pytest.mark.parametrize("error", [SystemExit(9), Panic("torn"), UnsupportedError("torn"), KeyError("torn")])
async def test_whatever_an_extension_raises_the_call_goes_on(server, caplog, error):
    server.answer(hello(), streamed())
    caplog.set_level(logging.ERROR)
    registry = Registry.of(PlainProvider(), extensions=[Torn(error)])
    async with mesh_for(server.url, registry=registry) as mesh:
        reply = await mesh.chat("c:m", "hi")
        assert text_of(await read(mesh.stream_chat("c:m", "hi"))) == "hello"
    assert reply.text == "hello"
    assert reply.cost.status == "unknown"
    assert caplog.text.count("the call goes on") >= 5
    assert "jackfield_call_started failed" in caplog.text


async def test_an_interrupt_out_of_an_extension_is_the_users(server):
    server.answer(hello())
    registry = Registry.of(PlainProvider(), extensions=[Torn(KeyboardInterrupt())])
    with pytest.raises(KeyboardInterrupt):
        registry.price(ModelRef("m"), CostContext(when=0))
