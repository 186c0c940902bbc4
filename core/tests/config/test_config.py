"""A configuration is read whole, checked whole, and says what is wrong and what to do."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Literal

import attrs
import pytest

from jackfield import ConfigurationError, PluginError, Secret
from jackfield._config.connections import find_model, is_allowed
from jackfield._config.loader import load_config
from jackfield._contract.settings import read_settings
from jackfield._plugins.capabilities import resolve_capabilities
from jackfield._plugins.installed import InstalledPlugin
from jackfield._plugins.registry import CredentialKind, Registry
from jackfield.plugin import (
    Capabilities,
    Capability,
    Limits,
    ModelRef,
    PacePolicy,
    ParameterRule,
    ProviderInfo,
    Rate,
    hookimpl,
    secret,
)
from jackfield.testing import FakeProvider


@attrs.frozen
class Settings:
    base_url: str | None = None
    api_key: Secret | None = secret(env="ACME_KEY")
    region: str | None = None


class Plugin:
    """A provider that knows the models of its table."""

    id = "acme"
    settings: type = Settings
    known: Mapping[str, Capabilities] = {}
    extra: Mapping[str, Any] = {}

    def __init__(self, **attributes):
        vars(self).update(attributes)

    @hookimpl
    def jackfield_provider(self):
        return ProviderInfo(
            has_routes=True,
            id=self.id,
            title="Acme",
            settings=self.settings,
            kinds=frozenset({"chat"}),
            **self.extra,
        )

    @hookimpl
    def jackfield_capabilities(self, model):
        return self.known.get(model.known_as, Capabilities(source="inferred"))

    @hookimpl
    def jackfield_translate(self, model, request, capabilities):
        pass

    @hookimpl
    def jackfield_decoder(self, model, wire):
        pass

    @hookimpl
    def jackfield_transport(self, settings):
        pass


GPT = Capabilities(
    known=True,
    kinds=frozenset({"chat"}),
    features={"tools": Capability(True, "table 2026-01-01"), "images": Capability(False, "table 2026-01-01")},
    parameters={"top_k": ParameterRule(wire="config.topK", maximum=40)},
    limits=Limits(context_window=1000, max_output_tokens=100),
    source="table 2026-01-01",
)


def load(config, *plugins, **parts):
    return load_config(config, Registry.of(*(plugins or (Plugin(),)), **parts))


def connection(table=None, *plugins, **parts):
    return load({"connections": {"a": {"provider": "acme", **(table or {})}}}, *plugins, **parts).connections[
        "a"
    ]


def wrong(config, *plugins, **parts):
    with pytest.raises(ConfigurationError) as caught:
        load(config, *plugins, **parts)
    return caught.value.message


def wrong_connection(table, *plugins, **parts):
    return wrong({"connections": {"a": {"provider": "acme", **table}}}, *plugins, **parts)


@pytest.fixture
def without_keyring(monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring", None)


@pytest.mark.usefixtures("without_keyring")
class TestUnknownKeys:
    @pytest.mark.parametrize(
        ("config", "message"),
        [
            ({"conections": {}}, "conections: unknown key; did you mean 'connections'?"),
            ({"defaults": {"timeot": {}}}, "defaults.timeot: unknown key; did you mean 'timeout'?"),
            ({"defaults": {"timeout": {"conect": 1}}}, "defaults.timeout.conect: unknown key; did you mean"),
            ({"defaults": {"retry": {"atempts": 1}}}, "defaults.retry.atempts: unknown key; did you mean"),
            ({"prices": {"fil": "x"}}, "prices.fil: unknown key; did you mean 'file'?"),
            ({"middleware": {"audit": {}}}, "middleware.audit: no installed plugin gives this middleware"),
        ],
    )
    def test_are_errors_with_their_place_and_the_closest_match(self, config, message):
        assert message in wrong(config)

    @pytest.mark.parametrize(
        ("table", "message"),
        [
            ({"modles": []}, "connections.a.modles: unknown key; did you mean 'models'?"),
            ({"regio": "eu"}, "connections.a.regio: unknown key; did you mean 'region'?"),
            ({"models": [{"id": "m", "prize": {}}]}, "models[0].prize: unknown key; did you mean 'price'?"),
            (
                {"models": [{"id": "m", "price": {"inputs": "1"}}]},
                "price.inputs: unknown key; did you mean 'input'?",
            ),
            (
                {"models": [{"id": "m", "capabilities": {"tool": True}}]},
                "capabilities.tool: unknown key; did you mean 'tools'?",
            ),
            (
                {"models": [{"id": "m", "limits": {"max_input": 1}}]},
                "limits.max_input: unknown key; did you mean",
            ),
            ({"models": [{"id": "m", "options": {"temprature": 1}}]}, "did you mean 'temperature'?"),
            (
                {"api_key": "env:"},
                'connections.a.api_key: it must be a reference with a variable\'s name behind "env:"',
            ),
            (
                {"headers": {"Bad Header": "x"}},
                "connections.a.headers.Bad Header: is not a valid name of a header",
            ),
            ({"headers": {"X-A:": "x"}}, "connections.a.headers.X-A:: is not a valid name of a header"),
            ({"headers": {"X-A": "x\r\ny"}}, "connections.a.headers.X-A: must be one line"),
            (
                {"rate": {"hour": "1", "currency": "EURO"}},
                "connections.a.rate.currency: unknown currency 'EURO'; did you mean 'EUR'?",
            ),
            (
                {"models": [{"id": "m", "price": {"input": "1", "currency": "usd"}}]},
                "connections.a.models[0].price.currency: unknown currency 'usd'; did you mean 'USD'?",
            ),
            (
                {"headers": {"X-A": "keyring:a"}},
                "connections.a.headers.X-A: it must be a reference that needs",
            ),
            (
                {"headers": {"X-A": "keyring:a/b"}},
                'connections.a.headers.X-A: keyring: references need the extra: pip install "./core[keyring]" (in a checkout of Jackfield)',
            ),
            ({"api_key": "keyring:a/b"}, "connections.a.api_key: keyring: references need the extra"),
            (
                {"headers": {"X-A": "Bearer env:KEY"}},
                "connections.a.headers.X-A: a reference stands alone: the variable holds the whole value",
            ),
            ({"headers": {"X-A": "a ${KEY}"}}, 'X-A: is sent as it stands; write "env:NAME"'),
            (
                {"headers": {"X-A": "a", "x-a": "b"}},
                "connections.a.headers.x-a: stands twice; names of headers",
            ),
            ({"retry": 3}, "connections.a.retry: must be a table, not 3: retry = { attempts = 3 }"),
            ({"timeout": "10"}, "connections.a.timeout: must be seconds or a table, not a string"),
            ({"rate": {"hours": "1"}}, "connections.a.rate.hours: unknown key; did you mean 'hour'?"),
        ],
    )
    def test_of_a_connection_are_errors(self, table, message):
        assert message in wrong_connection(table)

    def test_wrong_options_of_an_entry_are_all_said(self):
        options = {
            "temperature": "hot",
            "max_tokens": -3,
            "n": True,
            "top_p": float("nan"),
            "response_format": "xml",
            "truncate": "middle",
            "reasoning": {"effrt": "low"},
        }
        with pytest.raises(ConfigurationError) as caught:
            load({"connections": {"a": {"provider": "acme", "models": [{"id": "m", "options": options}]}}})
        said = caught.value.mistakes
        places = [mistake.partition(": ")[0] for mistake in said]
        assert places == [f"connections.a.models[0].options.{name}" for name in options]
        assert said[0].endswith("must be a number, got 'hot'")
        assert said[1].endswith("must be 0 or more, got -3")

    def test_right_options_of_an_entry_are_none(self):
        options = {
            "temperature": 0,
            "max_tokens": 5,
            "top_k": -1,
            "seed": -1,
            "stop": "x",
            "reasoning": "low",
        }
        entry = {
            "id": "m",
            "options": {**options, "response_format": {"type": "object"}, "presence_penalty": -1},
        }
        load({"connections": {"a": {"provider": "acme", "models": [entry]}}})

    def test_a_price_on_a_connection_is_answered_with_what_to_write(self):
        message = wrong_connection({"price": {"input": "1"}})
        assert "connections.a.price: a connection takes a rate" in message
        assert "a price belongs to a model: models = [{ id =" in message
        assert "did you mean" not in message

    @pytest.mark.parametrize(
        ("address", "message"),
        [
            ("acme.example/v1", 'must begin with "http://" or "https://"'),
            ("https://...", "names no host"),
            ("https://", "names no host"),
            ("http://:80/v1", "names no host"),
            ("https://acme.example/v 1", "must hold no blanks"),
        ],
    )
    @pytest.mark.parametrize("key", ["base_url", "proxy"])
    def test_an_address_that_cannot_be_asked_is_an_error(self, key, address, message):
        assert f"connections.a.{key}: {message}" in wrong_connection({key: address})

    @pytest.mark.parametrize(
        "address", ["http://127.0.0.1:8080", "https://[::1]:1/v1", "https://me:it@acme.example?key=1"]
    )
    def test_an_address_that_can_be_asked_is_none(self, address):
        assert connection({"base_url": address, "api_key": "none"}).settings.base_url == address

    def test_every_key_that_is_called_an_address_is_checked(self):
        @attrs.frozen
        class Tokens:
            token_url: str | None = None

        config = {"credentials": {"main": {"kind": "k", "token_url": "https://..."}}}
        kinds = {"k": CredentialKind(Tokens, lambda settings: settings)}
        assert "credentials.main.token_url: names no host" in wrong(config, credentials=kinds)

    @pytest.mark.parametrize("none", ["none", False])
    def test_an_identity_cannot_do_without_its_secret(self, none):
        @attrs.frozen
        class Tokens:
            token: Secret | None = secret()

        config = {"credentials": {"main": {"kind": "k", "token": none}}}
        kinds = {"k": CredentialKind(Tokens, lambda settings: settings)}
        assert "credentials.main.token: an identity cannot do without" in wrong(config, credentials=kinds)

    def test_one_mistake_in_a_connection_hides_no_other(self):
        table = {
            "regio": "eu",
            "base_url": "x",
            "credentials": "main",
            "price": {},
            "models": [{"id": "m", "kind": "caht"}],
        }
        message = wrong_connection(table)
        for key in ("regio", "base_url", "credentials", "price", "models[0].kind"):
            assert f"connections.a.{key}: " in message
        message = wrong(
            {"connections": {"a": {"provider": "acmee", "models": [{"id": "m", "kind": "caht"}]}}}
        )
        assert "connections.a.models[0].kind: must be one of" in message

    def test_a_mistake_in_an_entry_of_a_model_is_not_told_again_by_its_aliases(self):
        config = {
            "connections": {"a": {"provider": "acme", "models": [{"id": "m", "kind": "caht"}, "n"]}},
            "aliases": {"best": ["a:m", "a:n"], "other": "a:o"},
        }
        message = wrong(config)
        assert "connections.a.models[0].kind: must be one of" in message
        assert "aliases.best" not in message
        assert "aliases.other: connection a does not allow the model 'o'" in message

    def test_the_mistakes_are_a_list_too(self):
        with pytest.raises(ConfigurationError) as caught:
            load({"connections": {"a": {"provider": "acme", "regio": "eu", "base_url": "x"}}})
        assert caught.value.mistakes == (
            "connections.a.regio: unknown key; did you mean 'region'?",
            'connections.a.base_url: must begin with "http://" or "https://"',
        )

    def test_all_mistakes_of_all_connections_are_raised_together(self):
        message = wrong(
            {
                "connections": {
                    "a": {"provider": "acme", "modles": []},
                    "b": {"provider": "acme", "max_parallel": 0},
                    "c": {"provider": "acmee"},
                    "d": {},
                },
                "aliases": {"default": "e:m"},
            }
        )
        assert "5 mistakes" in message
        for said in (
            "connections.a.modles: unknown key",
            "connections.b.max_parallel: must be 1 or more",
            "connections.c: no installed plugin gives the provider 'acmee'; did you mean 'acme'?",
            "connections.d.provider: is missing",
            "aliases.default: there is no connection 'e'",
        ):
            assert said in message


class TestSharedKeys:
    def test_defaults_hold_for_connections_phase_by_phase(self):
        loaded = load(
            {
                "defaults": {
                    "timeout": {"connect": 3, "idle": 7},
                    "retry": {"attempts": 5},
                    "unsupported": "drop",
                    "headers": {"X-Team": "a", "X-Other": "b"},
                },
                "connections": {
                    "a": {"provider": "acme", "timeout": {"idle": 9}, "headers": {"x-team": "c"}},
                    "b": {"provider": "acme", "unsupported": "error"},
                },
            }
        )
        a, b = loaded.connections["a"], loaded.connections["b"]
        assert (a.timeout.connect, a.timeout.idle, a.timeout.total) == (3.0, 9.0, 600.0)
        assert (b.timeout.idle, b.retry.attempts, b.retry.max_delay) == (7.0, 5, 30.0)
        assert (a.unsupported, b.unsupported) == ("drop", "error")
        assert a.headers == {"x-team": "c", "X-Other": "b"}

    def test_inf_is_no_limit(self):
        assert connection({"timeout": {"total": float("inf")}}).timeout.total is None

    @pytest.mark.parametrize(
        ("written", "size"),
        [
            ("256 MiB", 256 << 20), ("1GiB", 1 << 30), ("1.5 kB", 1500), ("7 B", 7), ("20 MB", 20_000_000), (4096, 4096),
            (float("inf"), None), (None, None),
        ],
    )  # fmt: skip
    def test_the_most_that_an_answer_may_have_is_a_size(self, written, size):
        assert connection({"max_response": written}).max_response == size

    def test_an_answer_has_a_limit_unless_said_otherwise(self):
        assert connection({}).max_response == 256 << 20

    def test_a_number_of_seconds_is_the_total(self):
        assert connection({"timeout": 30}).timeout.total == 30

    def test_a_pace_is_taken_from_the_defaults_as_a_whole(self):
        loaded = load(
            {
                "defaults": {"pace": {"requests": 500, "tokens": 9000}},
                "connections": {
                    "a": {"provider": "acme"},
                    "b": {"provider": "acme", "pace": {"tokens": 10, "per": "second"}},
                    "c": {"provider": "acme", "pace": {"requests": float("inf")}},
                },
            }
        )
        paces = [loaded.connections[name].pace for name in "abc"]
        assert paces == [PacePolicy(requests=500, tokens=9000), PacePolicy(tokens=10, per="second"), None]

    def test_an_entry_of_models_may_have_a_pace(self):
        read = connection({"models": ["m", {"id": "n", "pace": {"requests": 3, "per": "day"}}]})
        assert [entry.pace for entry in read.models] == [None, PacePolicy(requests=3, per="day")]

    def test_headers_may_hold_references(self):
        headers = connection({"headers": {"X-Key": "env:KEY", "X-Plain": "text"}}).headers
        assert headers == {"X-Key": Secret(reference="env:KEY"), "X-Plain": "text"}

    @pytest.mark.parametrize(
        ("table", "message"),
        [
            ({"timeout": {"total": -1}}, "timeout.total: must be 0 or more, not -1"),
            ({"timeout": {"total": "1"}}, "timeout.total: must be a number, not a string"),
            ({"timeout": "1"}, "timeout: must be seconds or a table"),
            ({"retry": {"attempts": 0}}, "retry.attempts: must be 1 or more"),
            ({"retry": {"attempts": True}}, "retry.attempts: must be a whole number, not true"),
            ({"unsupported": "ignore"}, 'unsupported: must be one of "error", "drop", not "ignore"'),
            ({"max_parallel": True}, "max_parallel: must be a whole number"),
            ({"pace": 500}, "pace: must be a table, not 500: pace = { requests = 500"),
            ({"pace": {}}, "pace: names no limit; write requests, tokens or both"),
            ({"pace": {"per": "hour"}}, "pace: names no limit"),
            ({"pace": {"request": 1}}, "pace.request: unknown key; did you mean 'requests'?"),
            ({"pace": {"requests": 0}}, "pace.requests: must be 1 or more, not 0"),
            ({"pace": {"requests": True}}, "pace.requests: must be a whole number"),
            ({"pace": {"tokens": 1.5}}, "pace.tokens: must be a whole number"),
            ({"pace": {"tokens": 9, "per": "week"}}, 'pace.per: must be one of "second", "minute"'),
            (
                {"models": [{"id": "m", "pace": {"tokens": "9"}}]},
                "models[0].pace.tokens: must be a whole number",
            ),
            ({"proxy": "localhost:3128"}, 'proxy: must begin with "http://"'),
            ({"ca_bundle": "/no/such/file.pem"}, "ca_bundle: there is no file /no/such/file.pem"),
            ({"max_response": "64"}, 'max_response: must be a size such as "256 MiB"'),
            ({"max_response": "64 MBit"}, 'max_response: must be a size such as "256 MiB"'),
            ({"max_response": 0}, "max_response: must be 1 or more, not 0"),
            ({"max_response": "0.1 B"}, "max_response: must be 1 or more, not 0"),
            ({"max_response": 1.5}, 'max_response: must be bytes or a size such as "256 MiB", not 1.5'),
            ({"max_response": True}, "max_response: must be bytes or a size"),
            ({"headers": {"X": 1}}, "headers.X: must be a string, not 1"),
            ({"headers": {"X": "a\r\nY: b"}}, "headers.X: must be one line"),
            ({"middlewares": "audit"}, "middlewares: must be a list"),
            ({"middlewares": ["audit"]}, "middlewares[0]: no installed plugin gives the middleware 'audit'"),
        ],
    )
    def test_wrong_values_are_errors(self, table, message):
        assert message in wrong_connection(table)

    def test_a_transport_of_the_plugins_own_may_ask_for_them(self):
        @attrs.frozen
        class Asking:
            proxy: str | None = None
            max_parallel: int | None = None

        settings = connection({"proxy": "http://p:1"}, Plugin(settings=Asking)).settings
        assert settings == Asking(proxy="http://p:1")

    def test_a_password_in_a_proxy_or_a_header_stays_out_of_the_repr(self):
        shown = repr(
            load(
                {
                    "defaults": {"proxy": "http://u:hunter2@p:1"},
                    "connections": {"a": {"provider": "acme", "headers": {"X": "hunter2"}}},
                }
            )
        )
        assert "hunter2" not in shown


class TestModels:
    def test_no_list_allows_all(self):
        config = connection()
        assert config.models is None
        assert is_allowed(config, "anything")
        assert find_model(config, "anything") is None

    def test_an_empty_list_allows_none(self):
        assert not is_allowed(connection({"models": []}), "anything")

    @pytest.mark.parametrize(
        ("model_id", "allowed"),
        [
            ("gpt-5", True),
            ("gpt-5-2026-01-01", False),
            ("eu.gpt-5", False),
            ("GPT-5", False),
            ("embed-3-small", True),
            ("embed-3-", True),
            ("embed-3", False),
            ("", False),
        ],
    )
    def test_dated_suffixes_and_prefixes_match_only_if_written(self, model_id, allowed):
        config = connection({"models": ["gpt-5", {"id": "embed-3-*"}]})
        assert is_allowed(config, model_id) is allowed

    def test_the_exact_entry_comes_before_patterns_and_the_longest_pattern_before_others(self):
        config = connection({"models": ["*", "gpt-*", "gpt-5-*", "gpt-5-mini"]})
        assert find_model(config, "gpt-5-mini").id == "gpt-5-mini"
        assert find_model(config, "gpt-5-nano").id == "gpt-5-*"
        assert find_model(config, "o3").id == "*"

    def test_an_entry_is_read_whole(self):
        entry = connection(
            {
                "models": [
                    {
                        "id": "m",
                        "kinds": ["chat", "completion"],
                        "route": "r",
                        "price": {"input": "0.25", "output": 2, "request": "0.01", "currency": "EUR"},
                        "capabilities": {"tools": False},
                        "limits": {"context_window": 8},
                        "options": {"temperature": 0},
                    }
                ]
            }
        ).models[0]
        assert entry.kinds == {"chat", "completion"}
        assert (entry.route, entry.capabilities, entry.options) == ("r", {"tools": False}, {"temperature": 0})
        assert entry.limits == Limits(context_window=8)
        assert entry.price.currency == "EUR"
        assert entry.price.rates["input"] == Rate("input", Decimal("0.25"), 1_000_000, "declared")
        assert entry.price.rates["output"].amount == Decimal(2)
        assert entry.price.rates["request"].per == 1

    def test_a_plugins_own_keys_are_read_into_its_class(self):
        @attrs.frozen
        class Keys:
            target_uri: str
            api_key: Secret | None = secret()

        plugin = Plugin(extra={"model_keys": Keys})
        entry = connection({"models": [{"id": "m", "target_uri": "u", "api_key": "env:K"}]}, plugin).models[0]
        assert entry.own == Keys("u", api_key=Secret(reference="env:K"))
        assert "models[0].target_uri: is missing" in wrong_connection({"models": ["m"]}, plugin)

    @pytest.mark.parametrize(
        ("models", "message"),
        [
            ("m", "models: must be a list"),
            ([1], "models[0]: must be a model id or a table"),
            ([""], "models[0].id: is empty"),
            ([{}], "models[0].id: is missing"),
            (["a*b"], "a `*` may stand only at the end"),
            (["m", {"id": "m"}], "models[1]: names 'm' a second time"),
            ([{"id": "m", "kind": "chats"}], "kind"),
            ([{"id": "m", "kind": "chat", "kinds": ["chat"]}], "both kind and kinds"),
            ([{"id": "m", "capabilities": {"tools": "yes"}}], "capabilities.tools: must be true or false"),
        ],
    )
    def test_wrong_entries_are_errors(self, models, message):
        assert message in wrong_connection({"models": models})


class TestMoney:
    @pytest.mark.parametrize("key", ["input", "output", "cache_read", "request"])
    def test_a_float_is_an_error_that_says_how_to_write_it(self, key):
        message = wrong_connection({"models": [{"id": "m", "price": {key: 0.25}}]})
        assert f"price.{key}: 0.25 is a float" in message
        assert 'write it as a string: "0.25"' in message

    def test_a_float_as_a_rate_is_an_error(self):
        assert "rate.hour: 1.2 is a float" in wrong_connection({"rate": {"hour": 1.2}})

    @pytest.mark.parametrize("amount", ["", "1,20", "NaN", "Infinity", "-1", -1, True, None, ["1"]])
    def test_what_is_no_amount_is_an_error(self, amount):
        assert "price.input" in wrong_connection({"models": [{"id": "m", "price": {"input": amount}}]})

    def test_a_price_without_an_amount_is_an_error(self):
        assert "says no price" in wrong_connection({"models": [{"id": "m", "price": {}}]})

    def test_per_must_be_positive(self):
        message = wrong_connection({"models": [{"id": "m", "price": {"input": "1", "per": 0}}]})
        assert "price.per: must be 1 or more" in message

    def test_zero_is_a_price(self):
        entry = connection({"models": [{"id": "m", "price": {"input": 0}}]}).models[0]
        assert entry.price.rates["input"].amount == 0

    def test_an_hour_is_3600_seconds(self):
        card = connection({"rate": {"hour": "1.20", "currency": "EUR"}}).rate
        assert card.rates == {"second": Rate("second", Decimal("1.20"), 3600)}
        assert card.currency == "EUR"

    def test_a_rate_may_name_its_unit(self):
        card = connection({"rate": {"unit": "DBU", "amount": "0.07"}}).rate
        assert card.rates == {"DBU": Rate("DBU", Decimal("0.07"), 1)}

    def test_half_a_rate_is_an_error(self):
        assert 'write { hour = "1.20" }' in wrong_connection({"rate": {"unit": "DBU"}})

    def test_a_providers_units_are_units_and_currencies_of_its_prices(self):
        tokens = {"rate": {"unit": "token", "amount": "1", "currency": "coin"}}
        counted = {"rate": {"unit": "images", "amount": "1"}}
        own = Plugin(extra={"units": ("coin", "images")})
        assert connection(tokens, own).rate.currency == "coin"
        assert "unknown currency 'coin'" in wrong_connection(tokens)
        entry = {"id": "m", "price": {"input": "1", "currency": "coin"}}
        assert connection({"models": [entry]}, own).models[0].price.currency == "coin"
        assert connection(counted, own).rate.rates["images"].amount == 1

    def test_a_price_file_may_price_what_a_connections_provider_counts(self, tmp_path):
        path = tmp_path / "prices.csv"
        path.write_text("provider,model,unit,rate,currency\nacme,m,imags,1,coin\n", "utf-8")
        config = {"connections": {"a": {"provider": "acme"}}, "prices": {"file": str(path)}}
        own = Plugin(extra={"units": ("coin", "imags")})
        assert load(config, own).prices.rates("acme", "m", 0.0).currency == "coin"
        assert "unknown unit 'imags'; did you mean 'image'?" in wrong(config)

    def test_price_and_rate_in_two_currencies_are_an_error(self):
        message = wrong_connection(
            {"rate": {"hour": "1"}, "models": [{"id": "m", "price": {"input": 1, "currency": "EUR"}}]}
        )
        assert "its price is in EUR and its rate in USD" in message


class TestAliases:
    def test_a_string_or_a_list(self):
        loaded = load(
            {
                "connections": {"a": {"provider": "acme"}, "b": {"provider": "acme"}},
                "aliases": {"x": "a:m:v1", "y": ["a:m", "b:m"]},
            }
        )
        assert loaded.aliases == {"x": ("a:m:v1",), "y": ("a:m", "b:m")}

    @pytest.mark.parametrize(
        ("target", "message"),
        [
            ("conn:m", "no connection 'conn'"),
            ("alph:m", "did you mean 'alpha'?"),
            ("alpha", 'write "connection:model"'),
            ("alpha:", 'write "connection:model"'),
            ([], "is empty"),
            (1, "must be a list"),
            ("alpha:other", "does not allow the model 'other'"),
        ],
    )
    def test_a_target_that_cannot_be_called_is_an_error(self, target, message):
        config = {"connections": {"alpha": {"provider": "acme", "models": ["m"]}}, "aliases": {"x": target}}
        assert message in wrong(config)

    def test_a_target_on_a_connection_with_mistakes_is_no_second_mistake(self):
        message = wrong({"connections": {"a": {"provider": "acme", "x": 1}}, "aliases": {"x": "a:m"}})
        assert "aliases" not in message


class TestBrokenPlugins:
    class Unbindable(Plugin):
        id = "broken"

    def registry(self):
        registry = Registry.of(Plugin(), Plugin(id="broken"))
        registry._failed["provider", "broken"] = PluginError("the plugin cannot be imported")
        return registry

    def test_a_plugin_that_cannot_be_imported_fails_its_own_connections_only(self):
        loaded = load_config(
            {
                "connections": {
                    "good": {"provider": "acme"},
                    "bad": {"provider": "broken", "some_key": 1, "models": ["m", {"id": "n", "own": 1}]},
                },
                "aliases": {"default": ["bad:m", "good:m"]},
            },
            self.registry(),
        )
        assert loaded.connections["good"].failure is None
        assert list(loaded.failures) == ["bad"]
        failure = loaded.failures["bad"]
        assert isinstance(failure, PluginError)
        assert (failure.connection, failure.provider) == ("bad", "broken")
        assert "cannot be imported" in failure.message
        assert loaded.connections["bad"].provider is None
        assert is_allowed(loaded.connections["bad"], "n")

    def test_mistakes_elsewhere_are_raised_all_the_same(self):
        config = {"connections": {"good": {"provider": "acme", "x": 1}, "bad": {"provider": "broken"}}}
        with pytest.raises(ConfigurationError, match=r"connections\.good\.x"):
            load_config(config, self.registry())

    def test_a_broken_middleware_fails_the_connections_that_name_it(self):
        registry = Registry.of(Plugin(), middlewares={"audit": "no function"})
        loaded = load_config(
            {"connections": {"a": {"provider": "acme", "middlewares": ["audit"]}, "b": {"provider": "acme"}}},
            registry,
        )
        assert list(loaded.failures) == ["a"]
        assert loaded.connections["a"].middlewares == ()

    def test_a_table_that_raises_fails_its_connection(self):
        class Raising(Plugin):
            @hookimpl
            def jackfield_capabilities(self, model):
                raise KeyError("table")

        loaded = load(
            {"connections": {"a": {"provider": "acme", "models": [{"id": "m", "underlying": "x"}]}}},
            Raising(),
        )
        assert "jackfield_capabilities failed: KeyError" in loaded.failures["a"].message

    def test_types_that_cannot_be_resolved_fail_the_connection(self):
        @attrs.frozen
        class Unresolvable:
            x: "NoSuchType" = None  # noqa: F821, UP037

        failure = load(
            {"connections": {"a": {"provider": "acme", "x": 1}}}, Plugin(settings=Unresolvable)
        ).failures["a"]
        assert "Unresolvable cannot be resolved" in failure.message


@attrs.frozen
class AwsSettings:
    profile: str
    secret_key: Secret | None = secret()


@attrs.frozen
class SignedSettings:
    region: str
    credentials: Any


SIGNED = Plugin(id="signed", settings=SignedSettings, extra={"credentials": ("aws",)})


class TestCredentials:
    KIND = CredentialKind(AwsSettings, lambda settings: ["identity", settings])

    def config(self, **changes):
        return {
            "credentials": {"main": {"kind": "aws", "profile": "p"}},
            "connections": {
                "a": {"provider": "signed", "region": "r", "credentials": "main", **changes},
                "b": {"provider": "signed", "region": "s", "credentials": "main"},
            },
        }

    def test_connections_share_one_identity(self):
        loaded = load(self.config(), SIGNED, credentials={"aws": self.KIND})
        identity = loaded.connections["a"].settings.credentials
        assert identity == ["identity", AwsSettings("p")]
        assert loaded.connections["b"].settings.credentials is identity

    def test_an_identity_may_be_brought_by_the_program(self):
        mine = object()
        loaded = load(self.config(credentials=mine), SIGNED, credentials={"aws": self.KIND})
        assert loaded.connections["a"].settings.credentials is mine

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"credentials": "mian"}, "there is no [credentials.mian]; did you mean 'main'?"),
            ({"credentials": {"kind": "aws"}}, "must be the name of a table"),
        ],
    )
    def test_a_name_that_is_not_declared_is_an_error(self, changes, message):
        assert message in wrong(self.config(**changes), SIGNED, credentials={"aws": self.KIND})

    @pytest.mark.parametrize("credentials", ["mian", "main"])
    def test_wrong_credentials_hide_no_other_mistake(self, credentials):
        config = self.config(credentials=credentials, regio="eu")
        config["credentials"]["main"]["profil"] = "p"
        message = wrong(config, SIGNED, credentials={"aws": self.KIND})
        assert "connections.a.regio: unknown key" in message
        assert "credentials.main.profil: unknown key" in message

    def test_a_kind_that_the_provider_does_not_take_is_an_error(self):
        config = self.config()
        config["credentials"]["main"]["kind"] = "google"
        kinds = {"aws": self.KIND, "google": self.KIND}
        message = wrong(config, SIGNED, credentials=kinds)
        assert "main is of kind 'google'; the provider signed takes aws" in message

    def test_missing_credentials_are_asked_for(self):
        message = wrong({"connections": {"a": {"provider": "signed", "region": "r"}}}, SIGNED)
        assert 'write credentials = "NAME" and a table [credentials.NAME] with kind = aws' in message

    def test_a_provider_without_credentials_refuses_them(self):
        config = {**self.config(), "connections": {"a": {"provider": "acme", "credentials": "main"}}}
        assert "takes no credentials" in wrong(config, Plugin(), credentials={"aws": self.KIND})

    @pytest.mark.parametrize(
        ("table", "message"),
        [
            ({}, "credentials.main.kind: is missing"),
            ({"kind": "awz"}, "no installed plugin gives the kind of credentials 'awz'; did you mean 'aws'?"),
            ({"kind": "aws"}, 'credentials.main.profile: is missing; write profile = "..."'),
            ({"kind": "aws", "profil": "p"}, "credentials.main.profil: unknown key; did you mean 'profile'?"),
            ({"kind": "aws", "profile": "p", "secret_key": "abc"}, "secret_key: it must be a reference"),
        ],
    )
    def test_a_wrong_table_is_an_error(self, table, message):
        config = {**self.config(), "credentials": {"main": table}}
        assert message in wrong(config, SIGNED, credentials={"aws": self.KIND})

    def test_a_factory_that_fails_fails_the_connections_that_name_it(self):
        def fail(settings):
            raise OSError("no profile")

        loaded = load(
            {**self.config(), "connections": {**self.config()["connections"], "c": {"provider": "acme"}}},
            SIGNED,
            Plugin(),
            credentials={"aws": CredentialKind(AwsSettings, fail)},
        )
        assert sorted(loaded.failures) == ["a", "b"]
        assert "OSError: no profile" in loaded.failures["a"].message


class TestDeployments:
    OWN = Plugin(id="azure", known={"gpt-4o": GPT}, extra={"requires_models": True, "related": ("openai",)})
    OPENAI = Plugin(id="openai", known={"gpt-5": GPT})
    OTHER = Plugin(id="other", known={"llama": GPT})

    def load(self, entry, *plugins):
        config = {"connections": {"a": {"provider": "azure", "models": [entry]}}}
        registry = Registry.of(*(plugins or (self.OWN, self.OPENAI, self.OTHER)))
        loaded = load_config(config, registry).connections["a"]
        entry = loaded.models[0]
        ref = ModelRef(entry.id, "a", "chat", entry.underlying, entry.raw, loaded.settings)
        return entry, resolve_capabilities(registry, loaded.provider, ref, entry), ref

    @pytest.mark.parametrize("underlying", ["gpt-4o", "azure:gpt-4o", "openai:gpt-4o"])
    def test_the_plugins_own_table_is_asked_first(self, underlying):
        entry, capabilities, _ = self.load({"id": "prod", "underlying": underlying})
        assert capabilities == GPT
        assert entry.underlying == underlying

    def test_then_tables_that_it_builds_on(self):
        assert self.load({"id": "prod", "underlying": "gpt-5"})[1] == GPT

    def test_then_the_named_provider_whose_names_for_options_do_not_count(self):
        capabilities = self.load({"id": "prod", "underlying": "other:llama"})[1]
        assert capabilities.features == GPT.features
        assert capabilities.parameters["top_k"] == ParameterRule(wire=None, maximum=40)

    def test_another_table_is_not_asked_unless_it_is_named(self):
        with pytest.raises(ConfigurationError, match="no table knows its underlying model 'llama'"):
            self.load({"id": "prod", "underlying": "llama"})

    def test_a_colon_in_the_models_own_name_is_no_provider(self):
        own = Plugin(id="azure", known={"anthropic.claude-v1:0": GPT}, extra={"requires_models": True})
        _, capabilities, ref = self.load({"id": "prod", "underlying": "anthropic.claude-v1:0"}, own)
        assert capabilities == GPT
        assert ref.known_as == "anthropic.claude-v1:0"

    @pytest.mark.parametrize(
        "entry",
        [
            "prod",
            {"id": "prod"},
            {"id": "prod", "underlying": "gpt-9"},
            {"id": "prod", "underlying": "gpt-9", "kind": "chat"},
            {"id": "prod", "underlying": "gpt-9", "price": {"input": "1"}},
            {"id": "prod", "kind": "chat"},
        ],
    )
    def test_an_unknown_model_is_an_error_when_the_config_is_loaded(self, entry):
        with pytest.raises(ConfigurationError, match=r"connections\.a\.models\[prod\]: .*underlying"):
            self.load(entry)

    @pytest.mark.parametrize("what", [{"kind": "chat"}, {"capabilities": {"tools": True}}])
    @pytest.mark.parametrize("money", [{"price": {"input": "1"}}, {"rate": {"hour": "1"}}])
    @pytest.mark.parametrize("underlying", [{}, {"underlying": "gpt-9"}])
    def test_unless_capabilities_and_price_are_declared(self, what, money, underlying):
        self.load({"id": "prod", **underlying, **what, **money})

    def test_models_must_be_declared(self):
        with pytest.raises(ConfigurationError, match=r"connections\.a\.models: is missing"):
            load_config({"connections": {"a": {"provider": "azure"}}}, Registry.of(self.OWN))

    def test_a_deployment_of_a_provider_with_models_of_its_own_is_checked_too(self):
        message = wrong_connection({"models": [{"id": "tuned", "underlying": "gpt-9"}]})
        assert "no table knows its underlying model 'gpt-9'" in message

    def test_what_is_declared_precedes_the_table(self):
        _, capabilities, _ = self.load(
            {
                "id": "prod",
                "underlying": "gpt-4o",
                "kind": "completion",
                "capabilities": {"images": True},
                "limits": {"max_output_tokens": 7},
            }
        )
        assert capabilities.kinds == {"completion"}
        assert capabilities.feature("images") == Capability(True, "declared")
        assert capabilities.feature("tools") == Capability(True, "table 2026-01-01")
        assert capabilities.limits == Limits(context_window=1000, max_output_tokens=7)

    def test_a_listing_stands_between(self):
        plugin = Plugin(known={"m": GPT})
        registry = Registry.of(plugin)
        listing = Capabilities(
            known=True,
            features={"images": Capability(True, "listing"), "tools": Capability(None, "listing")},
            limits=Limits(context_window=2000),
        )
        entry = connection({"models": [{"id": "m", "limits": {"context_window": 3}}]}, plugin).models[0]
        provider = registry.provider("acme")
        resolved = resolve_capabilities(registry, provider, ModelRef("m"), None, listing=listing)
        assert resolved.feature("images") == Capability(True, "listing")
        assert resolved.feature("tools") == Capability(True, "table 2026-01-01")
        assert resolved.limits == Limits(context_window=2000, max_output_tokens=100)
        resolved = resolve_capabilities(registry, provider, ModelRef("m"), entry, listing=listing)
        assert resolved.limits.context_window == 3


CONFIG = """
    [connections.a]
    provider = "acme"
