"""Answers that are kept for their owners, as the official SDK sees them."""

import asyncio
import json
import sqlite3
import time
from contextlib import asynccontextmanager

import openai
import pytest
from gateway_running import CONFIG, running

from jackfield import Registry, ToolCall, ToolResult
from jackfield.testing import Answer, FakeAnswer, FakeProvider, RecordingServer
from jackfield_gateway import GatewaySettings
from jackfield_gateway._background import _GIVEN_UP
from jackfield_gateway._keys import hash_key, make_key
from jackfield_gateway._responses_table import ResponseTable
from jackfield_gateway._store import Store

KEYS = {name: make_key() for name in ("alice", "bob")}
DECLARED = {name: {"hash": hash_key(key), "owner": f"org/{name}"} for name, key in KEYS.items()}
WEATHER = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
SECRET = "the password is xyzzy-4711"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "gateway.db"


@asynccontextmanager
async def keeping(path, fake=None, config=CONFIG, **settings):
    """Run a gateway that keeps answers, with a client of the official SDK for each owner."""
    told = {"store": f"sqlite:///{path}", "keep_responses": "7 days", "keys": DECLARED, **settings}
    async with running(config, fake, **told) as gateway:
        clients = [
            openai.AsyncOpenAI(api_key=key, base_url=f"{gateway.url}/v1", max_retries=0)
            for key in KEYS.values()
        ]
        async with clients[0], clients[1]:
            yield gateway, *clients


def said(request):
    """Return what a request to the provider says: role and text of each message."""
    return [
        (message.role, "".join(getattr(part, "text", "") for part in message.parts))
        for message in request.messages
    ]


async def ask(client, text, *, stream=False, **options):
    """Ask, and return the whole answer."""
    asked = {"model": "best", "input": text, **options}
    if not stream:
        return await client.responses.create(**asked)
    async with client.responses.stream(**asked) as events:
        return await events.get_final_response()


STREAMED = pytest.mark.parametrize("stream", [False, True])


@STREAMED
async def test_an_answer_is_found_by_its_owner_alone(path, stream):
    async with keeping(path, FakeProvider(answers=["cobalt"])) as (_, alice, bob):
        made = await ask(alice, "Which word?", stream=stream, metadata={"n": "1"})
        assert made.store is True
        found = await alice.responses.retrieve(made.id)
        same = ("id", "created_at", "completed_at", "model", "usage", "store")
        assert [getattr(found, name) for name in same] == [getattr(made, name) for name in same]
        assert found.output[0].id == made.output[0].id
        assert (found.output_text, found.metadata, found.status) == ("cobalt", {"n": "1"}, "completed")
        for client, identity in ((bob, made.id), (alice, "resp_of_nobody")):
            with pytest.raises(openai.NotFoundError) as unknown:
                await client.responses.retrieve(identity)
            assert identity in str(unknown.value)
            for verb in (client.responses.delete, client.responses.cancel, client.responses.input_items.list):
                with pytest.raises(openai.NotFoundError):
                    await verb(identity)
            with pytest.raises(openai.BadRequestError) as unknown:
                await ask(client, "and?", previous_response_id=identity)
            assert unknown.value.code == "previous_response_not_found"
        await alice.responses.delete(made.id)
        with pytest.raises(openai.NotFoundError):
            await alice.responses.retrieve(made.id)


@STREAMED
async def test_answers_continue_each_other_with_tools(path, stream):
    fake = FakeProvider(
        answers=[FakeAnswer(text="Wait.", tool_calls=[("weather", {"city": "Oslo"})]), "Sunny.", "Yes, Oslo."]
    )
    async with keeping(path, fake) as (_, alice, _bob):
        first = await ask(
            alice, "How is it in Oslo?", stream=stream, tools=[WEATHER], instructions="Be short."
        )
        call = next(item for item in first.output if item.type == "function_call")
        result = {"type": "function_call_output", "call_id": call.call_id, "output": "sun"}
        second = await ask(alice, [result], stream=stream, previous_response_id=first.id, tools=[WEATHER])
        third = await ask(alice, "Oslo?", stream=stream, previous_response_id=second.id)
        assert (third.output_text, third.previous_response_id) == ("Yes, Oslo.", second.id)
        orphan = {**result, "call_id": "call_of_nobody"}
        with pytest.raises(openai.BadRequestError) as refused:
            await ask(alice, [orphan], previous_response_id=third.id)
        assert "call_of_nobody" in str(refused.value)
        listed = await alice.responses.input_items.list(third.id, order="asc", limit=3)
        kinds = [item.type async for item in listed]
    assert kinds == ["message", "message", "function_call", "function_call_output", "message", "message"]
    last = fake.requests[-1].messages
    # Instructions are of one request alone.
    assert [message.role for message in last] == ["user", "assistant", "tool", "assistant", "user"]
    assert last[1].parts[1] == ToolCall(call.call_id, "weather", {"city": "Oslo"})
    assert last[2].parts == (ToolResult(call.call_id, "sun"),)
    assert said(fake.requests[0])[0] == ("system", "Be short.")


