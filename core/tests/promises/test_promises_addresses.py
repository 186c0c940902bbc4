"""User, password and keys in addresses are secrets: of a proxy, of a service, of the environment."""

import asyncio
import base64
import contextlib
import json
import pickle
import socket
import traceback
from urllib.parse import unquote

import attrs
import pytest
from plain_provider import PlainProvider, hello, mesh_for, read

from jackfield import ConfigurationError, ConnectionFailedError, JackfieldError, Mesh, TimeoutError
from jackfield._calls.redaction import Redaction
from jackfield._contract.addresses import Address, address_secrets, shown_address
from jackfield._plugins.registry import Registry
from jackfield.plugin import hookimpl
from jackfield.testing import Answer, FakeProvider
from jackfield.testing._fakes import FakeTransport

PASSWORD = "pr%40xy%2Fpass-1"
QUERY_KEY = "query-key-1"


def all_of(error):
    """Everything that hangs on an error, its causes and contexts included."""
    found, left = [], [error]
    while left:
        one = left.pop()
        if one is None or any(one is seen for seen in found):
            continue
        found.append(one)
        left += [one.__cause__, one.__context__]
    return found


def assert_hidden(error, *secrets):
    redaction = Redaction(secrets)
    for one in all_of(error):
        assert not redaction._is_in_error(one), repr(one)
        assert not redaction._is_in_text(repr(vars(one)))
    said = [*traceback.format_exception(error), repr(pickle.dumps(error)), repr(error.attempts)]
    assert not redaction._is_in_text("".join(said))


@contextlib.asynccontextmanager
async def service(answer):
    """Answers whatever comes by `answer(head)`; None waits."""

    async def serve(reader, writer):
        with contextlib.closing(writer), contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            made = answer(await reader.readuntil(b"\r\n\r\n"))
            if made is None:
                await reader.read()
                return
            writer.write(made)
            await writer.drain()
            writer.write_eof()
            await reader.read()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def refusal(status, reason="Refused", body=b""):
    return b"HTTP/1.1 %d %b\r\nContent-Length: %d\r\n\r\n%b" % (status, reason.encode(), len(body), body)


@pytest.fixture(params=["declared", "HTTPS_PROXY", "https_proxy", "without a scheme"])
def proxied(request, monkeypatch):
    """A proxy with a password, as it comes to be used; gives the options of a connection."""
    for name in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)

    def declare(port):
        address = f"user:{PASSWORD}@127.0.0.1:{port}"
        if request.param == "declared":
            return {"proxy": f"http://{address}"}
        if request.param == "without a scheme":
            monkeypatch.setenv("https_proxy", address)
            monkeypatch.setenv("http_proxy", address)
        else:
            monkeypatch.setenv(request.param, f"http://{address}")
            monkeypatch.setenv(request.param.replace("S", "").replace("s", ""), f"http://{address}")
        return {}

    return declare


@pytest.mark.parametrize("status", [302, 403, 407, 502])
@pytest.mark.parametrize("how", ["whole", "stream"])
async def test_a_proxy_that_refuses_to_connect_shows_no_password(proxied, status, how, key, pauses):
    async with service(lambda head: refusal(status, "no user:" + unquote(PASSWORD))) as port:
        base = f"https://service.invalid/v1?key={QUERY_KEY}"
        async with mesh_for(base, retry={"attempts": 2}, **proxied(port)) as mesh:
            with pytest.raises(
                ConnectionFailedError, match=rf"the proxy 127.0.0.1:{port} .*: {status} no \*\*\*"
            ) as caught:
                await (mesh.chat("c:m", "hi") if how == "whole" else read(mesh.stream_chat("c:m", "hi")))
    assert_hidden(caught.value, PASSWORD, QUERY_KEY, key)
    assert caught.value.__cause__ is not None
    assert len(caught.value.attempts) == (2 if status == 502 else 1)


BREAKS = {
    "not HTTP": (lambda head: b"SSH-2.0\r\n\r\n", ConnectionFailedError),
    "closes": (lambda head: b"", ConnectionFailedError),
    "silent": (lambda head: None, TimeoutError),
}


@pytest.mark.parametrize(("answer", "kind"), BREAKS.values(), ids=BREAKS)
async def test_a_proxy_that_breaks_shows_no_password(proxied, answer, kind, key):
    async with service(answer) as port:
        base = f"https://service.invalid/v1?key={QUERY_KEY}"
        options = {"retry": {"attempts": 1}, "timeout": {"connect": 0.3}, **proxied(port)}
        async with mesh_for(base, **options) as mesh:
            with pytest.raises(kind) as caught:
                await mesh.chat("c:m", "hi")
    assert_hidden(caught.value, PASSWORD, QUERY_KEY, key)


