"""The HTTP transport: addresses and bytes as they are, one pool, no surprises."""

import gzip
import socket

import orjson
import pytest
from plain_provider import PlainProvider, hello, mesh_for, read, streamed, text_of

from jackfield import (
    ConfigurationError,
    ConnectionFailedError,
    InvalidRequestError,
    JackfieldError,
    MalformedResponseError,
    MissingCredentialError,
    NotFoundError,
    Secret,
    ServerError,
)
from jackfield._http.transport import HttpTransport
from jackfield.plugin import HttpAccess, Wire, hookimpl
from jackfield.testing import Answer


async def sent(server, wire, *, base=None, answer=None, **options):
    """Send one wire; gives the recorded request and the body that came back."""
    server.answer(answer or Answer.text("ok"))
    access = HttpAccess(base_url=base or server.url, headers=options.pop("access_headers", {}))
    transport = HttpTransport(access, **options)
    await transport.open()
    try:
        async with transport.exchange(wire) as exchange:
            frames = [frame.data async for batch in exchange.frames for frame in batch]
    finally:
        await transport.aclose()
        await transport.aclose()  # may be called twice
    return server.requests[-1], exchange.head, frames


async def test_a_body_is_serialised_once_and_sent_as_it_is(server):
    request, head, frames = await sent(server, Wire("x", {"a": "é", 1: [None, True, 1.5]}))
    assert request.body == '{"a":"é","1":[null,true,1.5]}'.encode()
    assert request.headers["content-type"] == "application/json"
    assert request.headers["content-length"] == str(len(request.body))
    assert (head.status, frames) == (200, [b"ok"])
    assert head.headers["CONTENT-TYPE"].startswith("text/plain")


async def test_bytes_are_sent_untouched(server):
    request, _, _ = await sent(server, Wire("x", b"\x00\xff", headers={"Content-Type": "audio/wav"}))
    assert request.body == b"\x00\xff"
    assert request.headers["content-type"] == "audio/wav"


async def test_no_body_is_no_body(server):
    request, _, _ = await sent(server, Wire("x", method="GET"))
    assert (request.method, request.body) == ("GET", b"")
    assert "content-type" not in request.headers


async def test_a_large_body_is_sent_whole(server):
    body = b"x" * 3_000_000
    request, _, _ = await sent(server, Wire("x", body))
    assert request.body == body
    assert request.headers["content-length"] == "3000000"


@pytest.mark.parametrize(
    ("base", "path", "query", "wanted"),
    [
        ("", "chat", {}, "/chat"),
        ("/", "/chat", {}, "/chat"),
        ("/v1", "chat", {}, "/v1/chat"),
        ("/v1/", "/chat", {"b": "2", "a": "1"}, "/v1/chat?b=2&a=1"),
        ("/v1", "chat?x=1", {"a": "b c&d:e/f"}, "/v1/chat?x=1&a=b%20c%26d:e%2Ff"),
        ("/v1?key=k", "chat", {}, "/v1/chat?key=k"),
        ("/v1/?key=k", "chat", {"a": "1"}, "/v1/chat?key=k&a=1"),
        ("/a%2Fb", "c%3Ad:e", {}, "/a%2Fb/c%3Ad:e"),
    ],
)
async def test_an_address_is_the_base_and_the_path_as_they_stand(server, base, path, query, wanted):
    request, _, _ = await sent(server, Wire(path, {}, query=query), base=server.url + base)
    assert request.path_qs == wanted


async def test_an_absolute_path_replaces_the_base(server):
    request, _, _ = await sent(server, Wire(server.url + "/there", {}), base="http://127.0.0.1:9/v1?key=k")
    assert request.path_qs == "/there"


async def test_headers_go_by_layers_and_their_names_have_no_case(server):
    request, _, _ = await sent(
        server,
        Wire("x", {}, headers={"x-both": "wire", "content-TYPE": "application/special+json"}),
        access_headers={"X-Access": "access", "X-Both": "access", "X-Three": "access"},
        headers={"X-Extra": "extra", "x-three": "extra", "X-Secret": Secret("hidden")},
    )
    wanted = {
        "x-access": "access",
        "x-both": "wire",
        "x-three": "extra",
        "x-extra": "extra",
        "x-secret": "hidden",
    }
    assert {name: request.headers[name] for name in wanted} == wanted
    assert request.headers["content-type"] == "application/special+json"
    assert request.headers["user-agent"] == "jackfield"
    assert "cookie" not in request.headers


async def test_cookies_are_neither_kept_nor_sent(server):
    server.route("POST", "/chat", Answer.json({"text": "x", "finish": "stop"}, headers={"Set-Cookie": "a=b"}))
    async with mesh_for(server.url) as mesh:
        await mesh.chat("c:m", "hi")
        await mesh.chat("c:m", "hi")
    assert "cookie" not in server.requests[1].headers


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("how", ["whole", "stream"])
async def test_redirects_are_not_followed_and_said(server, status, how, key):
    server.route("POST", "/chat", Answer.text("moved", status, {"Location": f"{server.url}/elsewhere"}))
    async with mesh_for(server.url) as mesh:
        with pytest.raises(InvalidRequestError, match=r"redirects to .*/elsewhere; set base_url"):
            await (mesh.chat("c:m", "hi") if how == "whole" else read(mesh.stream_chat("c:m", "hi")))
    assert len(server.requests) == 1


