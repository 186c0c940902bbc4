"""SQL through real sessions: Snowpark and its connector against a fake account (fakesnow) on loopback.

`nox -s snowflake` runs these in an environment of their own; without Snowpark and fakesnow they are skipped. The functions of
Cortex are ours, registered in the fake as far as it can: what they answer is made up from the documented formats.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import subprocess
import sys
import threading

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from waiting import until, wait_until

from jackfield import (
    AuthenticationError,
    ConfigurationError,
    ConnectionFailedError,
    Mesh,
    Message,
    MissingCredentialError,
    NotFoundError,
    PermissionDeniedError,
    ProviderError,
    RateLimitError,
    Secret,
    TimeoutError,
    UnsupportedError,
)
from jackfield_snowflake import SnowflakeCredentials, SnowflakeIdentity
from jackfield_snowflake._keys import make_token

# The driver's and the fake's own warnings are none of ours.
pytestmark = [pytest.mark.filterwarnings("ignore::Warning"), pytest.mark.real_time]

server = pytest.importorskip("fakesnow.server")
uvicorn = pytest.importorskip("uvicorn")
snowpark = pytest.importorskip("snowflake.snowpark")
jwt = pytest.importorskip("jwt")

SKY = "The sky scätters blue 🌤 light."
USAGE = {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
NASTY = "O'Brien; -- ?'); DROP TABLE t; SELECT \"x\" $$ \\ \n {0} :1 🌤"


class Account:
    """What the fake account's functions heard, and what they shall answer."""

    def __init__(self):
        self.calls = []
        self.logins = []
        self.statements = []
        self.aborted = []
        self.rest = []
        self.release = threading.Event()
        self.asleep = threading.Event()

    def reset(self):
        self.release.set()
        self.__init__()

    def complete(self, model, messages, options):
        self.calls.append(("COMPLETE", model, messages, options))
        self._perhaps(model)
        if options is None:
            return "Bare text."
        return json.dumps(self._answer(model, json.loads(options)))

    def ai_complete(self, model, prompt, options, form, details, told):
        self.calls.append(("AI_COMPLETE", model, prompt, options, form, details, told))
        if model == "null":
            return None
        if model == "busy":
            return json.dumps({"value": None, "error": "remote service error: 429 'too many requests'"})
        self._perhaps(model)
        options = {**json.loads(options), **({} if form is None else {"response_format": json.loads(form)})}
        return json.dumps({"value": self._answer(model, options), "error": None})

    def _answer(self, model, options):
        common = {"created": 1, "model": model, "usage": {**USAGE, "guardrails_tokens": 2} if options.get("guardrails") else USAGE}  # fmt: skip
        if "response_format" in options:
            return {"structured_output": [{"raw_message": {"a": 1}, "type": "json"}], **common}
        return {"choices": [{"messages": SKY}], **common}

    def _perhaps(self, model):
        if model == "slow":
            self.asleep.set()
            self.release.wait(20)

    def embed(self, model, text):
        self.calls.append(("EMBED", model, text))
        return [0.5, float(len(text))]

    def summarize(self, text):
        self.calls.append(("SUMMARIZE", text))
        return "Short."


ACCOUNT = Account()


def register(connection):
    """Make the functions known to the fake, in the catalog `snowflake` and in the schema of the session."""
    text, flag = "VARCHAR", "BOOLEAN"
    null = {"null_handling": "special"}
    connection.create_function("py_complete", ACCOUNT.complete, [text] * 3, text, **null)
    connection.create_function(
        "py_ai",
        ACCOUNT.ai_complete,
        [text] * 4 + [flag] * 2,
        text,
        **null,
    )
    connection.create_function("py_embed", ACCOUNT.embed, [text] * 2, "DOUBLE[]")
    connection.create_function("py_summarize", ACCOUNT.summarize, [text], text)
    connection.execute("attach ':memory:' as snowflake; create schema snowflake.cortex")
    for macro in (
        "complete(m, p) as py_complete(m, p::varchar, null), (m, p, o) as py_complete(m, p::varchar, o::varchar)",
        "embed_text_768(m, t) as to_json(py_embed(m, t))",
        "embed_text_1024(m, t) as to_json(py_embed(m, t))",
        "summarize(t) as py_summarize(t)",
    ):
        connection.execute(f"create macro snowflake.cortex.{macro}")


