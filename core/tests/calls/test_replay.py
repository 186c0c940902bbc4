"""Middlewares: settings that are checked, answers out of recorded events, the end of a stream, the end of the mesh."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import attrs
import pytest

from jackfield import (
    Citation,
    ConfigurationError,
    Cost,
    Finish,
    Mesh,
    Message,
    PluginError,
    Registry,
    Secret,
    Started,
    StreamInterruptedError,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    Usage,
    UsageUpdate,
    load_config,
)
from jackfield._calls.fold import _HANDLERS, Folded
from jackfield._types.content import RawPart, Text, Thinking, ToolCall
from jackfield._types.replies import Choice, EmbedReply, Ranking, Reply, RerankReply
from jackfield.plugin import (
    Call,
    ChatRequest,
    EmbedRequest,
    MiddlewareKind,
    ModelRef,
    Replay,
    ReplayedStream,
    RerankRequest,
    WatchedStream,
    events_of,
    hookimpl,
    replayed_reply,
    secret,
)
from jackfield.testing import FakeAnswer, FakeProvider

REPLAY = Replay(
    by="cache",
    recorded_at=1.0,
    usage=Usage(input_tokens=7, output_tokens=2),
    cost=Cost("complete", Decimal("0.5"), "USD"),
)


def call_for(request=None, **kwargs):
    request = ChatRequest((Message("user", "Hi"),)) if request is None else request
    return Call(
        id="1", kind="chat", target="c:m", connection="c", provider="p", model=ModelRef("m"), request=request,
        **kwargs,
    )  # fmt: skip


RICH = Reply(
    id="a1",
    model="m-2",
    usage=Usage(input_tokens=7, output_tokens=2),
    choices=(
        Choice(
            index=0,
            message=Message(
                "assistant",
                (
                    Thinking("hm", "p", "m-2", {"signature": "s"}),
                    Text("one"),
                    Text("two", provider_data={"p": {"x": 1}}),
                    RawPart("p", {"type": "search"}),
                    ToolCall("t1", "look", {"a": [1, "ä"]}),
                    ToolCall("t2", "look", {}, "not json", {"p": {"y": 2}}),
                    Text("no", refusal=True),
                ),
            ),
            finish_reason="tool_calls",
            finish_raw="tools",
            finish_detail={"why": "because"},
            logprobs=(TokenLogprob("one", -0.5, b"one", (TokenLogprob("two", -1.0),)),),
            citations=(Citation(text="one", url="http://x"),),
        ),
        Choice(index=1, message=Message("assistant", "other"), finish_reason="stop", finish_raw="stop"),
    ),
)


def test_an_answer_becomes_events_and_the_events_the_answer():
    again = replayed_reply(call_for(), events_of(RICH))
    assert again.choices == RICH.choices
    assert (again.id, again.model, again.usage) == (RICH.id, RICH.model, RICH.usage)
    assert again.complete
    assert again.replay is None
    assert again.cost.status == "unknown"


def test_embeddings_and_rankings_too():
    vectors = EmbedReply(model="e", embeddings=[[1.0], [2.0]], usage=Usage(input_tokens=3))
    again = replayed_reply(call_for(EmbedRequest(inputs=("a", "b"))), events_of(vectors), replay=REPLAY)
    assert list(again.embeddings) == [[1.0], [2.0]]
    ranked = RerankReply(results=(Ranking(1, 0.9), Ranking(0, 0.1)))
    again = replayed_reply(call_for(RerankRequest(query="q", documents=("a", "b"))), events_of(ranked))
    assert again.results == ranked.results


def test_a_replay_used_nothing_cost_nothing_and_says_what_it_saved():
    again = replayed_reply(call_for(), events_of(RICH), replay=REPLAY)
    assert again.usage == Usage(input_tokens=0, output_tokens=0)
    assert (again.cost.status, again.cost.amount, again.cost.currency) == ("complete", 0, "USD")
    assert again.cost.items[0].source == "cache: the service was not asked, which saved 0.5 USD"
    assert again.replay is REPLAY
    assert again.attempts == ()


STREAMED = [
    Started("a1", "m-2"),
    TextDelta("Good "),
    TextDelta("day"),
    ToolCallStart(0, "t1", "look"),
    ToolCallDelta(0, "{}"),
    ToolCallEnd(0),
    UsageUpdate(Usage(input_tokens=7, output_tokens=2)),
    Finish("stop"),
]


async def test_a_stream_of_recorded_events_is_read_like_any_other():
    stream = ReplayedStream(call_for(), STREAMED, replay=REPLAY)
    assert stream.response.text == ""
    assert not stream.response.complete
    heard = [event async for event in stream]
    assert heard == STREAMED
    assert stream.response.complete
    assert stream.response.text == "Good day"
    assert stream.response.usage.input_tokens == 0


async def test_a_reader_who_changes_an_event_changes_no_recording():
    async for event in ReplayedStream(call_for(), STREAMED):
        if isinstance(event, TextDelta):
            event.text = "mine"
    assert STREAMED[1].text == "Good "


async def test_a_stream_of_recorded_events_may_be_left_and_changed():
    stream = ReplayedStream(call_for(), STREAMED, replay=REPLAY)
    loud = stream.map(lambda e: TextDelta(e.text.upper()) if isinstance(e, TextDelta) else e)
    assert (await anext(loud), (await anext(loud)).text) == (Started("a1", "m-2"), "GOOD ")
    await loud.aclose()
    assert [event async for event in loud] == []
    assert loud.response.text == "GOOD "
    assert not loud.response.complete
    assert loud.response.cost.amount == 0


async def test_a_changed_event_is_folded_once_however_often_one_looks(monkeypatch):
    count = 0
    add_text = Folded.add_text

    def counting(folded, event):
        nonlocal count
        count += 1
        add_text(folded, event)

    monkeypatch.setitem(_HANDLERS, TextDelta, counting)
    recorded = ReplayedStream(call_for(), [*(TextDelta("a") for _ in range(100)), Finish("stop")])
    changed = recorded.map(lambda event: event).map(lambda event: event)
    async for _ in changed:
        assert changed.response.provider == "p"
    assert changed.response.text == "a" * 100
    assert count == 300  # once for the recording, and once for each change


async def test_a_changed_stream_is_whole_when_all_that_became_of_its_last_event_was_read():
    recorded = ReplayedStream(call_for(), [TextDelta("a"), Finish("stop")])
    changed = recorded.map(lambda event: [event, TextDelta("b")])
    states = [(type(event), changed.response.complete, changed.response.ended) async for event in changed]
    assert states[-2:] == [(Finish, False, False), (TextDelta, True, True)]


# Through a mesh


def mesh_with(provider, **middlewares):
    registry = Registry.of(
        provider, middlewares={name: (lambda s, m=m: m) for name, m in middlewares.items()}
    )
    config = {
        "defaults": {"middlewares": list(middlewares), "retry": {"attempts": 1}},
        "connections": {"fake": {"provider": "fake"}},
    }
    return Mesh.from_config(config, registry=registry)


class Ends:
    """Notes how streams end."""

    def __init__(self):
        self.ends = []
        self.events = []

    async def __call__(self, call, proceed):
        answer = await proceed(call)
        return WatchedStream(answer, lambda *end: self.ends.append(end), self.events.append)


async def test_a_watched_stream_says_once_that_it_ended():
    ends = Ends()
    async with mesh_with(FakeProvider(), ends=ends) as mesh:
        async with mesh.stream_chat("fake:echo", "Hello there") as stream:
            heard = [event async for event in stream]
    ((response, error),) = ends.ends
    assert response.complete
    assert error is None
    assert ends.events == heard


async def test_a_watched_stream_that_is_left_says_so():
    ends = Ends()
    async with mesh_with(FakeProvider(), ends=ends) as mesh:
        async with mesh.stream_chat("fake:echo", "Hello there, all of you") as stream:
            async for event in stream:
                if isinstance(event, TextDelta):
                    break
    ((response, error),) = ends.ends
    assert not response.complete
    assert error is None


async def test_a_watched_stream_that_breaks_gives_the_error():
    ends = Ends()
    provider = FakeProvider(answers=[FakeAnswer(text="half an answer", truncate=True)])
    async with mesh_with(provider, ends=ends) as mesh:
        with pytest.raises(StreamInterruptedError):
            async with mesh.stream_chat("fake:echo", "Hello") as stream:
                async for _ in stream:
                    pass
    ((response, error),) = ends.ends
    assert isinstance(error, StreamInterruptedError)
    assert not response.complete


async def test_a_watched_stream_may_be_changed():
    ends = Ends()
    async with mesh_with(FakeProvider(), ends=ends) as mesh:
        stream = mesh.stream_chat("fake:echo", "Hello").map(
            lambda e: TextDelta("x") if isinstance(e, TextDelta) else e
        )
        async with stream:
            async for _ in stream:
                pass
    assert set(stream.response.text) == {"x"}
    assert stream.response.complete
    assert stream.response.usage == ends.ends[0][0].usage
    assert ends.ends[0][0].text != stream.response.text


async def test_observers_hear_of_a_replay():
    outcomes = []

    class Observer:
        @hookimpl
        def jackfield_call_finished(self, outcome):
            outcomes.append(outcome)

    async def replaying(call, proceed):
        if call.stream:
            return ReplayedStream(call, STREAMED, replay=REPLAY)
        return replayed_reply(call, events_of(RICH), replay=REPLAY)

    registry = Registry.of(FakeProvider(), extensions=[Observer()])
    config = {"connections": {"fake": {"provider": "fake"}}}
    async with Mesh.from_config(config, registry=registry, middlewares=[replaying]) as mesh:
        assert (await mesh.chat("fake:echo", "Hi")).replay == REPLAY
        async with mesh.stream_chat("fake:echo", "Hi") as stream:
            async for _ in stream:
                pass
    assert [outcome.replay for outcome in outcomes] == [REPLAY, REPLAY]
    assert [outcome.cost.amount for outcome in outcomes] == [0, 0]
    assert [outcome.response_id for outcome in outcomes] == ["a1", "a1"]


class Closing:
    def __init__(self, name, log, fault=None):
        self.name, self.log, self.fault = name, log, fault

    async def __call__(self, call, proceed):
        return await proceed(call)

    async def aclose(self):
        self.log.append(self.name)
        if self.fault is not None:
            raise self.fault


async def test_a_mesh_closes_its_middlewares_the_innermost_first():
    log = []
    async with mesh_with(FakeProvider(), a=Closing("a", log), b=Closing("b", log)) as mesh:
        await mesh.chat("fake:echo", "Hi")
        assert log == []
    assert log == ["b", "a"]


async def test_a_middleware_that_cannot_be_closed_keeps_no_other_from_it():
    log = []
    broken = mesh_with(FakeProvider(), a=Closing("a", log), b=Closing("b", log, OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        async with broken:
            pass
    assert log == ["b", "a"]


async def test_middlewares_that_were_made_are_closed_when_another_cannot_be_made():
    log = []

    def broken(settings):
        raise OSError("no such folder")

    registry = Registry.of(
        FakeProvider(), middlewares={"a": lambda settings: Closing("a", log), "broken": broken}
    )
    config = {"connections": {"fake": {"provider": "fake", "middlewares": ["a", "broken"]}}}
    with pytest.raises(ConfigurationError, match="the middleware broken cannot be made"):
        async with Mesh.from_config(config, registry=registry):
            pass
    assert log == ["a"]


# Settings


@attrs.frozen
class Settings:
    path: Path
    depth: int = 3
    token: Secret | None = secret()


class Deep(Closing):
    def __init__(self, settings):
        super().__init__("deep", [])
        self.settings = settings


DEEP = MiddlewareKind(Settings, Deep)


def loaded(table, kind=DEEP, names=("deep",)):
    registry = Registry.of(FakeProvider(), middlewares={"deep": kind})
    config = {
        "connections": {"fake": {"provider": "fake", "middlewares": list(names)}},
        "middleware": {} if table is None else {"deep": table},
    }
    return load_config(config, registry).middleware_settings


def test_settings_of_a_middleware_are_read_when_the_configuration_is_loaded(tmp_path):
    assert loaded({"path": "a"})["deep"] == Settings(Path("a"))
    registry = Registry.of(FakeProvider(), middlewares={"deep": DEEP})
    file = tmp_path / "jackfield.toml"
    file.write_text('[middleware.deep]\npath = "log"\n[connections.fake]\nprovider = "fake"\n')
    assert load_config(file, registry).middleware_settings["deep"].path == tmp_path / "log"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"path": "a", "dept": 1}, "middleware.deep.dept: unknown key; did you mean 'depth'?"),
        ({"path": "a", "depth": "much"}, "middleware.deep.depth: must be a whole number"),
        ({}, "middleware.deep.path: is missing"),
        (None, "middleware.deep.path: is missing"),
    ],
)
def test_wrong_settings_of_a_middleware_are_said_with_their_place(table, said):
    with pytest.raises(ConfigurationError) as caught:
        loaded(table)
    assert said in caught.value.message


def test_a_table_of_a_middleware_that_nobody_names_is_checked_too():
    with pytest.raises(ConfigurationError, match="unknown key"):
        loaded({"path": "a", "dept": 1}, names=())


def test_a_plain_function_gets_the_table_as_it_is():
    assert loaded({"anything": 1}, kind=lambda settings: Closing("x", []))["deep"] == {"anything": 1}


def test_a_program_makes_one_of_a_mapping():
    assert DEEP({"path": "a", "depth": 1}).settings == Settings(Path("a"), 1)
    assert DEEP(Settings(Path("b"))).settings == Settings(Path("b"))
    with pytest.raises(ConfigurationError, match=r"settings\.path: is missing"):
        DEEP()


async def bare(call, proceed):
    return await proceed(call)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (MiddlewareKind(dict, Deep), "must have an attrs class as its settings"),
        (bare, "is a coroutine function; its entry point names what makes the middleware"),
        (7, "must be a MiddlewareKind, or a function of its settings"),
    ],
)
def test_what_makes_no_middleware_is_refused(kind, said):
    with pytest.raises(PluginError, match=said):
        Registry.of(middlewares={"deep": kind}).middleware("deep")
