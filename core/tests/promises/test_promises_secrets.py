"""Secrets are references, and stand nowhere: not in repr, str, log, error, traceback's message or plan."""

import asyncio
import logging
import pickle
import traceback

import pytest
from plain_provider import PlainProvider, hello, mesh_for, read, streamed

from jackfield import JackfieldError, Mesh, MissingCredentialError, Secret
from jackfield._plugins.registry import Registry
from jackfield.plugin import Bearer, HttpAccess, Token, hookimpl
from jackfield.testing import Answer, FakeProvider
from jackfield.testing._fakes import FakeTransport

KEY = "sk-plain-0123456789abcdef"


@pytest.fixture(params=["env", "file", "value"])
def reference(request, monkeypatch, tmp_path):
    """The key, as a configuration or a program gives it."""
    monkeypatch.delenv("PLAIN_KEY", raising=False)
    if request.param == "env":
        monkeypatch.setenv("MY_KEY", KEY)
        return "env:MY_KEY"
    if request.param == "file":
        (tmp_path / "key").write_text(KEY + "\n")
        return f"file:{tmp_path / 'key'}"
    return Secret(KEY)


def everything_said(error):
    """Every way in which an error is shown or sent elsewhere."""
    return "\n".join(
        [
            str(error),
            repr(error),
            repr(error.args),
            repr(error.body),
            repr(dict(error.headers or {})),
            repr(error.attempts),
            repr([attempt.message for attempt in error.attempts]),
            repr(error.code),
            repr(error.partial),
            "".join(traceback.format_exception(error)),
            repr(pickle.dumps(error)),
        ]
    )


def echoing(status):
    """A service that shows the key it was sent: in its message, in its code and in a header."""

    def answer(request):
        seen = request.headers["authorization"]
        body = {"error": {"message": f"bad key {seen}", "code": f"key-{seen}"}}
        return Answer.json(body, status, headers={"X-Seen": seen})

    return answer


@pytest.mark.parametrize("status", [400, 401, 500])
async def test_a_key_that_the_service_echoes_is_redacted_everywhere(
    server, reference, caplog, pauses, status
):
    caplog.set_level(logging.DEBUG)
    server.route("POST", "/chat", echoing(status))
    async with mesh_for(server.url, api_key=reference) as mesh:
        with pytest.raises(JackfieldError) as caught:
            await mesh.chat("c:m", "hi")
        with pytest.raises(JackfieldError) as streamed_error:
            await read(mesh.stream_chat("c:m", "hi"))
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    for error in (caught.value, streamed_error.value):
        assert KEY not in everything_said(error)
        assert "***" in str(error)
        assert error.headers["x-SEEN"] == "Bearer ***"  # and names still have no case
        assert pickle.loads(pickle.dumps(error)).headers["X-Seen"] == "Bearer ***"
    assert KEY not in caplog.text


async def test_a_key_is_in_no_repr_and_in_no_plan(server, reference):
    mesh = mesh_for(server.url, api_key=reference, headers={"X-Tenant": Secret("tenant-secret")})
    server.answer(hello())
    async with mesh:
        plan = mesh.explain("c:m", "hi")
        reply = await mesh.chat("c:m", "hi")
        shown = "\n".join(
            map(
                repr,
                [mesh, mesh.connections, mesh._config, plan, reply, reply.raw, vars(mesh._open["c"]),
                 mesh._open["c"].transport, mesh.connections["c"].settings],
            )
        )  # fmt: skip
    assert server.requests[0].headers["x-tenant"] == "tenant-secret"
    assert KEY not in shown
    assert "tenant-secret" not in shown
    assert plan.headers["Authorization"].startswith("Bearer <")


async def test_a_plan_shows_each_secret_by_where_it_is_from(server):
    headers = {"X-Tenant": "env:TENANT", "X-Team": Secret("team-secret"), "X-Plain": "plain"}
    plan = mesh_for(server.url, api_key="env:MY_KEY", headers=headers).explain("c:m", "hi")
    assert plan.headers["Authorization"] == "Bearer <env:MY_KEY>"
    assert plan.headers["X-Tenant"] == "<env:TENANT>"
    assert plan.headers["X-Team"] == "<secret>"
    assert plan.headers["X-Plain"] == "plain"


async def test_a_header_whose_secret_is_not_there_is_named(server, monkeypatch):
    monkeypatch.delenv("TENANT", raising=False)
    async with mesh_for(server.url, headers={"X-Tenant": "env:TENANT"}) as mesh:
        with pytest.raises(MissingCredentialError, match="headers.X-Tenant: the environment variable TENANT"):
            await mesh.chat("c:m", "hi")
    assert server.requests == []


async def test_a_header_from_the_configuration_is_a_secret_too(server, monkeypatch):
    monkeypatch.setenv("TENANT", "tenant-secret-1")

    def answer(request):
        return Answer.json({"error": {"message": f"who is {request.headers['x-tenant']}?"}}, 403)

    server.route("POST", "/chat", answer)
    async with mesh_for(server.url, headers={"X-Tenant": "env:TENANT"}) as mesh:
        with pytest.raises(JackfieldError, match="who is") as caught:
            await mesh.chat("c:m", "hi")
    assert "tenant-secret" not in everything_said(caught.value)