def register_in(connection):
    """Make the functions that have no schema known in that of the session."""
    for macro in (
        (
            "ai_complete(model, prompt, model_parameters := null, response_format := null, show_details := false, "
            "return_error_details := false) as py_ai(model, prompt, model_parameters::varchar, response_format::varchar, "
            "show_details, return_error_details)"
        ),
        "ai_embed(m, t) as to_json(py_embed(m, t))",
        "ai_summarize(t) as py_summarize(t)",
    ):
        connection.execute(f"create macro db1.public.{macro}")


def overhear(app):
    """Put before the fake what writes down logins and statements, lists models, fails on demand, and cancels."""
    from starlette.requests import Request
    from starlette.responses import JSONResponse

    async def heard(scope, receive, send):
        if scope["type"] != "http":
            return await app(scope, receive, send)
        request = Request(scope, receive)
        body = await request.body()
        plain = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        answer = hear(scope["path"], json.loads(plain) if plain[:1] == b"{" else {}, request)
        if answer is not None:
            return await JSONResponse(answer, answer.pop("status", 200))(scope, receive, send)
        sent = False

        async def again():
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        if scope["path"] != "/session/v1/login-request":
            return await app(scope, again, send)
        # The fake tells neither a master token nor a session's number; without them the driver cannot close a session.
        said = []

        async def keep(message):
            said.append(message)

        await app(scope, again, keep)
        value = json.loads(b"".join(message.get("body", b"") for message in said))
        value["data"] |= {"masterToken": "master", "sessionId": 7}
        return await JSONResponse(value)(scope, receive, send)

    return heard


def failed(code, message, state="42000"):
    data = {"errorCode": code, "sqlState": state, "queryId": "q"}
    return {"data": data, "code": code, "message": message, "success": False}


FAILURES = {
    "unknown": failed("100351", "Request failed for external function COMPLETE$V6 with remote service error: 400 "
                      "'\"unknown model \\\"unknown\\\"\"'; requests batch-id: 0-1"),
    "no-warehouse": failed("000606", "No active warehouse selected in the current session.", "57P03"),
    "no-grant": failed("003001", "SQL access control error: Insufficient privileges"),
}  # fmt: skip


def hear(path, value, request):
    if path == "/session/v1/login-request":
        data = value["data"]
        ACCOUNT.logins.append({**data, "query": dict(request.query_params)})
        if data.get("PASSWORD") == "wrong":
            return {"data": None, "code": "390100", "message": "Incorrect username or password was specified.", "success": False}  # fmt: skip
    if path == "/queries/v1/query-request":
        ACCOUNT.statements.append(
            (value["sqlText"], value.get("bindings"), request.query_params["requestId"])
        )
        model = ((value.get("bindings") or {}).get("1") or {}).get("value")
        if value["sqlText"].startswith("SHOW CORTEX"):
            return result(("name", "lifecycle_status", "eol_date"), MODELS)
        if "system$cancel_all_queries" in value["sqlText"].lower():
            return result(("answer",), [["0 cancelled"]])
        return FAILURES.get(model)
    if path.startswith("/api/v2/cortex/"):
        token = request.headers["authorization"].removeprefix('Snowflake Token="').removesuffix('"')
        ACCOUNT.rest.append((path, token))
        if token not in server.sessions:
            return {
                "status": 401,
                "code": "390112",
                "message": "Your session has expired. Please login again.",
            }
        return {
            "model": value["model"],
            "choices": [{"index": 0, "message": {"content": SKY}}],
            "usage": USAGE,
        }
    if path == "/queries/v1/abort-request":
        ACCOUNT.aborted.append(value["requestId"])
        ACCOUNT.release.set()
    return None


