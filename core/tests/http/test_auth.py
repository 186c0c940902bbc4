"""Identity: headers with secrets, tokens that are fetched once for all, signatures over what is really sent."""

import asyncio
import hashlib
import os
import threading
import time

import pytest
from plain_provider import PlainProvider, hello, mesh_for, read, streamed, text_of

from jackfield import (
    AuthenticationError,
    JackfieldError,
    MissingCredentialError,
    PermissionDeniedError,
    Secret,
)
from jackfield._http.auth import make_authenticator
from jackfield.plugin import Bearer, NoAuth, StaticHeader, Token
from jackfield.testing import Answer


class Tokens:
    """A source of tokens that counts, and notes on which threads it was asked and how many at once."""

    def __init__(self, takes=0.0, lasts=None):
        self.takes, self.lasts = takes, lasts
        self.count = self.now = self.most = 0
        self.threads = set()

    def __call__(self):
        self.now += 1
        self.most = max(self.most, self.now)
        self.threads.add(threading.current_thread())
        time.sleep(self.takes)
        self.now -= 1
        self.count += 1
        return Token(f"token-{self.count}", None if self.lasts is None else time.time() + self.lasts)


def only(token):
    """A service that takes one token."""

    def answer(request):
        if request.headers.get("authorization") == f"Bearer {token}":
            return streamed() if request.json.get("stream") else hello()
        return Answer.json({"error": {"message": "who are you?"}}, 401)

    return answer


async def test_fifty_calls_at_once_fetch_one_token_in_a_thread(server):
    tokens = Tokens(takes=0.05)
    server.route("POST", "/chat", only("token-1"))
    async with mesh_for(server.url, PlainProvider(auth=Bearer(tokens))) as mesh:
        replies = await asyncio.gather(*(mesh.chat("c:m", "hi") for _ in range(50)))
    assert {reply.text for reply in replies} == {"hello"}
    assert tokens.count == 1
    assert threading.main_thread() not in tokens.threads


async def test_fifty_calls_that_are_refused_at_once_fetch_one_new_token(server):
    tokens = Tokens(takes=0.15)
    server.route("POST", "/chat", only("token-2"))
    async with mesh_for(server.url, PlainProvider(auth=Bearer(tokens))) as mesh:
        replies = await asyncio.gather(*(mesh.chat("c:m", "hi") for _ in range(50)))
    assert {reply.text for reply in replies} == {"hello"}
    assert (tokens.count, tokens.most) == (2, 1)


async def test_a_token_is_renewed_before_it_ends(server):
    tokens = Tokens(lasts=30)  # less than the time before its end at which it is renewed
    server.route("POST", "/chat", hello())
    async with mesh_for(server.url, PlainProvider(auth=Bearer(tokens))) as mesh:
        await mesh.chat("c:m", "hi")
        await mesh.chat("c:m", "hi")
    assert [request.headers["authorization"] for request in server.requests] == [
        "Bearer token-1",
        "Bearer token-2",
    ]


@pytest.mark.parametrize("lasts", [None, 3600])
async def test_a_token_that_lasts_is_kept(server, lasts):
    tokens = Tokens(lasts=lasts)
    server.route("POST", "/chat", hello())
    async with mesh_for(server.url, PlainProvider(auth=Bearer(tokens, header="X-Token", prefix=""))) as mesh:
        for _ in range(3):
            await mesh.chat("c:m", "hi")
    assert tokens.count == 1
    assert server.requests[0].headers["x-token"] == "token-1"


@pytest.mark.parametrize("how", ["whole", "stream"])
async def test_a_refused_token_is_renewed_and_the_call_sent_once_more_on_record(server, pauses, how):
    server.route("POST", "/chat", only("token-2"))
    async with mesh_for(server.url, PlainProvider(auth=Bearer(Tokens())), retry={"attempts": 1}) as mesh:
        if how == "whole":
            reply = await mesh.chat("c:m", "hi")
        else:
            stream = mesh.stream_chat("c:m", "hi")
            assert text_of(await read(stream)) == "hello"
            reply = stream.response
    assert [(attempt.status, attempt.refreshed) for attempt in reply.attempts] == [(401, True), (200, False)]
    assert pauses == []


