"""`extra` is for providers by their ids: one that nobody can mean is told before anything is sent."""

from __future__ import annotations

import attrs
import pytest
from plain_provider import PlainProvider, hello

from jackfield import ConfigurationError, Mesh
from jackfield._plugins.registry import Registry
from jackfield.plugin import hookimpl
from jackfield.testing import FakeProvider


class Dialect(PlainProvider):
    @hookimpl
    def jackfield_provider(self):
        return attrs.evolve(super().jackfield_provider(), related=("a-dialect",))


async def passed(call, proceed):
    return await proceed(call)


CONFIG = {"connections": {"c": {"provider": "fake"}, "d": {"provider": "plain"}}}


def mesh_of(*, config=CONFIG, middlewares=()):
    plugins = (FakeProvider(), Dialect(), FakeProvider("unused"))
    registry = Registry.of(*plugins, middlewares={"shield": lambda settings: passed})
    return Mesh.from_config(config, registry=registry, middlewares=middlewares)


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"opnai": {"store": True}}, "extra: there is no provider 'opnai'; did you mean 'openai'?"),
        ({"fkae": {}}, "extra: there is no provider 'fkae'; did you mean 'fake'?"),
        ({"Fake": {}}, "extra: there is no provider 'Fake'; did you mean 'fake'?"),
        ({"store": True}, """extra: there is no provider 'store'; write extra={"fake": {...}}"""),
        ({"fake": {}, "nobody": {}}, "extra: there is no provider 'nobody'"),
        ({7: {}}, "extra: there is no provider 7"),
        ({"fake": 7}, "extra.fake must be a mapping, got 7"),
        ({"openai": [1]}, "extra.openai must be a mapping"),
    ],
)
@pytest.mark.parametrize("how", ["chat", "drop", "stream", "embed", "rerank", "explain"])
async def test_an_id_that_nobody_has_is_refused_before_anything_is_sent(extra, said, how):
    async with mesh_of() as mesh:
        with pytest.raises(ConfigurationError) as caught:
            if how == "chat":
                await mesh.chat("c:m", "hi", extra=extra)
            elif how == "drop":
                await mesh.chat("c:m", "hi", extra=extra, unsupported="drop")
            elif how == "embed":
                await mesh.embed("c:m", "hi", extra=extra)
            elif how == "rerank":
                await mesh.rerank("c:m", "hi", ["a"], extra=extra)
            elif how == "explain":
                mesh.explain("c:m", "hi", extra=extra)
            else:
                async with mesh.stream_chat("c:m", "hi", extra=extra):
                    pass
    assert said in caught.value.message
    assert caught.value.connection == "c"


@pytest.mark.parametrize("id", ["fake", "plain", "unused", "openai", "a-dialect", "shield", "cache"])
async def test_an_id_that_another_may_have_is_left_alone(id):
    async with mesh_of() as mesh:
        assert (await mesh.chat("c:m", "hi", extra={id: {"a": 1}})).text == "You said: hi"


async def test_a_programs_own_middleware_may_read_what_it_likes_but_slips_are_told():
    async with mesh_of(middlewares=[passed]) as mesh:
        for own in ("tenant", "plan", "audio"):  # "plain" is an id
            assert (await mesh.chat("c:m", "hi", extra={own: {"id": 1}})).text == "You said: hi"
        with pytest.raises(ConfigurationError, match="did you mean 'openai'"):
            await mesh.chat("c:m", "hi", extra={"opnai": {}})


def test_an_id_in_a_declared_option_is_told_when_the_configuration_is_loaded():
    entry = {"id": "m", "options": {"extra": {"opnai": {"store": True}}}}
    config = {"connections": {"c": {"provider": "fake", "models": [entry]}, "x": {}}}
    with pytest.raises(ConfigurationError) as caught:
        mesh_of(config=config)
    assert len(caught.value.mistakes) == 2
    assert (
        "connections.c.models[m].options.extra: there is no provider 'opnai'; did you mean 'openai'?"
        in caught.value.mistakes
    )


async def test_what_is_left_alone_goes_nowhere(server):
    server.answer(hello())
    config = {"connections": {"d": {"provider": "plain", "base_url": server.url, "api_key": "env:PATH"}}}
    async with mesh_of(config=config) as mesh:
        await mesh.chat("d:m", "hi", extra={"openai": {"store": True}, "plain": {"x": 1}})
    assert server.requests[0].json["x"] == 1
    assert "store" not in server.requests[0].json