MODELS = [["MISTRAL-7B", "GA", None], ["NEW-MODEL", "PUPR", "2027-01-31"]]


def result(names, rows):
    types = [{"name": name, "type": "text", "length": 99, "byteLength": 99, "nullable": True, "precision": None,
              "scale": None, "database": "", "schema": "", "table": ""} for name in names]  # fmt: skip
    data = {"rowtype": types, "rowset": rows, "total": len(rows), "returned": len(rows), "queryId": "q", "parameters": [],
            "queryResultFormat": "json", "statementTypeId": 4096, "finalDatabaseName": None, "finalSchemaName": None}  # fmt: skip
    return {"data": data, "success": True}


@pytest.fixture(scope="module")
def url():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        register(server.shared_fs.duck_conn)
        server.shared_fs.connect("DB1", "PUBLIC").close()
        register_in(server.shared_fs.duck_conn)
        running = uvicorn.Server(uvicorn.Config(overhear(server.app), log_level="error"))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        wait_until(lambda: running.started)
        yield f"http://127.0.0.1:{port}"
        running.should_exit = True
        thread.join(10)


@pytest.fixture(autouse=True)
def account():
    ACCOUNT.reset()
    yield ACCOUNT
    ACCOUNT.release.set()


IDENTITY = {"kind": "snowflake", "account": "acct", "user": "ann", "password": Secret("pa55word")}


def config(url, *, identity=IDENTITY, **keys):
    connection = {
        "provider": "snowflake", "credentials": "sf", "base_url": url, "route": "sql", "database": "db1", "schema": "public",
        "retry": {"attempts": 1}, **keys,
    }  # fmt: skip
    return {"credentials": {"sf": identity}, "connections": {"s": connection}}


async def test_both_generations_of_functions_and_rest_answer_alike(url, account):
    told = []
    for route in ("sql", "legacy_sql"):
        async with Mesh.from_config(config(url, route=route)) as mesh:
            reply = await mesh.chat("s:mistral-7b", NASTY, temperature=0, max_tokens=99)
            told.append(
                (
                    reply.text,
                    reply.finish_reason,
                    reply.usage.input_tokens,
                    reply.usage.output_tokens,
                    reply.model,
                )
            )
    assert told == [(SKY, "stop", 12, 5, "mistral-7b")] * 2
    first, second = account.calls
    assert first == (
        "AI_COMPLETE",
        "mistral-7b",
        NASTY,
        '{"max_tokens":99,"temperature":0}',
        None,
        True,
        True,
    )
    assert (second[0], second[1]) == ("COMPLETE", "mistral-7b")
    assert json.loads(second[2]) == [{"role": "user", "content": NASTY}]
    assert json.loads(second[3]) == {"max_tokens": 99, "temperature": 0}


async def test_nothing_of_the_callers_stands_in_a_statement(url, account):
    async with Mesh.from_config(config(url, route="legacy_sql")) as mesh:
        await mesh.chat("s:mistral-7b", NASTY, system=NASTY, response_format=SCHEMA)
        await mesh.embed("s:e5-base-v2", [NASTY])
        await mesh.summarize("s:summarize", NASTY)
    ours = [(text, bound) for text, bound, _ in account.statements if "CORTEX" in text]
    assert len(ours) == 3
    for text, bound in ours:
        assert "Brien" not in text
        assert "mistral" not in text
        assert "?" in text
        assert "Brien" in json.dumps(bound)


async def test_a_limit_that_is_reached_is_the_finish_reason_length(url):
    async with Mesh.from_config(config(url)) as mesh:
        assert (await mesh.chat("s:mistral-7b", "Why?", max_tokens=5)).finish_reason == "length"