async def test_a_refresh_does_not_count_as_an_attempt(server, pauses):
    server.answer(Answer.json({}, 503), Answer.json({}, 401), hello())
    async with mesh_for(server.url, PlainProvider(auth=Bearer(Tokens())), retry={"attempts": 2}) as mesh:
        reply = await mesh.chat("c:m", "hi")
    assert [attempt.status for attempt in reply.attempts] == [503, 401, 200]
    assert len(pauses) == 1


async def test_it_is_sent_once_more_and_not_twice(server):
    server.route("POST", "/chat", Answer.json({"error": {"message": "no"}}, 401))
    tokens = Tokens()
    async with mesh_for(server.url, PlainProvider(auth=Bearer(tokens))) as mesh:
        with pytest.raises(AuthenticationError) as caught:
            await asyncio.wait_for(mesh.chat("c:m", "hi"), 3)
    assert (len(server.requests), tokens.count) == (2, 2)
    assert [attempt.refreshed for attempt in caught.value.attempts] == [True, False]


async def test_a_plugin_says_what_else_means_that_credentials_have_ended(server):
    server.answer(Answer.json({"error": {"message": "ended", "code": "expired"}}, 403), hello())
    async with mesh_for(server.url, PlainProvider(auth=Bearer(Tokens()))) as mesh:
        reply = await mesh.chat("c:m", "hi")
    assert [attempt.status for attempt in reply.attempts] == [403, 200]
    server.answer(Answer.json({"error": {"message": "never", "code": "denied"}}, 403))
    async with mesh_for(server.url, PlainProvider(auth=Bearer(Tokens()))) as mesh:
        with pytest.raises(PermissionDeniedError):
            await mesh.chat("c:m", "hi")
    assert len(server.requests) == 3


async def test_a_static_key_is_not_sent_again(server, key):
    server.route("POST", "/chat", Answer.json({}, 401))
    async with mesh_for(server.url) as mesh:
        with pytest.raises(AuthenticationError):
            await mesh.chat("c:m", "hi")
    assert len(server.requests) == 1


async def test_a_token_that_cannot_be_fetched_is_named(server):
    def fetch():
        raise OSError("no route to the login")

    async with mesh_for(server.url, PlainProvider(auth=Bearer(fetch))) as mesh:
        with pytest.raises(MissingCredentialError, match="no route to the login") as caught:
            await mesh.chat("c:m", "hi")
    assert isinstance(caught.value.__cause__, OSError)
    assert server.requests == []


async def test_a_renewal_that_fails_keeps_the_refused_attempt_on_record(server):
    tokens = iter([Token("t1")])

    def fetch():
        try:
            return next(tokens)
        except StopIteration:
            raise OSError("login is down") from None

    server.route("POST", "/chat", Answer.json({}, 401))
    async with mesh_for(server.url, PlainProvider(auth=Bearer(fetch))) as mesh:
        with pytest.raises(MissingCredentialError, match="login is down") as caught:
            await mesh.chat("c:m", "hi")
    assert [attempt.status for attempt in caught.value.attempts] == [401]


# Signers


class Signer:
    """Signs everything it is shown."""

    def __init__(self):
        self.prepared = []
        self.signed = []
        self.threads = set()

    def prepare(self, *, refresh):
        self.prepared.append(refresh)
        self.threads.add(threading.current_thread())

    def sign(self, method, url, headers, body):
        self.signed.append((method, url, dict(headers), body))
        digest = hashlib.sha256(f"{method} {url} ".encode() + body).hexdigest()
        return {"Authorization": f"Sign {digest} {len(self.signed)}"}

    def secrets(self):
        return []


def check_signature(request, base):
    wanted = hashlib.sha256(f"{request.method} {base}{request.path_qs} ".encode() + request.body).hexdigest()
    assert request.headers["authorization"].split()[1] == wanted