"""


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A place without any configuration."""
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    monkeypatch.delenv("JACKFIELD_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    return tmp_path


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), "utf-8")
    return path


class TestSources:
    @pytest.mark.parametrize("as_type", [str, Path])
    def test_a_file(self, nowhere, as_type):
        path = write(nowhere / "my.toml", CONFIG)
        loaded = load(as_type(path))
        assert list(loaded.connections) == ["a"]
        assert loaded.path == path

    def test_a_file_that_is_not_there(self, nowhere):
        assert "no.toml cannot be read" in wrong(nowhere / "no.toml")

    def test_a_file_that_is_no_toml_is_an_error_with_the_line(self, nowhere):
        assert "line 2" in wrong(write(nowhere / "my.toml", "\nx = = 1\n"))

    def test_mistakes_in_a_file_name_it(self, nowhere):
        assert wrong(write(nowhere / "my.toml", "x = 1")).startswith(f"{nowhere / 'my.toml'}: x: unknown key")

    def test_the_environment_comes_first(self, nowhere, monkeypatch):
        write(nowhere / "cwd/jackfield.toml", "broken")
        monkeypatch.setenv("JACKFIELD_CONFIG", str(write(nowhere / "my.toml", CONFIG)))
        assert load(None).path == nowhere / "my.toml"

    def test_the_environment_must_name_a_file_that_is_there(self, nowhere, monkeypatch):
        monkeypatch.setenv("JACKFIELD_CONFIG", "no.toml")
        assert "JACKFIELD_CONFIG names, no.toml cannot be read" in wrong(None)

    def test_then_the_current_folder_then_the_users(self, nowhere):
        write(nowhere / "xdg/jackfield/config.toml", CONFIG)
        assert load(None).path == nowhere / "xdg/jackfield/config.toml"
        write(nowhere / "cwd/jackfield.toml", CONFIG)
        assert load(None).path == nowhere / "cwd/jackfield.toml"

    BROUGHT: ClassVar = {
        "connections": {"here": {"provider": "onnx"}},
        "aliases": {"default": "here:small"},
    }

    def test_none_at_all_and_the_local_plugin_is_what_that_brings(self, nowhere):
        local = Plugin(id="onnx", extra={"default_configuration": self.BROUGHT})
        loaded = load(None, local, Plugin(extra={"default_configuration": {"unknown": {}}}))
        assert loaded.connections["here"].provider_id == "onnx"
        assert loaded.aliases == {"default": ("here:small",)}

    def test_none_at_all_and_the_only_provider_is_asked(self, nowhere):
        brought = {"connections": {"a": {"provider": "acme"}}}
        loaded = load(None, Plugin(extra={"default_configuration": brought}))
        assert loaded.connections["a"].provider_id == "acme"

    def test_none_at_all_and_several_providers_imports_none_of_them(self, nowhere):
        def load_nothing():
            raise AssertionError("it was imported")

        plugins = [InstalledPlugin(name, "provider", 1, load_nothing) for name in ("acme", "bolt")]
        with pytest.raises(ConfigurationError, match="there is no configuration"):
            load_config(None, Registry(plugins))

    def test_none_at_all_and_no_local_plugin_says_what_to_do(self, nowhere):
        message = wrong(None)
        assert "jackfield.toml" in message
        assert 'pip install "./plugins/onnx[cpu,convert]"' in message

    def test_relative_paths_start_from_the_files_folder(self, nowhere):
        write(nowhere / "etc/ca.pem", "")
        write(nowhere / "etc/prices.csv", "provider,model,unit,rate\nacme,m,input,1\n")
        path = write(
            nowhere / "etc/my.toml",
            """
            [connections.a]
            provider = "acme"
            api_key = "file:key"
            ca_bundle = "ca.pem"
            headers = { X = "file:header" }

            [connections.b]
            provider = "acme"
            api_key = "file:/run/key"

            [prices]
            file = "prices.csv"
            """,
        )
        loaded = load(path)
        a, b = loaded.connections["a"], loaded.connections["b"]
        assert a.settings.api_key == Secret(reference=f"file:{nowhere}/etc/key")
        assert a.headers["X"] == Secret(reference=f"file:{nowhere}/etc/header")
        assert a.ca_bundle == f"{nowhere}/etc/ca.pem"
        assert b.settings.api_key == Secret(reference="file:/run/key")
        assert loaded.prices.rates("acme", "m", 0.0) is not None

    def test_a_provider_of_the_price_file_that_is_almost_one_is_warned_of(self, nowhere, caplog):
        rows = "acme,m,input,1\nacmee,m,input,1\nacmee,n,input,1\nnobody,m,input,1\n"
        write(nowhere / "prices.csv", f"provider,model,unit,rate\n{rows}")
        load({"prices": {"file": str(nowhere / "prices.csv")}})
        (said,) = [record.getMessage() for record in caplog.records]
        assert said == (
            "the price file prices.csv: line 3: no installed plugin gives the provider 'acmee'; did you mean 'acme'?"
        )

    def test_a_wrong_price_file_is_one_of_the_mistakes(self, nowhere):
        path = write(nowhere / "my.toml", 'x = 1\n[prices]\nfile = "no.csv"')
        message = wrong(path)
        assert "2 mistakes" in message
        assert "prices.file: the price file" in message

    def test_the_input_is_not_changed(self):
        config = {
            "connections": {"a": {"provider": "acme", "models": [{"id": "m"}]}},
            "aliases": {"d": "a:m"},
        }
        before = repr(config)
        load(config)
        assert repr(config) == before


