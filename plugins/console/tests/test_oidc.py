"""Log-in by OpenID Connect, against a small provider on loopback that checks what a real one checks."""

import base64
import hashlib
import time
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web
from console_running import running_console
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from jackfield import Secret
from jackfield_console import ConsoleSettings
from jackfield_console._database import open_database, read_url
from jackfield_console._users import change_user, find_user


class Provider:
    """A provider that lets everybody in; tests change what it says."""

    def __init__(self):
        self.key = RSAKey.generate_key(2048, parameters={"kid": "one"})
        self.claims = {"email": "bob@example.org", "email_verified": True, "groups": ["ops"]}
        self.asked = {}
        self.codes = set()
        self.tokens = 0
        self.issuer = ""
        self.sign = self.sign_as_usual

    def sign_as_usual(self, claims):
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)

    def approve(self, address):
        """Return the callback to which the provider sends the browser."""
        self.asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert self.asked["code_challenge_method"] == "S256"
        self.codes.add("the-code")
        return f"/oidc/callback?code=the-code&state={self.asked['state']}"

    async def discovery(self, request):
        return web.json_response(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
            }
        )

    async def keys(self, request):
        return web.json_response({"keys": [self.key.as_dict(private=False)]})

    async def token(self, request):
        form = await request.post()
        self.tokens += 1
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(
            b"="
        )
        secret = base64.b64encode(b"console:a+secret").decode()
        if (
            form["code"] not in self.codes
            or challenge.decode() != self.asked["code_challenge"]
            or form["redirect_uri"] != self.asked["redirect_uri"]
            or request.headers.get("authorization") != f"Basic {secret}"
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        self.codes.discard(form["code"])
        now = int(time.time())
        usual = {
            "iss": self.issuer,
            "aud": "console",
            "sub": "1",
            "iat": now,
            "exp": now + 60,
            "nonce": self.asked["nonce"],
        }
        claims = {name: value for name, value in {**usual, **self.claims}.items() if value is not None}
        return web.json_response({"id_token": self.sign(claims), "access_token": "x", "token_type": "Bearer"})


@pytest.fixture
async def provider():
    provider = Provider()
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", provider.discovery)
    app.router.add_get("/keys", provider.keys)
    app.router.add_post("/token", provider.token)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    provider.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield provider
    await runner.cleanup()


@asynccontextmanager
async def console_with(provider, store, monkeypatch, **settings):
    monkeypatch.setenv("OIDC_SECRET", "a secret")
    oidc = {
        "issuer": provider.issuer,
        "client_id": "console",
        "client_secret": "env:OIDC_SECRET",
        "title": "Example Inc",
        "admins": ["ops"],
        "viewers": ["staff"],
        **settings,
    }
    async with running_console(store, console={"url": "https://gw.example/console", "oidc": oidc}) as running:
        yield running.browser


async def enter(browser, provider, *, status=303):
    """Log in by the provider; return the text of the last page."""
    await browser.get("/oidc/start", status=303)
    return await browser.get(provider.approve(browser.headers["location"]), status=status)


async def test_a_user_of_the_provider_logs_in(provider, store, monkeypatch):
    async with console_with(provider, store, monkeypatch) as browser:
        assert "Log in with Example Inc" in await browser.get("/login")
        await enter(browser, provider)
        assert browser.headers["location"] == "/console/"
        assert provider.asked["redirect_uri"] == "https://gw.example/console/oidc/callback"
        assert "bob@example.org" in await browser.get("/")
        assert "logged in" in await browser.get("/changes")  # an admin, by the group
        await browser.post("/logout")
        await browser.get("/", status=303)


async def test_roles_are_those_of_the_groups_each_time(provider, store, monkeypatch):
    async with console_with(provider, store, monkeypatch) as browser:
        await enter(browser, provider)
        provider.claims["groups"] = "staff"
        await enter(browser, provider)
        await browser.get("/users", status=403)
        provider.claims["groups"] = ["others", 7]
        assert "may not log in here" in await enter(browser, provider, status=403)


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another"},
        {"aud": ["console", "another"]},
        {"aud": ["console", "another"], "azp": "another"},
        {"iss": "https://evil.example"},
        {"exp": 1},
        {"exp": None},
        {"iat": None},
        {"sub": None},
        {"nonce": "of another log-in"},
        {"nonce": None},
        {"email": None},
        {"email": 7},
        {"email_verified": False},
        {"email_verified": None},
        {"email": "<script>"},
    ],
    ids=str,
)
async def test_a_token_that_is_not_for_this_log_in_is_refused(provider, store, monkeypatch, claims):
    provider.claims.update(claims)
    async with console_with(provider, store, monkeypatch) as browser:
        text = await enter(browser, provider, status=403)
        assert "<script" not in text
        await browser.get("/", status=303)


def unsigned(claims):
    _, body, _ = jwt.encode({"alg": "HS256"}, claims, OctKey.import_key("x" * 32)).split(".")
    plain = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    return f"{plain}.{body}."