async def test_two_answers_can_continue_one(path):
    async with keeping(path, FakeProvider(answers=["a", "b", "c"])) as (gateway, alice, _):
        first = await ask(alice, "1")
        await ask(alice, "2", previous_response_id=first.id)
        await ask(alice, "3", previous_response_id=first.id)
        assert said(gateway.fake.requests[2]) == [("user", "1"), ("assistant", "a"), ("user", "3")]


async def test_items_are_referred_to_by_their_ids(path):
    fake = FakeProvider(answers=[FakeAnswer(thinking="hm", text="cobalt"), "yes"])
    async with keeping(path, fake) as (_, alice, bob):
        first = await ask(alice, "Which word?")
        given = (await alice.responses.input_items.list(first.id)).data[0]
        references = [{"type": "item_reference", "id": item.id} for item in (given, *first.output)]
        references[-1].pop("type")
        await ask(alice, [*references, {"role": "user", "content": "Sure?"}])
        with pytest.raises(openai.BadRequestError) as unknown:
            await ask(bob, [*references, {"role": "user", "content": "Sure?"}])
        assert (unknown.value.code, unknown.value.param) == ("item_not_found", "input[0]")
    sure = fake.requests[-1]
    assert [role for role, _ in said(sure)] == ["user", "assistant", "user"]
    assert said(sure)[1][1].endswith("cobalt")


async def test_what_shall_not_be_stored_is_not(path):
    async with keeping(path, FakeProvider(answers=["a"])) as (_, alice, _bob):
        made = await ask(alice, SECRET, store=False)
        assert made.store is False
        with pytest.raises(openai.NotFoundError):
            await alice.responses.retrieve(made.id)
    assert SECRET.encode() not in path.read_bytes()


async def test_nothing_is_stored_unless_that_is_declared(path):
    fake = FakeProvider(answers=["a"])
    async with keeping(path, fake, keep_responses=None) as (_, alice, _bob):
        made = await ask(alice, SECRET)  # OpenAI's default is store: true
        assert (made.store, made.output_text) == (False, "a")
        with pytest.raises(openai.NotFoundError) as refused:
            await alice.responses.retrieve(made.id)
        assert refused.value.code == "not_stored"
        with pytest.raises(openai.BadRequestError) as refused:
            await ask(alice, "more", previous_response_id=made.id)
        assert refused.value.code == "previous_response_not_found"
        with pytest.raises(openai.BadRequestError) as refused:
            await ask(alice, "more", background=True)
        assert (refused.value.code, refused.value.param) == ("unsupported_parameter", "background")
    assert SECRET.encode() not in path.read_bytes()


def test_keeping_needs_a_store_and_a_time():
    with pytest.raises(ValueError, match="needs a store"):
        GatewaySettings(keep_responses="7 days")
    for text in ("7", "7 moons", "0 days", "-1 days"):
        with pytest.raises(ValueError, match="keep_responses must be a time"):
            GatewaySettings(keep_responses=text, store="sqlite:///x")
    kept = GatewaySettings(keep_responses="2 weeks", store="sqlite:///x", keep_most="1 kB")
    assert (kept.kept_seconds, kept.most_kept) == (14 * 86_400, 1000)