async def test_each_attempt_is_signed_over_the_bytes_and_the_address_that_are_sent(server, pauses):
    signer = Signer()
    server.answer(Answer.json({}, 503), hello())
    path = "/model/arn%3Aaws%3Am:0/é%20x%2Fy"
    async with mesh_for(server.url, PlainProvider(auth=signer, path=path)) as mesh:
        await mesh.chat("c:m", "ümlaut / and more")
    assert len(signer.signed) == 2
    for number, request in enumerate(server.requests, 1):
        assert request.path_qs.startswith("/model/arn%3Aaws%3Am:0/")
        assert request.path_qs.endswith("%20x%2Fy/chat")
        assert request.body == signer.signed[number - 1][3]
        assert request.headers["authorization"].endswith(f" {number}")
        assert signer.signed[number - 1][2]["Content-Type"] == "application/json"
    assert threading.main_thread() not in signer.threads


@pytest.mark.parametrize(
    "path", ["/m/a%3Ab:c", "/m/a%2Fb", "/m/a+b", "/m/a%20b", "/m/(x),'y'*", "/m/a//b", "/m/~a.b"]
)
async def test_a_path_is_never_quoted_again(server, path):
    signer = Signer()
    server.route("POST", "*", hello())
    async with mesh_for(server.url, PlainProvider(auth=signer, path=path)) as mesh:
        await mesh.chat("c:m", "hi")
    assert server.requests[0].path_qs == f"{path}/chat"
    assert signer.signed[0][1] == f"{server.url}{path}/chat"
    check_signature(server.requests[0], server.url)


async def test_a_signer_prepares_anew_after_a_refusal(server):
    signer = Signer()
    server.answer(Answer.json({"error": {"message": "ended", "code": "expired"}}, 403), hello())
    async with mesh_for(server.url, PlainProvider(auth=signer)) as mesh:
        await mesh.chat("c:m", "hi")
    assert signer.prepared.count(True) == 1
    assert signer.prepared[0] is False


async def test_calls_that_are_refused_at_once_prepare_a_signer_once():
    signer = Signer()
    signer.prepare = lambda *, refresh: (signer.prepared.append(refresh), time.sleep(0.05))
    authenticator = make_authenticator(signer)
    await asyncio.gather(*(authenticator.ready(refresh=True) for _ in range(10)))
    assert signer.prepared == [True]


async def test_a_signer_that_says_it_is_ready_is_not_prepared_again():
    signer = Signer()
    signer.is_ready = lambda: bool(signer.prepared)
    authenticator = make_authenticator(signer)
    await asyncio.gather(*(authenticator.ready(refresh=False) for _ in range(10)))
    await authenticator.ready(refresh=False)
    assert signer.prepared == [False]
    await authenticator.ready(refresh=True)
    assert signer.prepared == [False, True]
    assert threading.main_thread() not in signer.threads


# Static headers


async def test_a_secret_in_a_header(server, monkeypatch):
    monkeypatch.setenv("A_KEY", "value")
    server.route("POST", "/chat", hello())
    auth = StaticHeader("x-api-key", Secret.parse("env:A_KEY"))
    async with mesh_for(server.url, PlainProvider(auth=auth)) as mesh:
        monkeypatch.setenv("A_KEY", "changed before it opened")
        await mesh.chat("c:m", "hi")
    assert server.requests[0].headers["x-api-key"] == "changed before it opened"


@pytest.mark.parametrize("auth", [NoAuth(), StaticHeader("X-Key", None, optional=True)])
async def test_a_service_that_wants_no_key(server, auth):
    server.answer(hello())
    async with mesh_for(server.url, PlainProvider(auth=auth)) as mesh:
        await mesh.chat("c:m", "hi")
    assert "x-key" not in server.requests[0].headers
    assert "authorization" not in server.requests[0].headers


