"""A stand-in: the settings, the refusals, the wires and the prices of a plugin, the answers of a fake."""

from __future__ import annotations

import pytest
from plain_provider import PlainProvider

from jackfield import ConfigurationError, Mesh, PluginError, QuotaExceededError, UnsupportedError
from jackfield._plugins.registry import Registry
from jackfield.plugin import Capabilities, ParameterRule, RateCard, hookimpl
from jackfield.testing import FakeAnswer, FakeProvider, RecordingServer, StandIn, stand_ins

RULES = Capabilities(
    known=True,
    kinds=frozenset({"chat", "embedding"}),
    parameters={"max_tokens": ParameterRule(wire="limit"), "seed": ParameterRule(supported=False)},
)


@pytest.fixture
def plain():
    return PlainProvider(capabilities=RULES, price=RateCard.of(source="table", input="1", output="2"))


def mesh_of(stand_in, **keys):
    config = {"connections": {"c": {"provider": "plain", **keys}}}
    return Mesh.from_config(config, registry=Registry.of(stand_in))


async def test_a_real_configuration_is_read_and_nothing_is_sent(plain):
    async with RecordingServer() as server:
        stand_in = StandIn(plain, ["hello", FakeAnswer(text="bye", usage=(1_000_000, 500_000))])
        async with mesh_of(stand_in, base_url=server.url, api_key="env:NOBODY_SET_THIS") as mesh:
            first = await mesh.chat("c:m", "hi", max_tokens=5)
            async with mesh.stream_chat("c:m", "hi") as stream:
                async for _ in stream:
                    pass
            second = stream.response
        assert server.requests == []
    assert (first.text, second.text) == ("hello", "bye")
    assert first.parameters["max_tokens"].fate == "renamed"
    assert second.cost.amount == 2
    wire = stand_in.wires[0]  # what the service would have got
    assert (wire.path, wire.body["limit"]) == ("/chat", 5)
    assert stand_in.requests[0].messages[0].text == "hi"


def test_keys_are_those_of_the_plugin(plain):
    with pytest.raises(ConfigurationError, match="bas_url: unknown key; did you mean 'base_url'"):
        mesh_of(StandIn(plain), bas_url="http://127.0.0.1:9")


async def test_what_the_plugin_refuses_is_refused(plain):
    async with mesh_of(StandIn(plain)) as mesh:
        with pytest.raises(UnsupportedError, match="seed"):
            await mesh.chat("c:m", "hi", seed=1)


async def test_a_scripted_status_becomes_the_plugins_error():
    class Strict(PlainProvider):
        @hookimpl
        def jackfield_error(self, failure):
            return QuotaExceededError("spent", status=failure.status) if failure.status == 402 else None

    async with mesh_of(StandIn(Strict(), [402])) as mesh:
        with pytest.raises(QuotaExceededError, match="spent"):
            await mesh.chat("c:m", "hi")


@pytest.mark.parametrize("kind", ["embed", "count_tokens", "models", "rerank"])
async def test_every_kind_of_call_is_answered(kind):
    rules = Capabilities(kinds=frozenset({"chat", "embedding", "rerank"})).with_features(
        "test", count_tokens=True
    )
    stand_in = StandIn(PlainProvider(capabilities=rules), models=["m"])
    async with mesh_of(stand_in) as mesh:
        if kind == "embed":
            assert len((await mesh.embed("c:m", ["a", "b"])).embeddings) == 2
        elif kind == "rerank":
            assert (await mesh.rerank("c:m", "a", ["b", "a"])).results[0].index == 1
        elif kind == "models":
            assert [card.id for card in await mesh.models("c")] == ["m"]
        else:
            assert (await mesh.count_tokens("c:m", "one two")).input_tokens == 2


def test_a_plugin_is_named_by_its_id(plain, monkeypatch):
    monkeypatch.setattr(Registry, "installed", classmethod(lambda cls: Registry.of(plain)))
    assert StandIn("plain").id == "plain"
    with pytest.raises(ConfigurationError, match="did you mean 'plain'"):
        StandIn("plian")


async def test_every_provider_of_a_configuration_gets_one(plain, tmp_path):
    path = tmp_path / "jackfield.toml"
    path.write_text(
        '[connections.a]\nprovider = "plain"\nbase_url = "http://127.0.0.1:9"\n'
        '[connections.b]\nprovider = "other"\n[connections.c]\nprovider = "plain"',
        "utf-8",
    )
    registry = Registry.of(plain, PlainProvider("other"), FakeProvider("unused"))
    fakes = stand_ins(path, "hello", registry=registry)
    assert sorted(fakes) == ["other", "plain"]
    async with Mesh.from_config(path, registry=registry.extended(*fakes.values())) as mesh:
        assert [(await mesh.chat(f"{name}:m", "hi")).text for name in "ab"] == ["hello", "hello"]


def test_what_cannot_stand_in_is_left_for_the_configuration_to_say(plain):
    registry = Registry.of(plain)
    config = {"connections": {"a": {"provider": "plain"}, "b": {"provider": "plane"}, "c": {}, "d": 1}}
    assert list(stand_ins(config, registry=registry)) == ["plain"]
    with pytest.raises(ConfigurationError, match="did you mean 'plain'"):
        Mesh.from_config(config, registry=registry)


def test_an_object_that_is_no_plugin_is_told():
    with pytest.raises(PluginError, match="lacks"):
        StandIn(object())
