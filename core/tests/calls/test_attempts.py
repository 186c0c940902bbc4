"""Attempts: one owner for calls and listings of models."""

import asyncio

import attrs
import pytest
from plain_provider import PlainProvider, hello, mesh_for

from jackfield import AuthenticationError, ConnectionFailedError, MissingCredentialError, NotFoundError
from jackfield._calls.attempts import add_address
from jackfield._http.transport import HttpTransport
from jackfield.plugin import Bearer, HttpAccess, Token, Wire
from jackfield.testing import Answer

BOTH = {"call": lambda mesh: mesh.chat("c:m", "hi"), "listing": lambda mesh: mesh.models("c")}


@pytest.fixture(params=BOTH)
def ask(request):
    """Make a call, or list models."""
    return BOTH[request.param]


async def attempts_of_cancelled(waiting, until):
    """Cancel what waits, once `until` is done; gives the attempts that the cancellation carries."""
    seen = []

    async def watched():
        try:
            await waiting
        except asyncio.CancelledError as error:
            seen.extend(error.attempts)
            raise

    task = asyncio.create_task(watched())
    await until
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return seen


async def test_a_cancelled_attempt_is_recorded(server, ask):
    server.answer(Answer.never())
    async with mesh_for(server.url) as mesh:
        (attempt,) = await attempts_of_cancelled(ask(mesh), server.wait_requests())
    assert attempt.error == "CancelledError"
    assert (attempt.connection, attempt.status) == ("c", None)
    assert attempt.sent_at is not None
    assert attempt.duration > 0


async def test_an_attempt_cancelled_after_others_is_recorded_with_them(server, pauses, ask):
    server.answer(Answer.json({}, 503), Answer.never())
    async with mesh_for(server.url) as mesh:
        attempts = await attempts_of_cancelled(ask(mesh), server.wait_requests(2))
    assert [(attempt.error, attempt.status) for attempt in attempts] == [
        ("OverloadedError", 503),
        ("CancelledError", None),
    ]


async def test_an_attempt_that_came_not_so_far_as_to_send_has_no_moment_of_sending(ask, monkeypatch):
    monkeypatch.delenv("PLAIN_KEY", raising=False)
    plugin = PlainProvider(auth=Bearer(lambda: Token("x")))
    async with mesh_for("http://127.0.0.1:9", plugin, api_key="env:PLAIN_KEY") as mesh:
        mesh._open["c"].make_transport = FailsToOpen
        with pytest.raises(MissingCredentialError) as caught:
            await ask(mesh)
    (attempt,) = caught.value.attempts
    assert (attempt.error, attempt.sent_at) == ("MissingCredentialError", None)


class FailsToOpen:
    async def open(self):
        raise MissingCredentialError("no key is set")

    async def aclose(self):
        pass


async def test_a_failed_attempt_says_when_it_was_sent(ask):
    async with mesh_for("http://127.0.0.1:9", retry={"attempts": 1}) as mesh:
        with pytest.raises(ConnectionFailedError) as caught:
            await ask(mesh)
    assert caught.value.attempts[0].sent_at is not None


async def test_credentials_are_renewed_once_for_all_attempts(server, ask):
    tokens = iter(["old", "new", "newer"])
    plugin = PlainProvider(auth=Bearer(lambda: Token(next(tokens))))
    server.answer(Answer.json({}, 401), Answer.json({}, 401), hello(models=["a"]))
    async with mesh_for(server.url, plugin) as mesh:
        with pytest.raises(AuthenticationError) as caught:
            await ask(mesh)
    assert [attempt.refreshed for attempt in caught.value.attempts] == [True, False]


# Where a 404 was asked


def hint_of(base, *, default="https://service.example/v1", kind="chat", path="chat"):
    @attrs.frozen
    class Settings:
        base_url: str | None = default

    error = NotFoundError("not here", status=404)
    transport = HttpTransport(HttpAccess(base_url=base))
    for _ in range(2):  # a second attempt does not say it again
        add_address(error, Settings(base), transport, Wire(path, {}), kind)
    assert str(error).startswith(error.message)
    return error.message


def test_a_404_names_how_addresses_of_the_service_end():
    ending = "; check base_url, which ends in /v1 as a rule)"
    assert hint_of("http://me:it@other.example") == f"not here (asked at http://other.example/chat{ending}"
    right = "http://other.example/v1"
    assert hint_of(right) == f"not here (asked at {right}/chat; check base_url)"
    assert hint_of("https://service.example/v1") == "not here"


@pytest.mark.parametrize(("kind", "told"), [("completion", True), ("chat", False), (None, False)])
def test_a_404_of_a_completion_says_how_a_model_that_only_chats_is_declared(kind, told):
    hint = hint_of("http://other.example/v1", default=None, kind=kind, path="anything")
    assert ('kind = "chat"' in hint) is told


async def test_a_404_of_a_call_says_so_by_the_kind_of_the_call(server):
    server.answer(Answer.text("no such page", status=404), Answer.text("no such page", status=404))
    async with mesh_for(server.url) as mesh:
        with pytest.raises(NotFoundError, match='kind = "chat"'):
            await mesh.complete("c:m", "Once")
        with pytest.raises(NotFoundError) as caught:
            await mesh.chat("c:m", "Hi")
    assert "kind" not in caught.value.message
