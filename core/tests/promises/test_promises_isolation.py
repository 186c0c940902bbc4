"""One broken plugin breaks only its own connections; what is refused is refused before any I/O."""

import asyncio

import pytest
from plain_provider import TABLE, PlainDecoder, PlainProvider, hello, mesh_for, read, streamed

from jackfield import (
    ConfigurationError,
    JackfieldError,
    MalformedResponseError,
    Mesh,
    ModelNotAllowedError,
    PluginError,
    ProviderError,
    UnknownTargetError,
    UnsupportedError,
)
from jackfield._plugins.installed import InstalledPlugin
from jackfield._plugins.registry import Registry
from jackfield.plugin import hookimpl
from jackfield.testing import Answer, FakeProvider, no_sockets


def with_broken(plugin, *, load):
    """A registry with a good plugin and one whose module does `load`."""
    return Registry(
        [
            InstalledPlugin("plain", "provider", 1, lambda: plugin),
            InstalledPlugin("broken", "provider", 1, load),
        ]
    )


def fails():
    raise ImportError("libfoo is missing")


async def test_a_plugin_that_cannot_be_imported_breaks_only_its_own_connections(server):
    registry = with_broken(PlainProvider(), load=fails)
    tables = {
        "connections": {
            "c": {"provider": "plain", "base_url": server.url, "api_key": "none"},
            "bad": {"provider": "broken", "whatever": 1},
        }
    }
    server.answer(hello())
    async with Mesh.from_config(tables, registry=registry) as mesh:
        assert set(mesh.connections) == {"c", "bad"}
        for _ in range(2):
            with pytest.raises(PluginError, match="libfoo is missing") as caught:
                await mesh.chat("bad:m", "hi")
            assert (caught.value.connection, caught.value.provider) == ("bad", "broken")
        assert (await mesh.chat("c:m", "hi")).text == "hello"
        server.answer(Answer.json({"models": ["a"]}))
        assert [card.id for card in await mesh.models()] == ["a"]
        result = await mesh.check("bad")
        assert (result.ok, type(result.error)) == (False, PluginError)
    [state] = [state for state in registry.plugins(load=True) if state.name == "broken"]
    assert state.state == "failed"
    assert "libfoo is missing" in state.reason


class Bug(Exception):
    pass


def bug(*arguments):
    raise Bug("a slip")


class BrokenHooks(PlainProvider):
    def __init__(self, broken):
        super().__init__(price=None)
        self.broken = broken

    def _maybe(self, hook):
        if self.broken == hook:
            raise Bug("a slip")

    @hookimpl
    def jackfield_capabilities(self, model):
        self._maybe("capabilities")
        return super().jackfield_capabilities(model)

    @hookimpl
    def jackfield_translate(self, model, request, capabilities):
        self._maybe("translate")
        return (
            "no translation"
            if self.broken == "result"
            else super().jackfield_translate(model, request, capabilities)
        )

    @hookimpl
    def jackfield_decoder(self, model, wire):
        self._maybe("decoder")
        return super().jackfield_decoder(model, wire)

    @hookimpl
    def jackfield_error(self, model, failure):
        self._maybe("error")
        return "no error" if self.broken == "error result" else None

    @hookimpl
    def jackfield_discover(self, settings):
        self._maybe("discover")
        return super().jackfield_discover(settings)

    @hookimpl
    def jackfield_cost(self):
        self._maybe("cost")

    @hookimpl
    def jackfield_transport(self, settings):
        self._maybe("transport")
        return "no transport" if self.broken == "transport result" else super().jackfield_transport(settings)


@pytest.mark.parametrize(
    "hook",
    [
        "capabilities",
        "translate",
        "result",
        "decoder",
        "error",
        "error result",
        "transport",
        "transport result",
    ],
)
@pytest.mark.parametrize("how", ["whole", "stream"])
async def test_a_hook_that_fails_is_a_plugin_error_that_says_where(server, hook, how):
    server.route("POST", "/chat", Answer.json({}, 400) if hook.startswith("error") else hello())
    async with mesh_for(server.url, BrokenHooks(hook), max_parallel=1) as mesh:
        with pytest.raises(PluginError, match=r"a slip|must give") as caught:
            await (mesh.chat("c:m", "hi") if how == "whole" else read(mesh.stream_chat("c:m", "hi")))
        assert (caught.value.connection, caught.value.provider, caught.value.model) == ("c", "plain", "m")
        assert mesh._open["c"].slots._value == 1


