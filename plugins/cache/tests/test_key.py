"""Calls are equal only where the same service would answer the same: a file is shared, or outlives a configuration."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

import attrs
import pytest

from jackfield import Choice, Mesh, Message, Registry, Reply, Secret
from jackfield.plugin import (
    CredentialKind,
    HttpAccess,
    MiddlewareKind,
    ProviderInfo,
    StaticHeader,
    hookimpl,
    secret,
)
from jackfield.testing import FakeProvider
from jackfield_cache import CACHE


@attrs.frozen(kw_only=True)
class Safety:
    level: str = "low"


@attrs.frozen(kw_only=True)
class ServiceSettings:
    """Such keys as providers have."""

    delay: float = 0.0  # which a fake reads
    host: str = "https://a.example"
    guardrail: str | None = None
    safety: Mapping[str, str] = attrs.field(factory=dict)
    more: Safety = attrs.field(factory=Safety)
    betas: tuple[str, ...] = ()
    api_key: Secret = secret(env="CACHE_TEST_KEY")
    credentials: Any = None


@attrs.frozen(kw_only=True)
class ServiceKeys:
    profile: str | None = None
    api_key: Secret | None = secret()


@attrs.frozen(kw_only=True)
class IdentitySettings:
    account: str = "a"
    token: Secret | None = secret()


class Identity:
    """As plugins make them: an object that shows nothing of itself."""

    def __init__(self, settings):
        self._settings = settings
        self._tokens = {}


@attrs.frozen(kw_only=True)
class GuardSettings:
    strict: bool = False


async def pass_on(call, proceed):
    return await proceed(call)


class Service(FakeProvider):
    """A provider whose settings are such as real ones have."""

    related = ("anthropic",)

    @hookimpl
    def jackfield_provider(self):
        return ProviderInfo(
            id="service",
            title="A service",
            settings=ServiceSettings,
            kinds=super().jackfield_provider().kinds,
            credentials=("id",),
            model_keys=ServiceKeys,
            related=self.related,
        )


BASE = {"provider": "service", "api_key": Secret("sk-one"), "models": ["m", {"id": "n", "profile": "eu"}]}
GUARD = MiddlewareKind(GuardSettings, lambda settings: pass_on)


def registry_of(service):
    return Registry.of(
        service,
        middlewares={"cache": CACHE, "guard": GUARD},
        credentials={"id": CredentialKind(IdentitySettings, Identity)},
    )


async def replayed(service, path, connection=None, *, target="c:m", middlewares=(), tables=None, **options):
    """Make one call under a configuration, in a mesh of its own; say whether the file answered it."""
    config = {
        "connections": {"c": {**BASE, "middlewares": ["cache"], **(connection or {})}},
        **(tables or {}),
        "middleware": {"cache": {"path": str(path)}, **(tables or {}).get("middleware", {})},
    }
    async with Mesh.from_config(config, registry=registry_of(service), middlewares=middlewares) as mesh:
        return (await mesh.chat(target, "Hi", **options)).replay is not None


@pytest.mark.parametrize(
    "change",
    [
        {"host": "https://b.example"},
        {"guardrail": "strict"},
        {"safety": {"HATE": "BLOCK"}},
        {"more": {"level": "high"}},
        {"betas": ["new"]},
        {"api_key": Secret("sk-two")},
        {"headers": {"X-Tenant": "b"}},
        {"headers": {"X-Tenant": Secret("b")}},
        {"proxy": "http://127.0.0.1:9"},
        {"credentials": "one"},
        {"models": [{"id": "m", "profile": "us"}]},
        {"models": [{"id": "m", "api_key": Secret("sk-m")}]},
        {"middlewares": ["cache", "guard"]},
    ],
    ids=str,
)
async def test_a_changed_configuration_gets_no_old_answer_and_the_old_one_still_hits(tmp_path, change):
    service, path = Service(), tmp_path / "a.sqlite"
    tables = {"credentials": {"one": {"kind": "id"}}}
    assert not await replayed(service, path, tables=tables)
    assert not await replayed(service, path, change, tables=tables)
    assert await replayed(service, path, tables=tables)
    assert await replayed(service, path, change, tables=tables)
    assert len(service.wires) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"timeout": {"total": 5}},
        {"retry": {"attempts": 1}},
        {"max_parallel": 2},
        {"pace": {"requests": 100}},
        {"models": ["other", {"id": "m", "pace": {"requests": 100}}]},
        {"models": ["other", {"id": "m", "price": {"input": "1", "output": "2"}}]},
        {"rate": {"hour": "1"}},
        {"middlewares": ["guard", "cache"]},
    ],
    ids=str,
)
async def test_what_changes_no_answer_makes_no_other_key(tmp_path, change):
    service, path = Service(), tmp_path / "a.sqlite"
    assert not await replayed(service, path)
    assert await replayed(service, path, change)


async def test_the_declared_identity_counts_whatever_a_plugin_makes_of_it(tmp_path):
    service, path = Service(), tmp_path / "a.sqlite"

    async def by(**identity):
        tables = {"credentials": {"one": {"kind": "id", **identity}}}
        return await replayed(service, path, {"credentials": "one"}, tables=tables)

    assert [await by(account=account) for account in "aba"] == [False, False, True]
    assert not await by(account="a", token=Secret("t1"))
    assert not await by(account="a", token=Secret("t2"))
    assert await by(account="a", token=Secret("t1"))


async def test_an_identity_that_says_nothing_of_itself_is_nobody_elses(tmp_path):
    service, path = Service(), tmp_path / "a.sqlite"
    assert not await replayed(service, path, {"credentials": Identity(None)})
    assert not await replayed(service, path, {"credentials": Identity(None)})


async def test_what_stands_behind_a_reference_counts(tmp_path, monkeypatch):
    service, path = Service(), tmp_path / "a.sqlite"
    by_reference = {"api_key": "env:CACHE_TEST_KEY"}
    answers = []
    for value in ("one", "two", "one", None):
        if value is None:
            monkeypatch.delenv("CACHE_TEST_KEY")
        else:
            monkeypatch.setenv("CACHE_TEST_KEY", value)
        answers.append(await replayed(service, path, by_reference))
    assert answers == [False, False, True, False]


async def test_one_file_may_serve_different_keys_if_that_is_wished(tmp_path):
    service, path = Service(), tmp_path / "a.sqlite"
    tables = {"middleware": {"cache": {"path": str(path), "per_key": False}}}
    assert not await replayed(service, path, tables=tables)
    assert await replayed(service, path, {"api_key": Secret("sk-two")}, tables=tables)
    assert await replayed(service, path, {"api_key": "env:NOT_THERE_AT_ALL"}, tables=tables)
    assert not await replayed(service, path, {"headers": {"X-Tenant": "b"}}, tables=tables)


async def test_the_settings_of_a_middleware_behind_the_cache_count(tmp_path):
    service, path = Service(), tmp_path / "a.sqlite"
    behind, before = {"middlewares": ["cache", "guard"]}, {"middlewares": ["guard", "cache"]}
    strict = {"middleware": {"guard": {"strict": True}}}
    assert not await replayed(service, path, behind)
    assert not await replayed(service, path, behind, tables=strict)
    assert await replayed(service, path, behind, tables=strict)
    assert not await replayed(service, path, before)
    assert await replayed(service, path, before, tables=strict)


async def test_a_cache_of_the_programs_own_sees_the_middlewares_behind_it(tmp_path):
    service = Service()
    cache = CACHE({"path": str(tmp_path / "b.sqlite")})

    async def ask(*middlewares, **connection):
        return await replayed(
            service, tmp_path / "a.sqlite", {"middlewares": [], **connection}, middlewares=middlewares
        )

    assert [await ask(cache), await ask(cache)] == [False, True]
    assert [await ask(cache, pass_on), await ask(cache, pass_on), await ask(pass_on, cache)] == [
        False,
        True,
        True,
    ]
    assert not await ask(cache, middlewares=["guard"])
    await cache.aclose()


@pytest.mark.parametrize("whose", ["service", "anthropic"])
async def test_extra_counts_for_every_dialect_that_the_provider_speaks(tmp_path, whose):
    service, path = Service(), tmp_path / "a.sqlite"
    answers = [await replayed(service, path, extra={whose: {"top_k": number}}) for number in (1, 2, 1)]
    assert answers == [False, False, True]
    assert service.wires[-1].meta["request"].options.extra == {whose: {"top_k": 2}}


async def test_what_is_left_out_of_the_key_is_not_sent(tmp_path):
    service, path = Service(), tmp_path / "a.sqlite"
    assert not await replayed(service, path, extra={"openai": {"top_k": 1}, "service": {"a": 1}})
    assert await replayed(service, path, extra={"openai": {"top_k": 2}, "service": {"a": 1}})
    assert service.wires[-1].meta["request"].options.extra == {"service": {"a": 1}}


async def test_extra_for_a_middleware_behind_the_cache_counts(tmp_path):
    service, path = Service(), tmp_path / "a.sqlite"
    behind = {"middlewares": ["cache", "guard"]}
    answers = [await replayed(service, path, behind, extra={"guard": {"mode": mode}}) for mode in "aba"]
    assert answers == [False, False, True]


async def test_where_the_plugin_says_that_calls_go_counts(tmp_path, monkeypatch):
    class Regional(Service):
        region = "eu"

        @hookimpl
        def jackfield_transport(self, settings):
            return HttpAccess(
                base_url=f"https://{self.region}.example", auth=StaticHeader("x-key", settings.api_key)
            )

    async def digest(region):
        found = []

        async def note(call, proceed):
            found.append(await call.fingerprint.digest("m", inside=note))
            return Reply(choices=(Choice(index=0, message=Message("assistant", "Hi"), finish_reason="stop"),))

        service = Regional()
        service.region = region
        kinds = {"note": MiddlewareKind(GuardSettings, lambda settings: note)}
        config = {"connections": {"c": {**BASE, "middlewares": ["note"]}}}
        async with Mesh.from_config(config, registry=Registry.of(service, middlewares=kinds)) as mesh:
            await mesh.chat("c:m", "Hi")
        return found[0]

    assert await digest("eu") == await digest("eu") != await digest("us")


async def test_the_file_shows_neither_a_secret_nor_a_cheap_digest_of_one(tmp_path):
    import hashlib

    service, path = Service(), tmp_path / "a.sqlite"
    connection = {"api_key": Secret("sk-very-secret"), "headers": {"X-Key": "hush"}}
    await replayed(service, path, connection)
    with sqlite3.connect(path) as file:
        dump = "\n".join(file.iterdump())
    file.close()
    for name in ("sk-very-secret", "hush"):
        assert name not in dump
        assert name.encode().hex() not in dump
        assert hashlib.sha256(name.encode()).hexdigest() not in dump


async def test_what_settings_and_identities_know_beyond_their_fields_counts(tmp_path):
    class Knowing(Identity):
        account = "one"

        def fingerprint_parts(self):
            return {"account": Knowing.account}

    service, path = Service(), tmp_path / "a.sqlite"
    answers = []
    for account in ("one", "two", "one"):
        Knowing.account = account
        answers.append(await replayed(service, path, {"credentials": Knowing(None)}))
    assert answers == [False, False, True]


async def test_an_object_that_fails_to_say_what_it_knows_is_nobody_elses(tmp_path):
    class Broken(Identity):
        def fingerprint_parts(self):
            raise OSError("no such file")

    class Endless(Identity):
        def fingerprint_parts(self):
            return Endless(None)

    service, path = Service(), tmp_path / "a.sqlite"
    for made in (Broken, Endless):
        assert not await replayed(service, path, {"credentials": made(None)})
        assert not await replayed(service, path, {"credentials": made(None)})