async def test_what_is_deleted_or_over_is_nowhere_in_the_file(path, monkeypatch):
    async with keeping(path, FakeProvider(answers=lambda _: "I keep it."), log_content=False) as (
        gateway,
        alice,
        _,
    ):
        first, second = await ask(alice, SECRET), await ask(alice, f"{SECRET}, too")
        files = [path, path.with_name("gateway.db-wal")]
        assert any(SECRET.encode() in file.read_bytes() for file in files)
        await alice.responses.delete(first.id)
        await asyncio.to_thread(gateway.state.delete_old, time.time() + 6 * 86_400)
        assert (await alice.responses.retrieve(second.id)).id == second.id
        later = time.time() + 7 * 86_400 + 1
        monkeypatch.setattr(time, "time", lambda: later)
        with pytest.raises(openai.NotFoundError):
            await alice.responses.retrieve(second.id)
        await asyncio.to_thread(gateway.state.delete_old, later)
        assert not any(SECRET.encode() in file.read_bytes() for file in files)
        with sqlite3.connect(path) as connection:
            assert connection.execute("SELECT count(*) FROM response_items").fetchone() == (0,)


async def test_an_owner_has_a_limit_and_the_oldest_go(path):
    async with keeping(path, FakeProvider(answers=lambda _: "a"), keep_most="8 kB") as (_, alice, bob):
        theirs = await ask(bob, "b" * 3000)
        made = [await ask(alice, "a" * 2000) for _ in range(4)]
        await bob.responses.retrieve(theirs.id)
        with pytest.raises(openai.NotFoundError):
            await alice.responses.retrieve(made[0].id)
        await alice.responses.retrieve(made[-1].id)
        long = await ask(alice, "a" * 9000)
        assert (long.store, long.output_text) == (False, "a")
        await alice.responses.retrieve(made[-1].id)


async def test_a_conversation_has_the_limit_of_a_body(path):
    async with keeping(path, FakeProvider(answers=lambda _: "a"), max_body="9 kB") as (_, alice, _bob):
        made = await ask(alice, "a" * 3000)
        with pytest.raises(openai.APIStatusError) as refused:
            for _ in range(4):
                made = await ask(alice, "a" * 3000, previous_response_id=made.id)
        assert (refused.value.status_code, refused.value.code) == (413, "context_length_exceeded")


async def test_a_store_that_fails_takes_no_answer_from_a_client(path, monkeypatch, caplog):
    def fail(*_, **__):
        raise sqlite3.OperationalError("disk is full")

    async with keeping(path, FakeProvider(answers=lambda _: "a")) as (_, alice, _bob):
        monkeypatch.setattr(ResponseTable, "keep_response", fail)
        assert (await ask(alice, SECRET)).store is False
        assert (await ask(alice, SECRET, stream=True)).output_text == "a"
    assert "disk is full" in caplog.text
    assert SECRET not in caplog.text


async def test_pages_of_input_items(path):
    async with keeping(path, FakeProvider(answers=["a"])) as (gateway, alice, _):
        made = await ask(alice, [{"role": "user", "content": f"q{n}"} for n in range(5)])
        listed = alice.responses.input_items
        texts = [item.content[0].text async for item in await listed.list(made.id, limit=2)]
        assert texts == ["q4", "q3", "q2", "q1", "q0"]
        for query in ("limit=0", "limit=101", "limit=x", "order=up", "after=msg_none"):
            url = f"{gateway.url}/v1/responses/{made.id}/input_items?{query}"
            async with gateway.http.get(url, headers={"x-api-key": KEYS["alice"]}) as answer:
                assert (answer.status, (await answer.json())["error"]["param"]) == (400, query.split("=")[0])


async def test_a_file_of_an_earlier_version_gets_the_tables_and_keeps_what_it_has(path):
    store = Store(path)
    secret = store.share("envelopes")
    store.close()
    with sqlite3.connect(path) as old:
        assert old.execute("SELECT count(*) FROM sqlite_master WHERE name = 'responses'").fetchone() == (0,)
        old.execute("PRAGMA user_version = 1")
    async with keeping(path, FakeProvider(answers=["a"])) as (gateway, alice, _):
        made = await ask(alice, "hi")
        assert (await alice.responses.retrieve(made.id)).output_text == "a"
        assert gateway.state.store.share("envelopes") == secret


async def test_many_processes_can_make_a_new_file_at_once(path):
    stores = await asyncio.gather(*(asyncio.to_thread(Store, path) for _ in range(8)))
    assert len({store.share("envelopes") for store in stores}) == 1
    for one in stores:
        one.close()


# In the background


async def ended(client, identity):
    while (found := await client.responses.retrieve(identity)).status in ("queued", "in_progress"):
        await asyncio.sleep(0.5)
    return found