@attrs.frozen
class Inner:
    x: int


@attrs.frozen
class Everything:
    text: str = ""
    number: int = 0
    real: float = 0.0
    switch: bool = False
    money: Decimal = Decimal(0)
    path: Path = Path()
    words: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    table: Mapping[str, int] = attrs.field(factory=dict)
    choice: Literal["a", "b"] = "a"
    inner: Inner | None = None
    inners: list[Inner] = attrs.field(factory=list)
    either: str | int | None = None
    anything: Any = None
    key: Secret | None = secret()
    _private: int = 0
    computed: int = attrs.field(init=False, default=7)


def read(**values):
    return read_settings(Everything, values, where="here")


class TestSettings:
    @pytest.mark.parametrize(
        ("key", "written", "value"),
        [
            ("text", "a", "a"),
            ("number", 3, 3),
            ("real", 3, 3.0),
            ("real", 1.5, 1.5),
            ("switch", True, True),
            ("money", "1.5", Decimal("1.5")),
            ("money", 2, Decimal(2)),
            ("path", "a/b", Path("a/b")),
            ("words", ["a", "b"], ("a", "b")),
            ("names", ["a", "a"], frozenset({"a"})),
            ("table", {"a": 1}, {"a": 1}),
            ("choice", "b", "b"),
            ("inner", {"x": 1}, Inner(1)),
            ("inner", None, None),
            ("inner", Inner(2), Inner(2)),
            ("inners", [{"x": 1}], [Inner(1)]),
            ("either", "a", "a"),
            ("either", 1, 1),
            ("anything", [1], [1]),
            ("key", "env:K", Secret(reference="env:K")),
            ("key", Secret("v"), Secret("v")),
            ("key", None, None),
        ],
    )
    def test_values_are_read_by_the_types_of_the_fields(self, key, written, value):
        result = getattr(read(**{key: written}), key)
        assert result == value
        assert type(result) is type(value)

    @pytest.mark.parametrize(
        ("key", "written", "message"),
        [
            ("text", 1, "here.text: must be a string, not 1"),
            ("number", "1", "here.number: must be a whole number, not a string"),
            ("number", True, "must be a whole number, not true"),
            ("number", 1.0, "must be a whole number, not 1.0"),
            ("real", True, "must be a number, not true"),
            ("switch", 1, "must be true or false, not 1"),
            ("money", 1.5, '1.5 is a float, which is not exact; write it as a string: "1.5"'),
            ("words", "abc", "here.words: must be a list, not a string"),
            ("words", ["a", 1], "here.words[1]: must be a string, not 1"),
            ("table", {"a": "x"}, "here.table.a: must be a whole number"),
            ("table", [], "here.table: must be a table, not a list"),
            ("choice", "c", 'must be one of "a", "b", not "c"'),
            ("inner", {"y": 1}, "here.inner.y: unknown key"),
            ("inner", {}, "here.inner.x: is missing; write x = 1"),
            ("either", 1.5, "must be a string or a whole number, not 1.5"),
            ("text", None, "must be a string, not nothing"),
            ("computed", 1, "here.computed: unknown key"),
            ("_private", 1, "unknown key; did you mean 'private'?"),
        ],
    )
    def test_wrong_values_are_errors_with_their_place(self, key, written, message):
        with pytest.raises(ConfigurationError) as caught:
            read(**{key: written})
        assert message in caught.value.message

    @pytest.mark.parametrize("written", ["hunter2", "", 12345, ["hunter2"], {"hunter2": 1}, "env:"])
    def test_the_value_of_a_secret_is_never_shown(self, written):
        with pytest.raises(ConfigurationError) as caught:
            read(key=written)
        assert "here.key" in caught.value.message
        assert "hunter2" not in str(caught.value)
        assert "12345" not in str(caught.value)

    def test_a_string_at_the_wrong_key_is_not_shown_either(self):
        with pytest.raises(ConfigurationError) as caught:
            read(number="hunter2")
        assert "hunter2" not in str(caught.value)

    def test_what_is_missing_is_said_with_what_to_write(self):
        @attrs.frozen
        class Needing:
            endpoint: str
            parallel: int
            api_key: Secret = attrs.field(metadata={"secret": True})

        with pytest.raises(ConfigurationError) as caught:
            read_settings(Needing, {}, where="connections.azure")
        assert 'connections.azure.endpoint: is missing; write endpoint = "..."' in caught.value.message
        assert "parallel = 1" in caught.value.message
        assert 'api_key = "env:NAME"' in caught.value.message

    def test_what_the_class_itself_refuses_is_an_error_with_its_place(self):
        @attrs.frozen
        class Picky:
            size: int = attrs.field(default=1, validator=attrs.validators.lt(5))

        with pytest.raises(ConfigurationError, match="here: .*size"):
            read_settings(Picky, {"size": 9}, where="here")

    def test_given_objects_are_put_in_unchecked(self):
        assert read_settings(Inner, {}, where="here", given={"x": "an object"}).x == "an object"


def test_a_byte_order_mark_before_a_configuration_is_passed_over(tmp_path):
    path = tmp_path / "jackfield.toml"
    path.write_bytes(b'\xef\xbb\xbf[connections.a]\r\nprovider = "fake"\r\n')
    assert list(load_config(path, Registry.of(FakeProvider())).connections) == ["a"]


def test_a_configuration_that_is_nested_without_end_is_told(tmp_path):
    path = tmp_path / "jackfield.toml"
    path.write_text("a = " + "[" * 100_000, "utf-8")
    with pytest.raises(ConfigurationError, match="is not valid TOML"):
        load_config(path, Registry.of())


@pytest.mark.parametrize(
    ("content", "reason"), [("[a]".encode("utf-16"), "it is UTF-16"), (b'a = 1\nb = "\xe9"', "line 2")]
)
def test_a_configuration_in_another_encoding_is_told(tmp_path, content, reason):
    path = tmp_path / "jackfield.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=reason):
        load_config(path, Registry.of())
