"""From a target to its execution: aliases share one limit, and each target is told what is left of it."""

from typing import get_args

import attrs
import pytest
from plain_provider import hello, mesh_for, read, streamed, text_of

from jackfield import ConfigurationError, Mesh, RateLimitError, Registry, TimeoutError
from jackfield._input.kinds import KINDS_OF_CALLS
from jackfield.plugin import Kind, hookimpl
from jackfield.testing import Answer, FakeProvider

ONCE = {"attempts": 1}


def alias_of(server, *names, **connection):
    """Declare an alias `al` of connections that share a server, each asked under its own path."""
    table = {"provider": "plain", "retry": ONCE, **connection}
    return {
        "connections": {name: {**table, "base_url": f"{server.url}/{name}"} for name in names},
        "aliases": {"al": [f"{name}:m" for name in names]},
    }


def asked(server):
    return [request.path.split("/")[1] for request in server.requests]


@pytest.mark.parametrize("how", ["whole", "stream"])
async def test_an_alias_goes_on_as_long_as_there_is_time(server, how):
    """The time that targets took was once taken off twice, so that the last ones were not asked."""
    for name in "abd":
        server.route("POST", f"/{name}/chat", Answer.never())
    server.route("POST", "/good/chat", hello() if how == "whole" else streamed())
    tables = alias_of(server, "a", "b", "d", "good", timeout={"total": 200, "first_event": 50})
    seen = []

    async def look(call, proceed):
        seen.append(call.timeout.total)
        return await proceed(call)

    async with mesh_for(server.url, tables=tables, mesh={"middlewares": [look]}) as mesh:
        if how == "whole":
            assert (await mesh.chat("al", "hi")).text == "hello"
        else:
            assert text_of(await read(mesh.stream_chat("al", "hi"))) == "hello"
    assert asked(server) == ["a", "b", "d", "good"]
    assert seen == pytest.approx([200, 150, 100, 50], abs=10)  # to open a connection takes real time


async def test_an_alias_without_time_left_does_not_go_on(server):
    server.route("POST", "/*", Answer.never())
    tables = alias_of(server, "a", "b", "d", timeout={"total": 100, "first_event": 60})
    async with mesh_for(server.url, tables=tables) as mesh:
        with pytest.raises(TimeoutError) as caught:
            await mesh.chat("al", "hi")
    assert asked(server) == ["a", "b"]
    assert [attempt.connection for attempt in caught.value.attempts] == ["a", "b"]


async def test_an_alias_without_limit_goes_through_all_targets(server):
    server.route("POST", "/*", Answer.json({}, 429))
    tables = alias_of(server, "a", "b", "d", timeout={"first_event": 50})
    async with mesh_for(server.url, tables=tables) as mesh:
        with pytest.raises(RateLimitError) as caught:
            await mesh.chat("al", "hi", timeout={"total": None})
    assert [attempt.connection for attempt in caught.value.attempts] == ["a", "b", "d"]


async def test_a_middleware_may_change_the_limits_of_a_call(server):
    async def hurry(call, proceed):
        return await proceed(attrs.evolve(call, timeout=attrs.evolve(call.timeout, total=0.2)))

    server.answer(Answer.never())
    async with mesh_for(server.url, mesh={"middlewares": [hurry]}, retry=ONCE) as mesh:
        with pytest.raises(TimeoutError, match=r"within 0\.2 seconds"):
            await mesh.chat("c:m", "hi", timeout=30)


# Kinds


class Everything(FakeProvider):
    """Remembers the requests that it translates."""

    def __init__(self):
        super().__init__()
        self.translated = []

    @hookimpl
    def jackfield_translate(self, model, request, capabilities):
        self.translated.append(request)
        return super().jackfield_translate(model, request, capabilities)


CALLS = {
    "chat": (lambda mesh: mesh.chat("f:echo", "hi", max_tokens=7), "hi", {"max_tokens": 7}),
    "completion": (lambda mesh: mesh.complete("f:echo", "Once", seed=1), "Once", {"seed": 1}),
    "summarization": (lambda mesh: mesh.summarize("f:echo", "long"), "long", {}),
    "embedding": (lambda mesh: mesh.embed("f:echo", ["a", "b"], dimensions=3), ["a", "b"], {"dimensions": 3}),
    "rerank": (lambda mesh: mesh.rerank("f:echo", "q", ["a", "b"], top_n=1), ["a", "b"], {"query": "q", "top_n": 1}),
}  # fmt: skip


def test_every_kind_is_known():
    assert set(KINDS_OF_CALLS) == set(CALLS) == set(get_args(Kind))


@pytest.mark.parametrize("kind", CALLS)
async def test_explain_makes_the_request_of_the_call(kind):
    plugin = Everything()
    call, content, options = CALLS[kind]
    async with Mesh.from_config(
        {"connections": {"f": {"provider": "fake"}}}, registry=Registry.of(plugin)
    ) as mesh:
        await call(mesh)
        mesh.explain("f:echo", content, kind=kind, **options)
    called, explained = plugin.translated
    assert called == explained


def test_a_kind_that_is_none_is_answered_with_the_closest():
    mesh = Mesh.from_config(
        {"connections": {"f": {"provider": "fake"}}}, registry=Registry.of(FakeProvider())
    )
    with pytest.raises(ConfigurationError, match="no kind of call 'embed'; did you mean 'embedding'"):
        mesh.explain("f:echo", "x", kind="embed")