async def test_a_schema_is_answered_by_structured_output(url, account):
    for route in ("sql", "legacy_sql"):
        async with Mesh.from_config(config(url, route=route)) as mesh:
            reply = await mesh.chat("s:mistral-large", "Add.", response_format=SCHEMA)
            assert reply.parsed == {"a": 1}
    assert json.loads(account.calls[0][4]) == {"type": "json", "schema": SCHEMA}
    assert json.loads(account.calls[1][3])["response_format"] == {"type": "json", "schema": SCHEMA}


async def test_a_conversation_is_one_text_for_ai_complete(url, account):
    talk = [
        Message("system", "Be brief."),
        Message("user", "Hi"),
        Message("assistant", "Ho"),
        Message("user", "Hm"),
    ]
    async with Mesh.from_config(config(url)) as mesh:
        reply = await mesh.chat("s:mistral-7b", talk)
        assert reply.parameters["messages"].fate == "emulated"
        with pytest.raises(UnsupportedError, match="legacy_sql"):
            await mesh.chat("s:mistral-7b", talk, emulate=False)
    assert account.calls[0][2] == "System: Be brief.\n\nUser: Hi\n\nAssistant: Ho\n\nUser: Hm\n\nAssistant:"


async def test_embeddings_come_in_the_order_of_the_texts(url, account):
    for route, model in (
        ("sql", "any-model"),
        ("legacy_sql", "snowflake-arctic-embed-m"),
        ("legacy_sql", "nv-embed-qa-4"),
    ):
        async with Mesh.from_config(config(url, route=route)) as mesh:
            reply = await mesh.embed(f"s:{model}", ["a", "bb", NASTY, ""])
            assert [list(vector) for vector in reply.embeddings] == [[0.5, n] for n in (1, 2, len(NASTY), 0)]
    texts = [text for text, *_ in account.statements if "EMBED" in text]
    assert ["AI_EMBED" in texts[0], "EMBED_TEXT_768" in texts[1], "EMBED_TEXT_1024" in texts[2]] == [True] * 3


async def test_an_embedding_of_unknown_size_needs_a_declaration(url):
    models = ["x", {"id": "y", "limits": {"dimensions": 768}}]
    async with Mesh.from_config(config(url, route="legacy_sql", models=models)) as mesh:
        with pytest.raises(UnsupportedError, match="dimensions"):
            await mesh.embed("s:x", ["a"])
        assert len((await mesh.embed("s:y", ["a"])).embeddings) == 1


async def test_summaries(url, account):
    for route in ("sql", "legacy_sql"):
        async with Mesh.from_config(config(url, route=route)) as mesh:
            assert (await mesh.summarize("s:summarize", NASTY)).text == "Short."
    assert account.calls == [("SUMMARIZE", NASTY)] * 2
    texts = [text for text, *_ in account.statements if "SUMMARIZE" in text]
    assert texts == ["SELECT AI_SUMMARIZE(?) AS answer", "SELECT SNOWFLAKE.CORTEX.SUMMARIZE(?) AS answer"]


async def test_what_a_session_is_told(url, account):
    keys = {"role": "R", "warehouse": "W", "query_tag": "tag'1", "timeout": {"total": 77}}
    async with Mesh.from_config(config(url, **keys)) as mesh:
        await mesh.chat("s:mistral-7b", "Hi")
        await mesh.chat("s:mistral-7b", "Hi")
    (login,) = account.logins
    assert login["query"].items() >= {
        "databaseName": "db1", "schemaName": "public", "warehouse": "W", "roleName": "R"
    }.items()  # fmt: skip
    assert login["SESSION_PARAMETERS"]["QUERY_TAG"] == "tag'1"
    assert (login["ACCOUNT_NAME"], login["LOGIN_NAME"]) == ("acct", "ann")


async def test_calls_in_parallel_have_a_session_each_up_to_the_limit(url, account):
    async with Mesh.from_config(config(url, sessions=3)) as mesh:
        replies = await asyncio.gather(*(mesh.chat("s:mistral-7b", str(n)) for n in range(9)))
    assert len(replies) == 9
    assert 1 <= len(account.logins) <= 3
    assert {login["PASSWORD"] for login in account.logins} == {"pa55word"}