@pytest.mark.parametrize("what", ["call", "listing"])
async def test_what_a_redirect_means_is_not_the_plugins_to_say(server, what):
    class Provider(PlainProvider):
        @hookimpl
        def jackfield_error(self, failure):
            return ServerError("no explanation", status=None)

    server.route("*", "*", Answer.text("moved", 307, {"Location": f"{server.url}/elsewhere"}))
    async with mesh_for(server.url, Provider()) as mesh:
        with pytest.raises(InvalidRequestError, match=r"redirects to .*/elsewhere") as caught:
            await (mesh.chat("c:m", "hi") if what == "call" else mesh.models("c"))
    assert (caught.value.status, len(server.requests)) == (307, 1)


async def test_a_listing_that_is_redirected_is_not_followed_either(server):
    server.route("GET", "/models*", Answer.text("moved", 302, {"Location": f"{server.url}/elsewhere"}))
    async with mesh_for(server.url) as mesh:
        with pytest.raises(InvalidRequestError, match="redirects to"):
            await mesh.models("c")
    assert len(server.requests) == 1


# Proxies


async def test_a_proxy_from_the_environment(server, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    request, _, _ = await sent(server, Wire("x", {}), base="http://service.invalid")
    assert request.path_qs == "http://service.invalid/x"


async def test_no_proxy_is_obeyed(server, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    request, _, _ = await sent(server, Wire("x", {}))
    assert request.path_qs == "/x"


async def test_a_declared_proxy_goes_before_the_environments(server, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    request, _, _ = await sent(server, Wire("x", {}), base="http://service.invalid", proxy=server.url)
    assert request.path_qs == "http://service.invalid/x"


async def test_a_proxys_password_is_sent_to_it_and_shown_nowhere(server, pauses):
    proxy = server.url.replace("http://", "http://me:proxy-password@")
    server.route("POST", "*", Answer.json({}, 407))
    async with mesh_for("http://service.invalid", proxy=proxy, retry={"attempts": 1}) as mesh:
        with pytest.raises(Exception) as caught:
            await mesh.chat("c:m", "hi")
        assert "proxy-password" not in repr(mesh.connections)
        assert "proxy-password" not in repr(caught.value)
        assert "proxy-password" not in repr(mesh.explain("c:m", "hi"))
    assert server.requests[0].headers["proxy-authorization"].startswith("Basic ")


async def test_a_proxy_that_is_not_there_is_a_failed_connection():
    async with mesh_for("http://service.invalid", proxy="http://127.0.0.1:9", retry={"attempts": 1}) as mesh:
        with pytest.raises(ConnectionFailedError):
            await mesh.chat("c:m", "hi")


# Opening


@pytest.mark.parametrize("base", ["ftp://x", "127.0.0.1:80", ""])
async def test_an_address_that_is_none_is_refused_when_it_opens(base):
    with pytest.raises(ConfigurationError, match="base_url"):
        await HttpTransport(HttpAccess(base_url=base)).open()


async def test_a_ca_bundle_that_is_not_there_is_named(tmp_path):
    transport = HttpTransport(HttpAccess(base_url="https://x.invalid"), ca_bundle=str(tmp_path / "none.pem"))
    with pytest.raises(ConfigurationError, match="none.pem"):
        await transport.open()


async def test_a_secret_header_that_is_not_there_is_named(monkeypatch):
    monkeypatch.delenv("NONE_SUCH", raising=False)
    transport = HttpTransport(
        HttpAccess(base_url="http://x.invalid"), headers={"X": Secret.parse("env:NONE_SUCH")}
    )
    with pytest.raises(MissingCredentialError, match="NONE_SUCH"):
        await transport.open()


async def test_a_closed_transport_sends_nothing(server):
    transport = HttpTransport(HttpAccess(base_url=server.url))
    await transport.open()
    await transport.aclose()
    with pytest.raises(ConfigurationError, match="closed"):
        await transport.exchange(Wire("x", {})).__aenter__()


async def test_a_header_of_two_lines_is_refused(server):
    async with mesh_for(server.url) as mesh:
        connection = await mesh._open["c"].open_transport()
        with pytest.raises((ConfigurationError, ConnectionFailedError)):
            await connection.exchange(Wire("x", {}, headers={"X": "a\r\nEvil: 1"})).__aenter__()
    assert all("evil" not in request.headers for request in server.requests)


# Answers


async def test_compressed_answers_are_read(server):
    body = gzip.compress(b'{"text": "hello", "finish": "stop"}')
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    server.answer(Answer(headers=headers, chunks=(body,)))
    async with mesh_for(server.url) as mesh:
        assert (await mesh.chat("c:m", "hi")).text == "hello"


async def test_a_connection_is_used_again_after_an_answer_and_after_an_error(server, pauses):
    server.answer(hello(), Answer.json({}, 503), streamed(), hello())
    async with mesh_for(server.url) as mesh:
        await mesh.chat("c:m", "hi")
        assert text_of(await read(mesh.stream_chat("c:m", "hi"))) == "hello"
        await mesh.chat("c:m", "hi")
    assert server.connections == 1


async def test_a_connection_that_the_service_closes_is_not_used_again(server):
    server.answer(
        Answer(
            status=200,
            headers={"Content-Type": "application/json"},
            chunks=(b'{"text":"x","finish":"stop"}',),
            close=True,
        ),
        hello(),
    )
    async with mesh_for(server.url) as mesh:
        await mesh.chat("c:m", "hi")
        await mesh.chat("c:m", "hi")
    assert server.connections == 2


async def test_an_error_whose_body_is_cut_is_still_that_error(server):
    cut = Answer(
        status=401,
        headers={"Content-Type": "application/json"},
        chunks=(b'{"error": {"mess',),
        declared_length=500,
        truncate_after=1,
    )
    server.answer(cut)
    async with mesh_for(server.url, retry={"attempts": 1}) as mesh:
        with pytest.raises(Exception) as caught:
            await mesh.chat("c:m", "hi")
    assert caught.value.status == 401
    assert caught.value.body == b'{"error": {"mess'


async def test_a_framing_that_is_broken_is_malformed(server):
    server.answer(
        Answer.stream(
            [b"\x00\x00\x00\x10garbage that is not an event stream"], "application/vnd.amazon.eventstream"
        )
    )
    async with mesh_for(server.url) as mesh:
        with pytest.raises(MalformedResponseError, match="framing"):
            await read(mesh.stream_chat("c:m", "hi"))


async def test_an_enormous_error_page_is_read_only_so_far(server):
    server.answer(Answer.stream([b"x" * 500_000] * 8, "text/plain", status=400))
    async with mesh_for(server.url, PlainProvider()) as mesh:
        with pytest.raises(InvalidRequestError) as caught:
            await mesh.chat("c:m", "hi")
    assert len(caught.value.body) < 2_500_000
    assert len(caught.value.message) <= 500


async def test_a_connection_that_is_refused_is_said_once_and_in_the_systems_words():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        port = taken.getsockname()[1]
        async with mesh_for(f"http://127.0.0.1:{port}", retry={"attempts": 1}) as mesh:
            with pytest.raises(ConnectionFailedError) as caught:
                await mesh.chat("c:m", "Hi")
    assert caught.value.message == f"the connection to 127.0.0.1:{port} failed: Connection refused"


@pytest.mark.parametrize("listing", [False, True])
async def test_a_404_under_a_declared_address_says_where_it_was_asked(server, listing):
    server.answer(Answer.text("no such page", status=404))
    async with mesh_for(f"{server.url}?key=hidden-from-all") as mesh:
        if listing:
            error = (await mesh.check("c")).error
        else:
            with pytest.raises(NotFoundError) as caught:
                await mesh.chat("c:m", "Hi")
            error = caught.value
    assert f"(asked at {server.url}/" in error.message
    assert "; check base_url)" in error.message
    assert "hidden" not in str(error)


RETRY = {"attempts": 3, "initial_delay": 0.01}
BODY = orjson.dumps({"text": "hello", "finish": "stop"})
EVENTS = (
    b"".join(b"data: " + orjson.dumps(one) + b"\n\n" for one in ({"text": "hello"}, {"finish": "stop"}))
    + b"data: [DONE]\n\n"
)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip", "deflate"])
async def test_an_answer_in_an_encoding_that_it_does_not_have_is_not_asked_for_again(
    server, encoding, stream
):
    label = "text/event-stream" if stream else "application/json"
    headers = {"Content-Type": label, "Content-Encoding": encoding}
    server.route("POST", "/chat", Answer(chunks=(EVENTS if stream else BODY,), headers=headers))
    async with mesh_for(server.url, retry=RETRY) as mesh:
        with pytest.raises(JackfieldError, match=rf"(?i)content-encoding.* {encoding}\b") as caught:
            await (read(mesh.stream_chat("c:m", "hi")) if stream else mesh.chat("c:m", "hi"))
    assert not caught.value.is_retryable
    assert len(server.requests) == 1


async def test_long_headers_are_read_and_longer_ones_are_named(server):
    server.answer(Answer.json(orjson.loads(BODY), headers={"Set-Cookie": "a=" + "x" * 30_000}))
    server.answer(*[Answer.json(orjson.loads(BODY), headers={"Set-Cookie": "a=" + "x" * 70_000})] * 3)
    async with mesh_for(server.url, retry=RETRY) as mesh:
        assert (await mesh.chat("c:m", "hi")).text == "hello"
        with pytest.raises(
            ConnectionFailedError, match="a header of more than 65536 bytes, which begins"
        ) as caught:
            await mesh.chat("c:m", "hi")
    assert not caught.value.is_retryable
    assert len(str(caught.value)) < 250
    assert len(server.requests) == 2