async def test_a_proxy_that_is_not_there_shows_no_password(proxied, key):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    async with mesh_for("https://service.invalid", retry={"attempts": 1}, **proxied(port)) as mesh:
        with pytest.raises(ConnectionFailedError, match=f"127.0.0.1:{port} failed") as caught:
            await mesh.chat("c:m", "hi")
    assert_hidden(caught.value, PASSWORD, key)


async def test_a_proxy_that_echoes_what_it_was_sent_is_redacted(proxied, key):
    """It is sent the password decoded and in base64, and may know it encoded."""
    sent = []

    def answer(head):
        sent.append(head)
        plain = unquote(PASSWORD)
        return refusal(407, body=head + f"you are user:{plain}, {PASSWORD}, {plain}".encode())

    async with service(answer) as port:
        async with mesh_for("http://service.invalid", retry={"attempts": 1}, **proxied(port)) as mesh:
            with pytest.raises(JackfieldError) as caught:
                await mesh.chat("c:m", "hi")
    basic = base64.b64encode(b"user:" + unquote(PASSWORD).encode())
    assert basic in sent[0]
    assert caught.value.body.count(b"***") >= 4
    assert b"Basic ***" in caught.value.body
    assert_hidden(caught.value, PASSWORD, key)


@pytest.mark.parametrize(
    "proxy", ["socks5://user:pass-of-socks@127.0.0.1:1", "http://user:pass-of/socks@127.0.0.1:1"]
)
async def test_a_proxy_that_cannot_be_used_is_said_and_not_shown(proxy, monkeypatch, key):
    monkeypatch.setenv("https_proxy", proxy)
    monkeypatch.delenv("no_proxy", raising=False)
    async with mesh_for("https://service.invalid") as mesh:
        with pytest.raises(ConfigurationError, match="HTTPS_PROXY in the environment is") as caught:
            await mesh.chat("c:m", "hi")
    assert_hidden(caught.value, "pass-of")


@pytest.mark.parametrize("without", ["127.0.0.1", "127.0.0.1:9", "other,127.0.0.1:9"])
async def test_no_proxy_may_name_a_port(server, monkeypatch, without):
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", without)
    async with mesh_for("http://127.0.0.1:9", retry={"attempts": 1}) as mesh:
        with pytest.raises(ConnectionFailedError, match="127.0.0.1:9 failed"):
            await mesh.chat("c:m", "hi")
    assert server.requests == []


# Addresses of services


@pytest.mark.parametrize("how", ["direct", "by the session"])
@pytest.mark.parametrize(("answer", "kind"), BREAKS.values(), ids=BREAKS)
async def test_an_address_is_in_no_error(answer, kind, how, key, monkeypatch):
    if how != "direct":
        monkeypatch.setattr("jackfield._http.transport.HttpTransport._prepare_post", lambda *_: None)
    async with service(answer) as port:
        base = f"http://127.0.0.1:{port}/v1?key={QUERY_KEY}"
        options = {"retry": {"attempts": 1}, "timeout": {"first_event": 0.3}}
        async with mesh_for(base, **options) as mesh:
            with pytest.raises(kind) as caught:
                await mesh.chat("c:m", "hi")
    assert_hidden(caught.value, QUERY_KEY, key)


async def test_no_connection_in_time_shows_no_address(key):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # TLS never begins
        base = f"https://127.0.0.1:{silent.getsockname()[1]}/v1?key={QUERY_KEY}"
        async with mesh_for(base, retry={"attempts": 1}, timeout={"connect": 0.2}) as mesh:
            for prompt in ("hi", "x" * 1_100_000):  # past the session, and by it
                with pytest.raises(TimeoutError, match="phase connect") as caught:
                    await mesh.chat("c:m", prompt)
                assert_hidden(caught.value, QUERY_KEY, key)


async def test_a_key_in_an_address_that_is_echoed_is_redacted(server, key):
    def answer(request):
        return Answer.json({"error": {"message": f"who asks {request.path_qs}?"}}, 403)

    server.route("POST", "*", answer)
    async with mesh_for(f"{server.url}/v1?api-version=2024-10-21&sig=s%2Fig1&key={QUERY_KEY}") as mesh:
        with pytest.raises(JackfieldError, match="api-version=2024-10-21&sig=") as caught:
            await mesh.chat("c:m", "hi")
    assert_hidden(caught.value, QUERY_KEY, "s%2Fig1", key)