async def test_a_cancelled_call_cancels_its_statement(url, account):
    async with Mesh.from_config(config(url)) as mesh:
        call = asyncio.create_task(mesh.chat("s:slow", "Hi"))
        await asyncio.to_thread(account.asleep.wait, 10)
        call.cancel()
        async with asyncio.timeout(10):  # half as long as the statement takes
            with pytest.raises(asyncio.CancelledError):
                await call
        await until(lambda: account.aborted)
        (ours,) = {request for text, _, request in account.statements if "AI_COMPLETE" in text}
        assert set(account.aborted) == {ours}
        assert (await mesh.chat("s:mistral-7b", "Hi")).text


async def test_a_call_out_of_time_cancels_its_statement(url, account):
    async with Mesh.from_config(config(url)) as mesh:
        await mesh.chat("s:mistral-7b", "Hi")  # the session is there
        with pytest.raises(TimeoutError):
            await mesh.chat("s:slow", "Hi", timeout=2)
        await until(lambda: account.aborted)


@pytest.mark.parametrize(
    ("model", "kind", "words"),
    [
        ("unknown", NotFoundError, 'unknown model "unknown"'),
        ("no-warehouse", ConfigurationError, "warehouse"),
        ("no-grant", PermissionDeniedError, "privileges"),
        ("busy", RateLimitError, "too many requests"),
        ("null", ProviderError, "NULL"),
    ],
)
async def test_failures_are_ours(url, model, kind, words):
    async with Mesh.from_config(config(url)) as mesh:
        with pytest.raises(kind) as caught:
            await mesh.chat(f"s:{model}", "Hi")
        assert words in caught.value.message
        assert (await mesh.chat("s:mistral-7b", "Hi")).text, (
            "a failed statement leaves the connection in order"
        )


async def test_a_function_that_the_account_lacks(url):
    async with Mesh.from_config(config(url, database=None, schema=None)) as mesh:
        with pytest.raises(PermissionDeniedError, match="CORTEX_USER"):
            await mesh.chat("s:mistral-7b", "Hi")


async def test_a_refused_login_names_no_password(url):
    identity = {**IDENTITY, "password": Secret("wrong")}
    async with Mesh.from_config(config(url, identity=identity)) as mesh:
        with pytest.raises(AuthenticationError) as caught:
            await mesh.chat("s:mistral-7b", "Hi")
    assert "wrong" not in str(caught.value)


async def test_a_host_that_is_not_there(url):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{unused.getsockname()[1]}"
        async with Mesh.from_config(config(gone, timeout={"total": 8})) as mesh:
            with pytest.raises((ConnectionFailedError, TimeoutError)):
                await mesh.chat("s:mistral-7b", "Hi")


async def test_a_missing_secret_is_told_before_anything_is_sent(url, account, monkeypatch):
    monkeypatch.delenv("NO_SUCH_PASSWORD", raising=False)
    async with Mesh.from_config(
        config(url, identity={**IDENTITY, "password": "env:NO_SUCH_PASSWORD"})
    ) as mesh:
        with pytest.raises(MissingCredentialError):
            await mesh.chat("s:mistral-7b", "Hi")
    assert not account.logins


async def test_models_are_listed(url):
    async with Mesh.from_config(config(url)) as mesh:
        cards = {card.id: card for card in await mesh.models("s")}
    assert set(cards) == {"mistral-7b", "NEW-MODEL"}
    assert cards["mistral-7b"].limits.context_window == 32_000
    assert cards["NEW-MODEL"].retired == "2027-01-31"


