"""Calls are made for the owner of the key, whichever way they go."""

import pytest
from gateway_running import CONFIG, running

from jackfield import Registry
from jackfield.plugin import hookimpl
from jackfield.testing import FakeProvider
from jackfield_gateway import GatewaySettings
from jackfield_gateway._keys import hash_key, make_key


class Observer:
    def __init__(self):
        self.calls = []

    @hookimpl
    def jackfield_call_started(self, call):
        self.calls.append(call)
        return False


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
async def test_a_call_is_made_for_the_owner_of_its_key(path, stream):
    key, observer, fake = make_key(), Observer(), FakeProvider()
    registry = Registry.of(fake, tables={"gateway": GatewaySettings}, extensions=[observer])
    keys = {"alice": {"hash": hash_key(key), "owner": "org/research/alice"}}
    async with running(CONFIG, fake, registry=registry, keys=keys) as gateway:
        body = {
            "model": "best",
            "max_tokens": 9,
            "input": "hi",
            "messages": [{"role": "user", "content": "hi"}],
        }
        if path == "/v1/responses":
            body = {"model": "best", "input": "hi"}
        else:
            del body["input"]
        async with gateway.http.post(
            f"{gateway.url}{path}", json={**body, "stream": stream}, headers={"x-api-key": key}
        ) as answer:
            assert answer.status == 200
            assert "org/research" not in await answer.text()
    (call,) = observer.calls
    assert (call.owner, dict(call.labels)) == ("org/research/alice", {"key": "alice"})