async def test_a_cost_hook_that_fails_costs_nobody_the_answer(server, caplog):
    server.answer(hello())
    async with mesh_for(server.url, BrokenHooks("cost")) as mesh:
        reply = await mesh.chat("c:m", "hi")
    assert reply.text == "hello"
    assert reply.cost.status == "unknown"
    assert "jackfield_cost" in caplog.text


async def test_a_discover_hook_that_fails_is_a_plugin_error(server):
    async with mesh_for(server.url, BrokenHooks("discover")) as mesh:
        with pytest.raises(PluginError, match="a slip"):
            await mesh.models("c")
        assert not (await mesh.check("c")).ok
        assert await mesh.models() == []


async def test_a_listing_that_is_nonsense_is_malformed(server):
    server.route("GET", "/models*", Answer.json({"data": []}))
    async with mesh_for(server.url) as mesh:
        with pytest.raises(MalformedResponseError, match="data") as caught:
            await mesh.models("c")
        assert caught.value.connection == "c"
        assert type((await mesh.check("c")).error) is MalformedResponseError


class Odd:
    """A transport that raises what it likes."""

    async def open(self):
        pass

    def exchange(self, wire):
        raise Bug("from the transport")

    async def aclose(self):
        pass


async def test_what_a_transport_raises_is_mapped_or_a_provider_error():
    class Plugin(FakeProvider):
        @hookimpl
        def jackfield_transport(self):
            return Odd()

    async with Mesh.from_config(
        {"connections": {"c": {"provider": "fake"}}}, registry=Registry.of(Plugin())
    ) as mesh:
        with pytest.raises(ProviderError, match="from the transport") as caught:
            await mesh.chat("c:m", "hi")
    assert isinstance(caught.value.__cause__, Bug)


async def test_a_middleware_that_cannot_be_made_is_named_when_the_mesh_opens(server):
    registry = Registry.of(PlainProvider(), middlewares={"pii": bug})
    mesh = mesh_for(server.url, registry=registry, middlewares=["pii"])
    with pytest.raises(ConfigurationError, match="pii.*a slip"):
        await mesh.__aenter__()


# Refused before any I/O


async def refused(mesh, target, error, match, **options):
    with no_sockets() as attempts, pytest.raises(error, match=match) as caught:
        await mesh.chat(target, "hi", **options)
    assert attempts == []
    return caught.value


async def test_a_model_outside_the_allow_list_is_refused_before_any_io(server):
    async with mesh_for(server.url, models=["gpt-1", "claude-*"]) as mesh:
        error = await refused(mesh, "c:gpt-2", ModelNotAllowedError, "did you mean 'gpt-1'")
        assert (error.connection, error.provider, error.model) == ("c", "plain", "gpt-2")
        with pytest.raises(ModelNotAllowedError):
            await read(mesh.stream_chat("c:gpt-2", "hi"))
        with pytest.raises(ModelNotAllowedError):
            await mesh.embed("c:gpt-2", ["a"])
        with pytest.raises(ModelNotAllowedError):
            await mesh.count_tokens("c:gpt-2", "a")
        with pytest.raises(ModelNotAllowedError):
            mesh.explain("c:gpt-2", "a")
        server.answer(hello())
        await mesh.chat("c:claude-9", "hi")
    assert len(server.requests) == 1


async def test_an_empty_allow_list_allows_nothing(server):
    async with mesh_for(server.url, models=[]) as mesh:
        await refused(mesh, "c:m", ModelNotAllowedError, "empty")


async def test_a_middleware_cannot_go_round_the_allow_list(server):
    import attrs

    async def sneaky(call, proceed):
        return await proceed(attrs.evolve(call, model=attrs.evolve(call.model, id="forbidden")))

    async with mesh_for(server.url, models=["m"], mesh={"middlewares": [sneaky]}) as mesh:
        with pytest.raises(ModelNotAllowedError):
            await mesh.chat("c:m", "hi")
    assert server.requests == []


async def test_an_unknown_target_says_what_was_meant(server):
    tables = {"aliases": {"default": "c:m"}}
    async with mesh_for(server.url, tables=tables) as mesh:
        error = await refused(mesh, "cc:m", UnknownTargetError, "no connection 'cc'")
        assert (error.connection, error.model) == ("cc", "m")
        await refused(mesh, "defalt", UnknownTargetError, "did you mean 'default'")
        await refused(mesh, "c:", UnknownTargetError, "connection:model")
        await refused(mesh, "", UnknownTargetError, "connection:model")
        await refused(mesh, ["c:m", "default"], UnknownTargetError, "must be a string")
        await refused(mesh, None, UnknownTargetError, "must be a string")
        with pytest.raises(UnknownTargetError, match="must be a string"):
            mesh.explain(["c:m"], "hi")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"temperature": float("nan")}, "temperature must be a finite number, got nan"),
        ({"presence_penalty": float("-inf")}, "presence_penalty must be a finite number"),
        ({"reasoning": {"efort": "low"}}, "reasoning is not understood: .*'efort'; did you mean 'effort'"),
    ],
)
async def test_a_value_that_no_service_could_read_is_refused(server, options, said):
    async with mesh_for(server.url, PlainProvider()) as mesh:
        with pytest.raises(ConfigurationError, match=said):
            await mesh.chat("c:m", "hi", **options)
    assert server.requests == []