@pytest.mark.parametrize(
    ("auth", "words"),
    [
        (StaticHeader("X-Key", None), "set api_key"),
        (StaticHeader("X-Key", Secret("a\nb")), "no HTTP header may"),
        (StaticHeader("X-Key", Secret("schlüssel")), "no HTTP header may"),
        (StaticHeader("X-Key", Secret.parse("file:/no/such/file")), "/no/such/file"),
    ],
)
async def test_a_secret_that_cannot_be_used_is_named_before_anything_is_sent(server, auth, words):
    async with mesh_for(server.url, PlainProvider(auth=auth)) as mesh:
        with pytest.raises(JackfieldError, match=words) as caught:
            await mesh.chat("c:m", "hi")
    assert isinstance(caught.value, MissingCredentialError)
    assert caught.value.connection == "c"
    assert server.connections == 0


# Secrets that somebody else renews


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text("token-1\n", "utf-8")
    return path


def of_file(path, **more):
    return PlainProvider(auth=StaticHeader("Authorization", Secret.parse(f"file:{path}"), "Bearer ", **more))


def sent(server):
    return [request.headers.get("authorization") for request in server.requests]


async def test_a_file_that_changed_is_read_again_before_the_next_attempt(server, token_file):
    server.answer(hello(), hello(), hello(), streamed())
    async with mesh_for(server.url, of_file(token_file)) as mesh:
        await mesh.chat("c:m", "hi")
        await mesh.chat("c:m", "hi")
        token_file.write_text("token-22", "utf-8")
        await mesh.chat("c:m", "hi")
        new = token_file.with_name("new")
        new.write_text("\ufefftoken-33\r\n", "utf-8")
        new.replace(token_file)  # as Kubernetes and most sidecars do
        assert text_of(await read(mesh.stream_chat("c:m", "hi"))) == "hello"
    assert sent(server) == ["Bearer token-1", "Bearer token-1", "Bearer token-22", "Bearer token-33"]


async def test_a_file_that_changed_during_a_call_is_read_again_after_a_refusal(server, token_file, pauses):
    def renew(request):
        token_file.write_text("token-2", "utf-8")
        return only("token-2")(request)

    server.route("POST", "/chat", renew)
    async with mesh_for(server.url, of_file(token_file), retry={"attempts": 1}) as mesh:
        reply = await mesh.chat("c:m", "hi")
    assert [(attempt.status, attempt.refreshed) for attempt in reply.attempts] == [(401, True), (200, False)]
    assert pauses == []


async def test_a_file_that_changed_without_a_sign_is_read_again_after_a_refusal(server, token_file):
    server.route("POST", "/chat", only("token-2"))
    before = os.stat(token_file)
    async with mesh_for(server.url, of_file(token_file)) as mesh:
        with pytest.raises(AuthenticationError):
            await mesh.chat("c:m", "hi")
        token_file.write_text("token-2\n", "utf-8")
        os.utime(token_file, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert (await mesh.chat("c:m", "hi")).text == "hello"
    assert sent(server) == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]


async def test_calls_that_were_under_way_when_a_file_was_renewed_are_sent_once_more(server, token_file):
    arrived, renewed = [], asyncio.Event()

    async def refuse(request):
        arrived.append(request)
        if len(arrived) == 50:
            token_file.write_text("token-2", "utf-8")
            renewed.set()
        await renewed.wait()
        return only("token-2")(request)

    server.route("POST", "/chat", refuse)
    async with mesh_for(server.url, of_file(token_file)) as mesh:
        replies = await asyncio.gather(*(mesh.chat("c:m", "hi") for _ in range(50)))
    assert {reply.text for reply in replies} == {"hello"}


async def test_a_file_with_the_refused_secret_is_not_sent_again(server, token_file):
    server.route("POST", "/chat", Answer.json({}, 401))
    async with mesh_for(server.url, of_file(token_file)) as mesh:
        for _ in range(2):
            with pytest.raises(AuthenticationError) as caught:
                await mesh.chat("c:m", "hi")
            assert [attempt.refreshed for attempt in caught.value.attempts] == [False]
    assert len(server.requests) == 2