async def test_an_answer_is_computed_in_the_background(path):
    fake = FakeProvider(answers=["cobalt", FakeAnswer(text="so it is", delay=20), "right"])
    async with keeping(path, fake) as (gateway, alice, bob):
        first = await ask(alice, "Which word?")
        made = await ask(alice, "Really?", background=True, previous_response_id=first.id)
        assert (made.status, made.background, made.output) == ("queued", True, [])
        with pytest.raises(openai.NotFoundError):
            await bob.responses.cancel(made.id)
        with pytest.raises(openai.BadRequestError) as early:
            await ask(alice, "and?", previous_response_id=made.id)
        assert early.value.code == "previous_response_not_completed"
        found = await ended(alice, made.id)
        assert (found.id, found.status, found.output_text) == (made.id, "completed", "so it is")
        assert (found.background, found.previous_response_id) == (True, first.id)
        assert (await alice.responses.cancel(made.id)).status == "completed"
        more = await ask(alice, "and?", previous_response_id=made.id)
        assert said(fake.requests[-1])[1:4] == [
            ("assistant", "cobalt"),
            ("user", "Really?"),
            ("assistant", "so it is"),
        ]
        assert gateway.state.background == {}
        with pytest.raises(openai.BadRequestError, match="synchronous"):
            await alice.responses.cancel(more.id)


async def test_what_is_computed_can_be_cancelled_also_by_another_process(path):
    fake = FakeProvider(answers=lambda _: FakeAnswer(text="late", delay=600))
    async with keeping(path, fake) as (one, alice, _), keeping(path) as (_, other, _b):
        near, far, gone = [await ask(alice, "Really?", background=True) for _ in range(3)]
        while len(fake.requests) < 3:
            await asyncio.sleep(0.1)
        assert (await alice.responses.cancel(near.id)).status == "cancelled"
        assert (await other.responses.cancel(far.id)).status == "cancelled"
        await other.responses.delete(gone.id)
        async with asyncio.timeout(20):
            while one.state.background:
                await asyncio.sleep(0.5)
        assert [(await alice.responses.retrieve(made.id)).status for made in (near, far)] == ["cancelled"] * 2


async def test_what_fails_in_the_background_says_why(path):
    config = {**CONFIG, "defaults": {"retry": {"attempts": 1}}}
    fake = FakeProvider(answers=[openai_error := ConnectionError("no"), FakeAnswer(text="a b", delay=600)])
    del openai_error
    async with keeping(path, fake, config) as (_, alice, _bob):
        failed = await ended(alice, (await ask(alice, "Really?", background=True)).id)
        assert (failed.status, failed.error.code) == ("failed", "server_error")
        running_on = await ask(alice, "Really?", background=True)
        with pytest.raises(openai.BadRequestError):
            await ask(alice, "Really?", background=True, store=False)
        with pytest.raises(openai.BadRequestError):
            await alice.responses.create(model="best", input="Really?", background=True, stream=True)
        with pytest.raises(openai.BadRequestError):
            await ask(alice, [], background=True)
    async with keeping(path) as (_, alice, _bob):  # a gateway that stops ends them
        assert (await alice.responses.retrieve(running_on.id)).status == "failed"


async def test_an_answer_whose_process_was_killed_has_failed(path):
    fake = FakeProvider(answers=[FakeAnswer(text="late", delay=10_000)])
    async with keeping(path, fake) as (_, alice, _bob):
        made = await ask(alice, "Really?", background=True)
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE responses SET touched_at = touched_at - ?", (_GIVEN_UP + 5,))
        found = await alice.responses.retrieve(made.id)
    assert (found.status, found.error.code) == ("failed", "server_error")


# What a service keeps