async def test_credits_become_money_by_the_rate(url):
    models = [
        {"id": "mistral-7b", "credits": {"input": "1", "output": "2"}},
        {"id": "mistral-large", "credits": {"input": "1"}},
        "snowflake-arctic",
    ]
    async with Mesh.from_config(config(url, models=models, rate={"unit": "credit", "amount": "3"})) as mesh:
        reply = await mesh.chat("s:mistral-7b", "Hi")
        assert str(reply.usage.units["credit"].normalize()) == "0.000022"
        assert (reply.cost.status, str(reply.cost.amount.normalize())) == ("complete", "0.000066")
        unknown = (await mesh.chat("s:snowflake-arctic", "Hi")).cost
        assert (unknown.status, unknown.missing) == ("unknown", ("credit",))
    async with Mesh.from_config(config(url, models=models)) as mesh:
        reply = await mesh.chat("s:mistral-7b", "Hi")
        assert (reply.cost.status, reply.cost.currency) == ("complete", "credit")
        partial = (await mesh.chat("s:mistral-large", "Hi")).cost
        assert (partial.status, partial.missing) == ("partial", ("output",))
        guarded = await mesh.chat("s:mistral-7b", "Hi", extra={"snowflake": {"guardrails": True}})
        assert (guarded.cost.status, guarded.cost.missing) == ("partial", ("guard_token",))


async def test_a_programs_own_session_is_used_and_left_open(url):
    parts = url.removeprefix("http://").split(":")
    options = {"host": parts[0], "port": int(parts[1]), "protocol": "http", "account": "acct", "user": "ann",
               "password": "x", "database": "db1", "schema": "public", "platform_detection_timeout_seconds": 0.0}  # fmt: skip
    session = await asyncio.to_thread(lambda: snowpark.Session.builder.configs(options).create())
    try:
        made = config(url)
        made["connections"]["s"]["credentials"] = SnowflakeIdentity(session=session)
        del made["credentials"]
        async with Mesh.from_config(made) as mesh:
            replies = await asyncio.gather(*(mesh.chat("s:mistral-7b", "Hi") for _ in range(3)))
        assert len(replies) == 3
        assert session.sql("select 1").collect()[0][0] == 1
    finally:
        await asyncio.to_thread(session.connection.close)


STALL = """
import asyncio, sys, time
from jackfield import Secret
from jackfield_snowflake import SnowflakeCredentials, SnowflakeIdentity, SnowflakeSettings
from jackfield_snowflake._transport import access

async def main():
    identity = SnowflakeIdentity(SnowflakeCredentials(account="a", user="u", password=Secret("p")))
    transport = access(SnowflakeSettings(credentials=identity, route="sql"))
    worst, done = 0.0, False
    async def watch():
        nonlocal worst
        last = time.thread_time()  # of the loop's thread: what others take of the machine is not seen
        while not done:
            await asyncio.sleep(0.001)
            now = time.thread_time()
            worst, last = max(worst, now - last), now
    watching = asyncio.create_task(watch())
    await asyncio.sleep(0.05)
    worst = 0.0
    assert "snowflake.connector" not in sys.modules
    await transport.open()
    done = True
    await watching
    assert "snowflake.snowpark" in sys.modules
    await transport.aclose()
    print(worst)

asyncio.run(main())
"""


def test_opening_does_not_stall_the_event_loop():
    """The driver is imported in a thread of a fresh process: the least of three, for the machine's own hiccups."""
    runs = [
        subprocess.run([sys.executable, "-c", STALL], capture_output=True, text=True, check=True)
        for _ in range(3)
    ]
    assert min(float(run.stdout) for run in runs) < 0.05


# -- identities: the driver's logins, and its session's token over REST ---------------------------------------------


@pytest.fixture(scope="module")
def keys():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    sealed = serialization.BestAvailableEncryption(b"pass")
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed)
    return private.decode(), key.public_key()