@pytest.mark.parametrize("become", ["missing", "empty", "not UTF-8", "two lines"])
async def test_a_file_that_is_being_written_leaves_the_old_secret(server, token_file, become):
    server.route("POST", "/chat", hello())
    async with mesh_for(server.url, of_file(token_file)) as mesh:
        await mesh.chat("c:m", "hi")
        if become == "missing":
            token_file.unlink()
        else:
            token_file.write_bytes({"empty": b"", "not UTF-8": b"\xff\xfet\0", "two lines": b"a\nb"}[become])
        await mesh.chat("c:m", "hi")
        token_file.write_text("token-2", "utf-8")
        await mesh.chat("c:m", "hi")
    assert sent(server) == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]


async def test_a_file_of_an_optional_secret_may_come_later(server, tmp_path):
    server.route("POST", "/chat", hello())
    async with mesh_for(server.url, of_file(tmp_path / "later", optional=True)) as mesh:
        await mesh.chat("c:m", "hi")
        (tmp_path / "later").write_text("token-1", "utf-8")
        await mesh.chat("c:m", "hi")
    assert sent(server) == [None, "Bearer token-1"]


@pytest.mark.real_time
async def test_a_pipe_is_read_once(server, tmp_path):
    server.route("POST", "/chat", Answer.json({}, 401))
    os.mkfifo(tmp_path / "pipe")
    writing = asyncio.get_running_loop().run_in_executor(None, (tmp_path / "pipe").write_text, "token-1")
    async with mesh_for(server.url, of_file(tmp_path / "pipe")) as mesh:
        for _ in range(2):
            with pytest.raises(AuthenticationError):
                await asyncio.wait_for(mesh.chat("c:m", "hi"), 10)
    await writing
    assert sent(server) == ["Bearer token-1"] * 2


async def test_a_variable_that_the_program_changed_is_read_again_after_a_refusal(server, monkeypatch):
    monkeypatch.setenv("A_KEY", "token-1")
    server.route("POST", "/chat", only("token-2"))
    auth = StaticHeader("Authorization", Secret.parse("env:A_KEY"), "Bearer ")
    async with mesh_for(server.url, PlainProvider(auth=auth)) as mesh:
        with pytest.raises(AuthenticationError):
            await mesh.chat("c:m", "hi")
        monkeypatch.setenv("A_KEY", "token-2")
        assert (await mesh.chat("c:m", "hi")).text == "hello"


async def test_a_secret_that_was_renewed_is_still_kept_out_of_errors(server, token_file):
    async with mesh_for(server.url, of_file(token_file)) as mesh:
        server.answer(hello())
        await mesh.chat("c:m", "hi")
        token_file.write_text("token-2", "utf-8")
        server.answer(Answer.json({"error": {"message": "neither token-1 nor token-2"}}, 400))
        with pytest.raises(JackfieldError) as caught:
            await mesh.chat("c:m", "hi")
    assert "token-" not in str(caught.value)


async def test_a_declared_header_by_file_is_read_again_too(server, token_file, pauses):
    headers = {"x-gateway": f"file:{token_file}", "x-team": "search"}

    def renew(request):
        token_file.write_text("token-3", "utf-8")
        return hello() if request.headers["x-gateway"] == "token-3" else Answer.json({}, 401)

    server.answer(hello(), hello(), renew, hello())
    async with mesh_for(server.url, PlainProvider(auth=NoAuth()), headers=headers) as mesh:
        await mesh.chat("c:m", "hi")
        token_file.write_text("token-2", "utf-8")
        await mesh.chat("c:m", "hi")
        reply = await mesh.chat("c:m", "hi")
    assert [request.headers["x-gateway"] for request in server.requests] == [
        "token-1", "token-2", "token-2", "token-3",
    ]  # fmt: skip
    assert {request.headers["x-team"] for request in server.requests} == {"search"}
    assert [attempt.refreshed for attempt in reply.attempts] == [True, False]