async def test_an_unknown_option_says_what_was_meant(server):
    async with mesh_for(server.url) as mesh:
        error = await refused(mesh, "c:m", ConfigurationError, "did you mean 'temperature'", temprature=1)
        assert (error.connection, error.provider, error.model) == ("c", "plain", "m")
        await refused(mesh, "c:m", ConfigurationError, "whole number", max_tokens="3")
        await refused(mesh, "c:m", ConfigurationError, "whole number", max_tokens=True)
        await refused(mesh, "c:m", ConfigurationError, '"error" or "drop"', unsupported="ignore")
        with pytest.raises(ConfigurationError, match="did you mean 'dimensions'"):
            await mesh.embed("c:m", ["a"], dimension=3)
        with pytest.raises(ConfigurationError, match="input_type must be one of"):
            await mesh.embed("c:m", ["a"], input_type="questions")
        with pytest.raises(ConfigurationError, match="did you mean 'top_n'"):
            await mesh.rerank("c:m", "q", ["a"], top_nn=3)
    assert server.requests == []


@pytest.mark.parametrize("texts", [5, None])
async def test_what_is_no_list_of_texts_is_refused(server, texts):
    async with mesh_for(server.url) as mesh:
        with pytest.raises(ConfigurationError, match="give a list with at least one text"):
            await mesh.embed("c:m", texts)
        with pytest.raises(ConfigurationError, match="give a list with at least one text"):
            await mesh.rerank("c:m", "q", texts)
    assert server.requests == []


async def test_what_a_model_cannot_is_refused_before_any_io(server):
    plugin = PlainProvider(capabilities=TABLE.with_features("table", tools=False, streaming=False))
    async with mesh_for(server.url, plugin) as mesh:
        error = await refused(mesh, "c:m", UnsupportedError, "tools", tools=[{"name": "f"}])
        assert (error.parameter, error.connection, error.model) == ("tools", "c", "m")
        await refused(mesh, "c:m", UnsupportedError, "out of range", temperature=3)
        await refused(mesh, "c:m", UnsupportedError, "seed", seed=3)
        with pytest.raises(UnsupportedError, match="cannot stream"):
            await read(mesh.stream_chat("c:m", "hi"))
    assert server.requests == []


async def test_a_key_that_is_missing_is_named_before_any_connection(server, monkeypatch):
    from jackfield import MissingCredentialError, Secret
    from jackfield.plugin import StaticHeader

    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    auth = StaticHeader("X-Key", Secret.parse("env:NO_SUCH_KEY"))
    async with mesh_for(server.url, PlainProvider(auth=auth)) as mesh:
        error = await refused(mesh, "c:m", MissingCredentialError, "NO_SUCH_KEY")
        assert error.connection == "c"


async def test_a_broken_connection_does_not_wake_its_neighbours(server, pauses):
    """Two connections of one provider share nothing: the failures of one leave the other's slots alone."""
    tables = {
        "connections": {
            "c": {"provider": "plain", "base_url": server.url, "api_key": "none", "max_parallel": 1},
            "d": {"provider": "plain", "base_url": "http://127.0.0.1:9", "max_parallel": 1},
        }
    }
    server.route("POST", "/chat", hello())
    async with Mesh.from_config(tables, registry=Registry.of(PlainProvider())) as mesh:
        results = await asyncio.gather(
            *(mesh.chat(f"{name}:m", "hi") for name in "cdcdcd"), return_exceptions=True
        )
    assert [isinstance(result, JackfieldError) for result in results] == [False, True] * 3


async def test_a_decoder_that_waits_for_nothing_does_not_hold_others_up(server):
    class Quiet(PlainDecoder):
        def events(self, data):
            return iter(())

    server.answer(streamed(), hello())
    async with mesh_for(server.url, PlainProvider(decoder=Quiet), retry={"attempts": 1}) as mesh:
        with pytest.raises(JackfieldError):
            await read(mesh.stream_chat("c:m", "hi"))