class Service:
    """A service that keeps answers, of all who use its key."""

    def __init__(self, server, *, keeps=True):
        self.requests = []
        self.bodies = []
        self.kept = {}
        self.keeps = keeps
        server.route("POST", "/v1/responses", self.answer)

    def answer(self, request):
        body = json.loads(request.body)
        self.requests.append(body)
        self.bodies.append(request.body.decode())
        previous = body.get("previous_response_id")
        if previous is not None and previous not in self.kept:
            error = {
                "message": f"Previous response with id '{previous}' not found.",
                "code": "previous_response_not_found",
            }
            return Answer.json(
                {"error": {**error, "type": "invalid_request_error", "param": None}}, status=400
            )
        number = len(self.requests)
        response = {
            "id": f"resp_{number}", "object": "response", "created_at": 1, "status": "completed", "model": body["model"],
            "output": [
                {"type": "reasoning", "id": f"rs_{number}", "summary": []},
                {"type": "message", "id": f"msg_{number}", "role": "assistant", "status": "completed",
                 "content": [{"type": "output_text", "text": f"answer {number}", "annotations": []}]},
            ],
            "usage": {"input_tokens": 3, "output_tokens": 1, "total_tokens": 4},
            "previous_response_id": previous, "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
            "store": self.keeps and body.get("store") is not False,
        }  # fmt: skip
        self.kept[response["id"]] = response
        if not body.get("stream"):
            return Answer.json(response)
        begun = {**response, "status": "in_progress", "output": [], "usage": None}
        events = [("response.created", begun), ("response.completed", response)]
        return Answer.sse(
            [
                f"event: {kind}\ndata: {json.dumps({'type': kind, 'sequence_number': n, 'response': value})}\n\n".encode()
                for n, (kind, value) in enumerate(events)
            ]
        )


@asynccontextmanager
async def relaying(path, *, keeps=True, **settings):
    async with RecordingServer() as server:
        connection = {
            "provider": "openai",
            "base_url": f"{server.url}/v1",
            "api_key": "none",
            "retry": {"attempts": 1},
        }
        config = {
            "connections": {"up": connection, "other": connection},
            "aliases": {
                "best": ["up:gpt-5-mini"],
                "second": ["other:gpt-5-mini"],
                "any": ["up:gpt-5-mini", "other:gpt-5-mini"],
            },
        }
        async with keeping(path, None, config, registry=Registry.installed(), **settings) as (
            gateway,
            alice,
            bob,
        ):
            yield gateway, alice, bob, Service(server, keeps=keeps)


@pytest.mark.real_time
@STREAMED
async def test_a_relayed_answer_keeps_the_id_of_the_service_and_belongs_to_its_owner(path, stream):
    async with relaying(path) as (_, alice, bob, service):
        first = await ask(alice, "one", stream=stream)
        assert first.id == "resp_1"
        second = await ask(alice, "two", stream=stream, previous_response_id=first.id)
        # The service continues its own answer: bytes go through as they are.
        assert service.requests[1]["previous_response_id"] == "resp_1"
        assert service.requests[1]["input"] == "two"
        assert second.previous_response_id == "resp_1"
        assert (await alice.responses.retrieve(second.id)).output_text == "answer 2"
        asked = len(service.requests)
        with pytest.raises(openai.BadRequestError) as refused:
            await ask(bob, "what was it?", stream=stream, previous_response_id=first.id)
        assert refused.value.code == "previous_response_not_found"
        reference = [{"type": "item_reference", "id": "msg_1"}, {"role": "user", "content": "what was it?"}]
        with pytest.raises(openai.BadRequestError):
            await ask(bob, reference, stream=stream)
        with pytest.raises(openai.BadRequestError) as refused:
            await ask(bob, "what was it?", stream=stream, conversation="conv_1")
        assert refused.value.param == "conversation"
        with pytest.raises(openai.NotFoundError):
            await bob.responses.retrieve(first.id)
        assert len(service.requests) == asked
        await ask(alice, reference, stream=stream)
        assert service.requests[-1]["input"][0] == {"type": "item_reference", "id": "msg_1"}


@pytest.mark.real_time
async def test_elsewhere_the_whole_conversation_is_sent_without_what_only_the_first_service_keeps(path):
    async with relaying(path) as (_, alice, _bob, service):
        first = await ask(alice, "one")
        for target in ("second", "any"):
            await alice.responses.create(model=target, input="two", previous_response_id=first.id)
            sent = service.requests[-1]
            assert "previous_response_id" not in sent
            assert [(item["type"], item["role"]) for item in sent["input"]] == [
                ("message", "user"),
                ("message", "assistant"),
                ("message", "user"),
            ]
            assert "id" not in sent["input"][1]


@pytest.mark.real_time
async def test_a_service_that_keeps_nothing_gets_the_whole_conversation(path):
    async with relaying(path, keeps=False) as (_, alice, _bob, service):
        first = await ask(alice, "one")
        await ask(alice, "two", previous_response_id=first.id)
        assert "previous_response_id" not in service.requests[1]
        assert [item["role"] for item in service.requests[1]["input"]] == ["user", "assistant", "user"]