async def test_an_address_is_shown_without_its_secrets(server):
    base = f"https://bob:url-pass-1@gateway.example/v1?api-version=2024-10-21&key={QUERY_KEY}"
    mesh = mesh_for(base, api_key="none", proxy=f"http://user:{PASSWORD}@p:1")
    plan = mesh.explain("c:m", "hi")
    assert plan.url == "https://***@gateway.example/v1/chat?api-version=2024-10-21&key=***"
    settings = mesh.connections["c"].settings
    assert settings.base_url == base
    assert "gateway.example" in repr(settings)
    for shown in (repr(plan), repr(settings), repr(mesh.connections), str(settings), f"{settings}"):
        for hidden in ("url-pass", QUERY_KEY, PASSWORD):
            assert hidden not in shown


async def test_an_address_with_a_key_is_asked_as_it_stands(server):
    server.answer(hello())
    async with mesh_for(f"{server.url}/v1?key={QUERY_KEY}") as mesh:
        await mesh.chat("c:m", "hi")
    assert server.requests[0].path_qs == f"/v1/chat?key={QUERY_KEY}"


@pytest.mark.parametrize(
    ("address", "shown", "secrets"),
    [
        ("https://host/v1", "https://host/v1", []),
        ("https://host:8443/a:b@c", "https://host:8443/a:b@c", []),
        ("https://[::1]:80/x", "https://[::1]:80/x", []),
        ("https://token-1@host/v1", "https://***@host/v1", ["token-1", "token-1"]),
        ("https://u:p@host:1/v1?a=1", "https://***@host:1/v1?a=***", ["u:p", "p"]),
        ("u:p@host:3128", "***@host:3128", ["u:p", "p"]),
        ("http://u:p/w@host:1", "http://***@host:1", ["u:p/w", "p/w"]),
        ("http://u:p@w@host:1", "http://***@host:1", ["u:p@w", "p@w"]),
        ("http://h?api-version=2024-10-21&x", "http://h?api-version=2024-10-21&x", []),
        ("http://h?mode=fast&k=long-enough&sig=1", "http://h?mode=***&k=***&sig=***", ["long-enough", "1"]),
        ("not an address", "not an address", []),
    ],
)
def test_what_is_secret_in_an_address(address, shown, secrets):
    assert shown_address(address) == shown
    assert list(address_secrets(address)) == secrets


def test_an_address_is_a_text_whose_repr_hides():
    address = Address("https://u:p@host")
    assert (address, str(address), json.dumps(address)) == ("https://u:p@host",) * 2 + ('"https://u:p@host"',)
    assert repr(address) == "'https://***@host'"
    assert pickle.loads(pickle.dumps(address)) == address


# Transports of a plugin's own


class SdkError(Exception):
    """As an SDK's: it carries the request."""


async def test_what_an_sdks_error_carries_is_not_passed_on(monkeypatch):
    monkeypatch.setenv("https_proxy", f"http://user:{PASSWORD}@127.0.0.1:1")

    @attrs.frozen
    class Settings:
        endpoint: str = ""

    class Carries(FakeTransport):
        def exchange(self, wire):
            error = SdkError("refused")
            error.request = {
                "proxies": {"https": f"http://user:{PASSWORD}@127.0.0.1:1"},
                "url": settings.endpoint,
            }
            raise error

    class Plugin(FakeProvider):
        @hookimpl
        def jackfield_provider(self):
            return attrs.evolve(super().jackfield_provider(), settings=Settings)

        @hookimpl
        def jackfield_transport(self, settings):
            return Carries(self)

    tables = {"connections": {"c": {"provider": "fake", "endpoint": f"https://h/?key={QUERY_KEY}"}}}
    async with Mesh.from_config(tables, registry=Registry.of(Plugin())) as mesh:
        settings = mesh.connections["c"].settings
        with pytest.raises(JackfieldError, match="refused") as caught:
            await mesh.chat("c:m", "hi")
    assert "SdkError" in str(caught.value.__cause__)
    assert_hidden(caught.value, PASSWORD, QUERY_KEY)


async def test_what_the_error_of_a_hook_carries_is_not_passed_on(monkeypatch, key):
    class Plugin(PlainProvider):
        @hookimpl
        def jackfield_discover(self, settings):
            raise ValueError(f"cannot list {settings.base_url} with {settings.api_key.reveal()}")

        @hookimpl
        def jackfield_table(self, settings):
            return self.jackfield_discover(settings)

    base = f"https://service.invalid?key={QUERY_KEY}"
    async with mesh_for(base, Plugin()) as mesh:
        with pytest.raises(JackfieldError, match="jackfield_discover failed") as caught:
            await mesh.models("c")
        assert_hidden(caught.value, QUERY_KEY, key)
        assert isinstance(caught.value.__cause__, ValueError)