async def test_a_token_that_was_renewed_meanwhile_is_still_a_secret(server):
    tokens, seen = iter(["first-token", "second-token"]), []

    def answer(request):
        seen.append(request.headers["authorization"])
        return Answer.json({"error": {"message": f"I have seen {seen}"}}, 401)

    server.route("POST", "/chat", answer)
    async with mesh_for(server.url, PlainProvider(auth=Bearer(lambda: Token(next(tokens))))) as mesh:
        with pytest.raises(JackfieldError, match="I have seen") as caught:
            await mesh.chat("c:m", "hi")
    assert len(server.requests) == 2
    said = everything_said(caught.value)
    assert "first-token" not in said
    assert "second-token" not in said


async def test_a_secret_that_contains_another_is_redacted_whole(server, monkeypatch):
    monkeypatch.setenv("PLAIN_KEY", "abcdef")
    server.route("POST", "/chat", lambda r: Answer.json({"error": {"message": "no abcdef-and-more"}}, 400))
    async with mesh_for(server.url, headers={"X-Long": Secret("abcdef-and-more")}) as mesh:
        with pytest.raises(JackfieldError) as caught:
            await mesh.chat("c:m", "hi")
    assert "and-more" not in everything_said(caught.value)


async def test_a_broken_file_is_named_and_not_shown(server, tmp_path):
    (tmp_path / "key").write_text("two\nlines-of-secret")
    async with mesh_for(server.url, api_key=f"file:{tmp_path / 'key'}") as mesh:
        with pytest.raises(JackfieldError, match="key") as caught:
            await mesh.chat("c:m", "hi")
    assert "lines-of-secret" not in everything_said(caught.value)


async def test_a_transport_of_the_plugins_own_may_say_what_it_likes(monkeypatch):
    import attrs

    from jackfield.plugin import secret

    @attrs.frozen
    class Settings:
        token: Secret | None = secret(env="OWN_TOKEN")

    class Leaks(FakeTransport):
        def __init__(self, fake, settings):
            super().__init__(fake)
            self.settings = settings

        async def open(self):
            raise RuntimeError(f"cannot log in with {self.settings.token.reveal()}")

    class Plugin(FakeProvider):
        @hookimpl
        def jackfield_provider(self):
            return attrs.evolve(super().jackfield_provider(), settings=Settings)

        @hookimpl
        def jackfield_transport(self, settings):
            return Leaks(self, settings)

    monkeypatch.setenv("OWN_TOKEN", KEY)
    async with Mesh.from_config(
        {"connections": {"c": {"provider": "fake"}}}, registry=Registry.of(Plugin())
    ) as mesh:
        with pytest.raises(JackfieldError, match="cannot log in") as caught:
            await mesh.chat("c:m", "hi")
    assert KEY not in str(caught.value)
    assert KEY not in repr(caught.value.attempts)


async def test_prompts_and_answers_are_not_logged(server, key, caplog):
    caplog.set_level(logging.DEBUG)
    server.answer(hello("a private answer"), streamed(), Answer.json({"error": {"message": "no"}}, 400))
    async with mesh_for(server.url) as mesh:
        await mesh.chat("c:m", "a private question")
        await read(mesh.stream_chat("c:m", "a private question"))
        with pytest.raises(JackfieldError) as caught:
            await mesh.chat("c:m", "a private question")
    ours = [record for record in caplog.records if record.name.startswith("jackfield")]
    assert not any("private" in record.getMessage() for record in ours)
    assert "private" not in str(caught.value)
    assert key not in caplog.text


async def test_two_connections_do_not_share_a_key(server, monkeypatch):
    monkeypatch.setenv("A_KEY", "key-of-a")
    monkeypatch.setenv("B_KEY", "key-of-b")
    tables = {
        "connections": {
            name: {"provider": "plain", "base_url": server.url, "api_key": f"env:{name.upper()}_KEY"}
            for name in "ab"
        }
    }
    server.route("POST", "/chat", hello())
    async with Mesh.from_config(tables, registry=Registry.of(PlainProvider())) as mesh:
        await asyncio.gather(*(mesh.chat(f"{name}:m", name) for name in "abab"))
    sent = {(r.json["messages"][0]["text"], r.headers["authorization"]) for r in server.requests}
    assert sent == {("a", "Bearer key-of-a"), ("b", "Bearer key-of-b")}


@pytest.mark.parametrize("kind", [MissingCredentialError, ValueError])
async def test_a_secret_by_which_tokens_are_fetched_is_redacted_where_that_fails(server, reference, kind):
    class Fetching(PlainProvider):
        @hookimpl
        def jackfield_transport(self, settings):
            def fetch():
                raise kind(f"the token endpoint answered 401: bad secret {settings.api_key.reveal()}")

            return HttpAccess(base_url=settings.base_url, auth=Bearer(fetch))

    async with mesh_for(server.url, Fetching(), api_key=reference) as mesh:
        with pytest.raises(MissingCredentialError) as caught:
            await mesh.chat("c:m", "hi")
    assert KEY not in str(caught.value) + repr(caught.value.attempts)
    assert "bad secret ***" in str(caught.value)