@pytest.mark.real_time
async def test_a_relayed_call_in_the_background(path):
    async with relaying(path) as (_, alice, _bob, service):
        made = await ask(alice, "one", background=True, tools=[{"type": "web_search"}])
        found = await ended(alice, made.id)
        assert (found.id, found.status, found.output_text) == (made.id, "completed", "answer 1")
        assert "background" not in service.requests[0]
        assert service.requests[0]["tools"] == [{"type": "web_search"}]


@pytest.mark.real_time
async def test_several_owners_cannot_use_what_a_service_keeps_if_nobody_knows_whose_it_is(path):
    async with relaying(path, keep_responses=None) as (gateway, alice, bob, service):
        first = await ask(alice, "one")
        for client in (alice, bob):
            with pytest.raises(openai.BadRequestError) as refused:
                await ask(client, "two", previous_response_id=first.id)
            assert refused.value.code == "previous_response_not_found"
            with pytest.raises(openai.BadRequestError):
                await ask(client, [{"id": "msg_1"}, {"role": "user", "content": "two"}])
        headers = {"authorization": f"Bearer {KEYS['bob']}"}
        async with gateway.http.ws_connect(f"{gateway.url}/v1/responses", headers=headers) as socket:
            body = {
                "type": "response.create",
                "model": "best",
                "input": "two",
                "previous_response_id": first.id,
            }
            await socket.send_json(body)
            assert (await socket.receive_json())["error"]["code"] == "previous_response_not_found"
        assert len(service.requests) == 1
    async with relaying(path, keep_responses=None, keys={"alice": DECLARED["alice"]}) as (
        _,
        alice,
        _bob,
        service,
    ):
        first = await ask(alice, "one")
        await ask(alice, "two", previous_response_id=first.id)
        assert service.requests[1]["previous_response_id"] == first.id


@pytest.mark.real_time
@pytest.mark.parametrize("kept", ["7 days", None])
async def test_a_service_reads_no_other_request_than_the_one_that_was_checked(path, kept):
    """Of two equal keys readers take the first or the last; some take a key in capitals, too."""
    plain = '"model":"best","store":false,"input":[{"role":"user","content":"hi"}]}'
    twice = (
        '{"previous_response_id":"resp_x","previous_response_id":null,' + plain,
        '{"conversation":"conv_x","conversation":null,' + plain,
        '{"model":"best","input":[{"type":"item_reference","type":"message","role":"user","content":"hi"}]}',
    )
    refused = (
        '{"Previous_Response_ID":"resp_x",' + plain,
        '{"model":"best","input":[{"id":"msg_x","role":null}]}',
        '{"model":"best","input":[{"id":"msg_x","type":""}]}',
        '{"model":"best","input":[{"Type":"item_reference","ID":"msg_x","role":"user","content":"a"}]}',
        '{"model":"best","input":[],"Input":[{"type":"item_reference","id":"msg_x"}]}',
    )
    headers = {"authorization": f"Bearer {KEYS['bob']}", "content-type": "application/json"}
    async with relaying(path, keep_responses=kept) as (gateway, _alice, _bob, service):
        for body in (*twice, *refused):
            async with gateway.http.post(f"{gateway.url}/v1/responses", data=body, headers=headers) as answer:
                assert answer.status == (200 if body in twice else 400), body
        assert len(service.bodies) == len(twice)
        for text in service.bodies:
            assert "_x" not in text
            assert "item_reference" not in text


async def test_a_websocket_continues_what_is_kept(path):
    async with keeping(path, FakeProvider(answers=["cobalt", "yes", "yes"])) as (gateway, alice, _):
        first = await ask(alice, "Which word?")
        for name, ends in (("alice", "response.completed"), ("bob", "error")):
            headers = {"authorization": f"Bearer {KEYS[name]}"}
            async with gateway.http.ws_connect(f"{gateway.url}/v1/responses", headers=headers) as socket:
                body = {
                    "type": "response.create",
                    "model": "best",
                    "input": "Sure?",
                    "previous_response_id": first.id,
                }
                await socket.send_json(body)
                while (event := await socket.receive_json())["type"] not in ("response.completed", "error"):
                    pass
            assert event["type"] == ends
        assert said(gateway.fake.requests[1]) == [
            ("user", "Which word?"),
            ("assistant", "cobalt"),
            ("user", "Sure?"),
        ]