async def test_a_key_pair_logs_in_and_is_verified(url, account, keys):
    private, public = keys
    identity = {"kind": "snowflake", "account": "org-acct", "user": "ann", "private_key": Secret(private),
                "private_key_passphrase": Secret("pass")}  # fmt: skip
    async with Mesh.from_config(config(url, identity=identity)) as mesh:
        assert (await mesh.chat("s:mistral-7b", "Hi")).text
    (login,) = account.logins
    assert login["AUTHENTICATOR"] == "SNOWFLAKE_JWT"
    driver = jwt.decode(login["TOKEN"], public, algorithms=["RS256"])
    # The token that we make for REST says the same of the account, the user and the key.
    ours = jwt.decode(
        make_token(private, "pass", account="org-acct", user="ann").value, public, algorithms=["RS256"]
    )
    assert (ours["iss"], ours["sub"]) == (driver["iss"], driver["sub"])


@pytest.mark.parametrize(("kind", "word"), [("pat", "PROGRAMMATIC_ACCESS_TOKEN"), ("oauth", "OAUTH")])
async def test_tokens_log_in(url, account, kind, word):
    identity = {
        "kind": "snowflake",
        "account": "acct",
        "user": "ann",
        "token": Secret("t0ken"),
        "token_type": kind,
    }
    async with Mesh.from_config(config(url, identity=identity)) as mesh:
        assert (await mesh.chat("s:mistral-7b", "Hi")).text
    (login,) = account.logins
    assert (login["AUTHENTICATOR"].upper(), login["TOKEN"]) == (word, "t0ken")


async def test_an_entry_of_connections_toml_logs_in(url, account, tmp_path):
    parts = url.removeprefix("http://").split(":")
    file = tmp_path / "connections.toml"
    file.write_text(
        f'[ours]\naccount = "acct"\nuser = "bob"\npassword = "x"\nhost = "{parts[0]}"\nport = {parts[1]}\n'
        'protocol = "http"\ndatabase = "db1"\nschema = "public"\nrole = "THEIRS"\n'
    )
    file.chmod(0o600)
    identity = {"kind": "snowflake", "connection": "ours", "connections_file": str(file)}
    async with Mesh.from_config(config(url, identity=identity, base_url=None, role="OURS")) as mesh:
        assert (await mesh.chat("s:mistral-7b", "Hi")).text
    (login,) = account.logins
    assert (login["LOGIN_NAME"], login["query"]["roleName"]) == ("bob", "OURS")


@pytest.mark.parametrize("route", ["openai", "complete"])
async def test_a_password_serves_rest_by_the_token_of_a_session(url, account, route):
    async with Mesh.from_config(config(url, route=route, database=None, schema=None)) as mesh:
        replies = [await mesh.chat("s:mistral-7b", "Hi") for _ in range(2)]
        assert [reply.text for reply in replies] == [SKY] * 2
        assert (replies[0].finish_reason, replies[0].usage.output_tokens) == ("stop", 5)
        (token,) = {token for _, token in account.rest}
        assert token in server.sessions
        # The service ends the session's token: once more with the one that the driver gets.
        server.sessions.pop(token)
        reply = await mesh.chat("s:mistral-7b", "Hi")
        assert [attempt.refreshed for attempt in reply.attempts] == [True, False]
    assert len(account.logins) == 2
    assert not server.sessions.keys() & {token for _, token in account.rest}, "sessions were left open"


def test_a_credential_table_makes_the_drivers_parameters(tmp_path):
    from jackfield_snowflake import SnowflakeSettings
    from jackfield_snowflake._login import parameters

    def told(**keys):
        credentials = SnowflakeIdentity(SnowflakeCredentials(account="a", **keys))
        return parameters(SnowflakeSettings(credentials=credentials, route="sql"))

    mfa = told(user="u", password=Secret("p"), mfa=True, passcode=Secret("123"))
    assert mfa["authenticator"] == "username_password_mfa"
    assert mfa["client_request_mfa_token"] is True
    assert mfa["passcode"] == "123"
    assert told(token=Secret("t"))["authenticator"] == "PROGRAMMATIC_ACCESS_TOKEN"
    assert told(token=Secret("t"), token_type="oauth")["authenticator"] == "oauth"