@pytest.mark.parametrize(
    "sign",
    [
        unsigned,
        lambda claims: jwt.encode(
            {"alg": "HS256"}, claims, OctKey.import_key("a secret, of the client, that is long")
        ),
        lambda claims: jwt.encode({"alg": "RS256", "kid": "one"}, claims, RSAKey.generate_key(2048)),
        lambda claims: "not a token",
        lambda claims: None,
    ],
    ids=["none", "shared secret", "another key", "no token", "nothing"],
)
async def test_a_signature_that_is_not_the_providers_is_refused(provider, store, monkeypatch, sign):
    provider.sign = sign
    async with console_with(provider, store, monkeypatch) as browser:
        await enter(browser, provider, status=403)
        await browser.get("/", status=303)


async def test_a_new_key_of_the_provider_is_fetched(provider, store, monkeypatch):
    async with console_with(provider, store, monkeypatch) as browser:
        await enter(browser, provider)
        provider.key = RSAKey.generate_key(2048, parameters={"kid": "two"})
        await enter(browser, provider)


async def test_a_log_in_that_was_not_begun_here_is_refused(provider, store, monkeypatch):
    """Somebody sends their own code to a victim, so that the victim works in the attacker's session."""
    async with console_with(provider, store, monkeypatch) as browser:
        await browser.get("/oidc/start", status=303)
        callback = provider.approve(browser.headers["location"])
        browser.http.cookie_jar.clear()
        await browser.get(callback, status=403)
        await browser.get("/oidc/callback?code=the-code&state=", status=403)
        await browser.get("/oidc/callback", status=403)
        assert provider.tokens == 0


async def test_a_callback_works_once(provider, store, monkeypatch):
    async with console_with(provider, store, monkeypatch) as browser:
        await browser.get("/oidc/start", status=303)
        callback = provider.approve(browser.headers["location"])
        await browser.get(callback, status=303)
        await browser.get(callback, status=403)
        assert provider.tokens == 1


async def test_what_the_provider_refuses_is_refused(provider, store, monkeypatch):
    async with console_with(provider, store, monkeypatch) as browser:
        await browser.get("/oidc/start", status=303)
        state = provider.approve(browser.headers["location"]).partition("state=")[2]
        text = await browser.get(f"/oidc/callback?error=%3Cb%3Eno&state={state}", status=403)
        assert "<b>no" not in text


async def test_users_with_a_password_here_and_blocked_ones_are_not_taken_over(provider, store, monkeypatch):
    provider.claims.update({"preferred_username": "alice", "email": None})
    async with console_with(provider, store, monkeypatch, user_claim="preferred_username") as browser:
        await enter(browser, provider, status=403)
        provider.claims["preferred_username"] = "carol"
        await enter(browser, provider)
        database = open_database(read_url(store))
        assert database.call(find_user, "carol").role == "admin"
        database.call(change_user, "carol", blocked=True)
        database.close()
        await browser.get("/", status=303)
        await enter(browser, provider, status=403)


async def test_a_user_of_the_provider_has_no_password_here(provider, store, monkeypatch):
    provider.claims.update({"preferred_username": "carol", "email": None})
    async with console_with(provider, store, monkeypatch, user_claim="preferred_username") as browser:
        await enter(browser, provider)
        await browser.post("/logout")
        for password in ("", "nobody", "None"):
            await browser.log_in("carol", password, status=422)


async def test_without_the_table_there_is_no_such_page(console):
    for path in ("/oidc/start", "/oidc/callback"):
        await console.browser.get(path, status=404)
    assert "Log in with" not in await console.browser.get("/login")


async def test_a_provider_that_is_away_or_another_one_is_told(provider, store, monkeypatch):
    async with console_with(provider, store, monkeypatch, issuer="http://127.0.0.1:1") as browser:
        assert "log says why" in await browser.get("/oidc/start", status=502)
    async with console_with(provider, store, monkeypatch, issuer=f"{provider.issuer}/") as browser:
        await browser.get("/oidc/start", status=502)


@pytest.mark.parametrize(
    "settings",
    [
        {"oidc": {"issuer": "http://idp.example", "client_id": "x"}, "url": "https://h/console"},
        {"oidc": {"issuer": "https://idp.example", "client_id": "x"}},
        {"url": "http://gateway.example/console"},
    ],
    ids=str,
)
def test_settings_that_are_not_safe_are_refused(settings):
    from jackfield_console import OidcSettings

    with pytest.raises(ValueError, match="url|issuer"):
        ConsoleSettings(
            **{**settings, **({"oidc": OidcSettings(**settings["oidc"])} if "oidc" in settings else {})}
        )


def test_the_secret_is_not_shown():
    from jackfield_console import OidcSettings

    assert "hush" not in repr(OidcSettings(issuer="https://i", client_id="c", client_secret=Secret("hush")))
