"""models, connections, plugins, explain, config."""

import asyncio
import json
import tomllib

import attrs
import pytest
from virtual_time import VirtualTimeLoop

from jackfield._config.loader import load_config
from jackfield._contract.hookspecs import hookimpl
from jackfield._contract.secrets import Secret, secret
from jackfield._plugins.registry import Registry
from jackfield._types.capabilities import Capabilities, ParameterRule
from jackfield._types.cost import RateCard
from jackfield.cli._template import first_configuration
from jackfield.testing import FakeAnswer, FakeProvider

TWO = """
[connections.good]
provider = "fake"
models = ["echo"]

[connections.bad]
provider = "broken"
"""


class Unlistable(FakeProvider):
    def __init__(self):
        super().__init__("broken")

    @hookimpl
    def jackfield_discover(self):
        return None


@attrs.frozen
class KeyedSettings:
    endpoint: str
    api_key: object = secret(env="KEYED_API_KEY")


class Keyed(FakeProvider):
    @hookimpl
    def jackfield_provider(self):
        return attrs.evolve(super().jackfield_provider(), settings=KeyedSettings)


def test_models_are_a_table_and_json(command):
    command.fake.price = RateCard.of(source="test", input="0.5", output="2")
    row = command("models").stdout.splitlines()[1]
    assert all(word in row for word in ("a:echo", "chat", "embedding", "100000", "0.5 / 2 USD", "yes"))
    card = json.loads(command("models", "--json", "--refresh").stdout)["models"][0]
    assert card["target"] == "a:echo"
    assert card["limits"]["context_window"] == 100_000
    assert card["features"]["tools"] == {"value": True, "source": "fake"}


@pytest.mark.parametrize(
    ("rate", "shown"),
    [
        ('{ hour = "1.515" }', "1.515 USD an hour"),
        ('{ unit = "DBU", amount = "0.07", per = 1 }', "0.07 USD a DBU"),
        ('{ unit = "credit", amount = "2", per = 1000 }', "2 USD per 1000 credit"),
    ],
)
def test_a_rate_is_shown_with_what_it_is_for(command, rate, shown):
    command.configure(f'[connections.a]\nprovider = "fake"\nmodels = ["echo"]\nrate = {rate}')
    assert shown in command("models").stdout.splitlines()[1]


def test_models_that_are_not_allowed_are_shown_when_asked_for(command):
    command.fake.models = ("echo", "other")
    command.configure('[connections.a]\nprovider = "fake"\nmodels = ["echo"]')
    assert "other" not in command("models").stdout
    assert "other" in command("models", "--all", "a").stdout
    assert json.loads(command("models", "--kind", "rerank", "--json").stdout)["models"]
    assert command("models", "--kind", "nothing").exit_code == 2


def test_a_connection_that_cannot_be_listed_hides_no_other(command):
    command.configure(TWO)  # no plugin gives `broken`
    command.providers.append(BrokenListing())
    result = command("models")
    assert result.exit_code == 0
    assert "good:echo" in result.stdout
    assert "bad cannot be listed" in result.stderr
    assert "bad" in json.loads(command("models", "--json").stdout)["failures"]
    assert command("models", "bad").exit_code == 5


class BrokenListing(FakeProvider):
    def __init__(self):
        super().__init__("broken")

    @hookimpl
    def jackfield_transport(self, settings):
        from jackfield._types.errors import AuthenticationError

        raise AuthenticationError("no such key")


def test_an_unknown_connection_is_named_with_the_closest(command):
    command.configure('[connections.claude]\nprovider = "fake"')
    for words in (("models", "cluade"), ("connections", "check", "cluade")):
        result = command(*words)
        assert result.exit_code == 4
        assert "did you mean 'claude'" in result.stderr


def test_connections_are_listed_without_asking_anybody(command):
    for words in (("connections",), ("connections", "list")):
        result = command(*words)
        assert result.exit_code == 0
        assert "fake" in result.stdout
        assert "default = a:echo" in result.stderr
    said = json.loads(command("connections", "list", "--json").stdout)
    assert said["connections"][0]["name"] == "a"
    assert said["connections"][0]["state"] == "loaded"
    assert said["aliases"] == {"default": ["a:echo"]}
    assert command.fake.opened == 0


def test_check_makes_a_round_trip_with_each_and_exits_with_the_first_failure(command):
    command.configure(TWO)
    command.providers.append(BrokenListing())
    result = command("connections", "check")
    assert result.exit_code == 5
    good, bad = result.stdout.splitlines()[1:3]
    assert "good" in good
    assert " ok " in good
    assert "FAILED" in bad
    assert "AuthenticationError" in bad
    assert "no such key" in result.stderr
    assert command("connections", "check", "good").exit_code == 0
    said = json.loads(command("connections", "check", "--json").stdout)["connections"]
    assert [one["ok"] for one in said] == [True, False]
    assert said[1]["error"]["type"] == "AuthenticationError"


def test_check_asks_a_declared_model_where_there_is_no_listing(command):
    command.providers = [Unlistable()]
    command.configure('[connections.a]\nprovider = "broken"\nmodels = ["echo"]')
    assert "chat with echo" in command("connections", "check").stdout


def test_checks_run_at_the_same_time(command, monkeypatch):
    def run(work):
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            return runner.run(work)

    monkeypatch.setattr("asyncio.run", run)
    names = [f"c{number}" for number in range(5)]
    command.providers = [Unlistable()]
    asked = []

    def answer(request):
        asked.append(asyncio.get_running_loop().time())
        return FakeAnswer(text="ok", delay=0.3)

    command.providers[0]._script = answer
    command.configure("\n".join(f'[connections.{n}]\nprovider = "broken"\nmodels = ["echo"]' for n in names))
    said = json.loads(command("connections", "check", "--json").stdout)["connections"]
    assert [one["connection"] for one in said] == names
    assert all(one["ok"] for one in said)
    assert len(asked) == 5
    assert max(asked) - min(asked) < 0.3, "all are asked before any has answered"


def test_plugins_are_listed_with_the_reason_of_a_failure(command, monkeypatch):
    result = command("plugins")
    assert result.exit_code == 0
    assert "ready" in result.stdout

    class Torn:
        @hookimpl
        def jackfield_price(self, model, contxt):
            return None

    command.extensions = [Torn()]
    result = command("plugins")
    assert result.exit_code == 3
    assert "failed" in result.stdout
    assert "contxt" in result.stdout
    result = command("plugins", "--json")
    assert result.exit_code == 3
    states = json.loads(result.stdout)["plugins"]
    assert {state["kind"]: state["state"] for state in states} == {"provider": "ready", "extension": "failed"}
    assert states[0]["group"] == "jackfield.providers.v1"


def test_explain_shows_the_request_and_sends_nothing(command):
    command.fake.price = RateCard.of(source="test", input="1", output="2")
    result = command("explain", "Hello", "--max-tokens", "100", "--system", "Be brief")
    assert result.exit_code == 0
    for word in ('"max_tokens": 100', "Be brief", "sent", "characters / 4", "longest answer", "USD"):
        assert word in result.stdout
    assert command.fake.wires == []
    assert command.fake.opened == 0
    said = json.loads(command("explain", "Hello", "--max-tokens", "100", "--json").stdout)
    assert said["body"]["max_tokens"] == 100
    assert said["parameters"][0]["fate"] == "sent"
    assert command.fake.wires == []


@pytest.mark.parametrize("kind", ["chat", "completion", "summarization", "embedding"])
def test_explain_knows_every_kind(command, kind):
    assert command("explain", "Hello", "--kind", kind, "--json").exit_code == 0


def test_explain_does_not_stream_where_chat_would_not(command):
    command.fake.capabilities = Capabilities(known=True).with_features("test", streaming=False)
    assert command("explain", "Hello").exit_code == 0
    assert command("explain", "Hello", "--stream").exit_code == 4


def test_explain_names_the_middlewares(command):
    command.configure(
        '[aliases]\ndefault = "a:echo"\n[connections.a]\nprovider = "fake"\nmiddlewares = ["first", "second"]'
    )

    def made(settings=None):
        return lambda call, proceed: proceed(call)

    registry = Registry.of(command.fake, middlewares={"first": made, "second": made})
    shown = command("explain", "Hello", registry=registry)
    assert shown.exit_code == 0, shown.stderr
    assert shown.stdout.endswith("middlewares first, second may change this\n")
    said = json.loads(command("explain", "Hello", "--json", registry=registry).stdout)
    assert said["middlewares"] == ["first", "second"]


def test_explain_shows_each_secret_by_where_it_is_from(command):
    command.configure(
        '[connections.o]\nprovider = "openai"\nheaders = { X-Auth = "env:FOO" }\n[aliases]\ndefault = "o:gpt-5-mini"'
    )
    result = command("explain", "Hello", registry=Registry.installed())
    assert "X-Auth: <env:FOO>" in result.stdout, result.stdout + result.stderr
    assert "<env:OPENAI_API_KEY>" in result.stdout


def test_explain_says_what_is_unknown(command):
    assert "cost unknown" in command("explain", "Hello").stdout


def test_init_writes_once_and_overwrites_only_with_force(command, tmp_path):
    result = command("config", "init", configured=False)
    assert result.exit_code == 0
    written = tmp_path / "jackfield.toml"
    assert '[connections.fake]\nprovider = "fake"' in written.read_text("utf-8")
    written.write_text("mine", "utf-8")
    refused = command("config", "init", configured=False)
    assert refused.exit_code == 3
    assert "--force" in refused.stderr
    assert written.read_text("utf-8") == "mine"
    assert command("config", "init", "--force", configured=False).exit_code == 0
    assert written.read_text("utf-8") != "mine"
    assert command("config", "validate", configured=False).exit_code == 0


def test_init_comments_out_what_needs_a_word_of_the_person(monkeypatch):
    monkeypatch.delenv("KEYED_API_KEY", raising=False)
    text = first_configuration(Registry.of(Keyed("keyed")))
    assert "connections" not in tomllib.loads(text)
    assert '# endpoint = "https://your-endpoint.example"' in text
    assert '# api_key = "env:KEYED_API_KEY"' in text
    section = text[text.index("# [connections.keyed]") :]
    assert "keyed" in tomllib.loads(uncommented(section))["connections"]


def test_init_has_the_local_model_ready(command):
    command.only_local()
    text = first_configuration(command.registry())
    read = tomllib.loads(text)
    assert read["aliases"]["default"] == "local:smollm2-135m"
    assert read["connections"]["local"] == {"provider": "onnx"}
    assert "[connections.local]" not in first_configuration(Registry.of(FakeProvider()))


def test_validate_says_ok_or_everything_that_is_wrong(command):
    assert command("config", "validate").stdout.startswith("ok")
    assert json.loads(command("config", "validate", "--json").stdout)["connections"] == ["a"]
    command.configure('[connections.a]\nprovider = "fake"\ndelya = 1\n[connections.b]\nprovider = "fkae"')
    result = command("config", "validate")
    assert result.exit_code == 3
    assert "delya" in result.stderr
    assert "fkae" in result.stderr


def test_validate_warns_of_secrets_that_are_not_there(command, monkeypatch):
    monkeypatch.delenv("KEYED_API_KEY", raising=False)
    command.providers = [Keyed("keyed")]
    command.configure('[connections.k]\nprovider = "keyed"\nendpoint = "x"')
    result = command("config", "validate")
    assert result.exit_code == 0
    assert "KEYED_API_KEY is not set" in result.stderr
    monkeypatch.setenv("KEYED_API_KEY", "made-up-key")
    again = command("config", "validate")
    assert "warning" not in again.stderr
    assert "made-up-key" not in again.stdout + again.stderr


def test_validate_warns_of_headers_whose_secrets_are_not_there(command, monkeypatch):
    monkeypatch.delenv("TENANT", raising=False)
    command.configure('[connections.a]\nprovider = "fake"\nheaders = { X-Tenant = "env:TENANT", X-B = "b" }')
    result = command("config", "validate")
    assert result.exit_code == 0
    assert (
        "warning: connections.a.headers.X-Tenant: the environment variable TENANT is not set" in result.stderr
    )
    assert result.stderr.count("warning") == 1


def uncommented(text):
    return "\n".join(line.removeprefix("# ") for line in text.splitlines())


@pytest.mark.parametrize("id", Registry.installed().provider_ids())
def test_every_line_that_init_writes_is_right_once_it_is_uncommented(command, id):
    registry = Registry.installed()
    written = first_configuration(registry)
    title = registry.provider(id).info.title
    head = written[: written.index("\n## Secrets are")].replace('"local:', '"other:')
    section = written[written.index(f"\n## {title}\n") :].split("\n\n## ")[0]
    path = command.folder / "jackfield.toml"
    path.write_text(uncommented("\n".join([head.split("[aliases]")[0], section])), "utf-8")
    result = command("config", "validate", configured=False, registry=registry)
    assert result.exit_code == 0, result.stderr
    settings = load_config(path, registry).connections["local" if id == "onnx" else id].settings
    for field in attrs.fields(type(settings)):
        default = field.default.factory() if isinstance(field.default, attrs.Factory) else field.default
        # an example that a refusal gave, as of the region, looks like a person's own
        if field.name in {"models", "timeout", "retry", "region"} or getattr(settings, field.name) == default:
            continue
        told = f"{field.name} is still a placeholder" in result.stderr
        value = getattr(settings, field.name)
        told = told or (
            isinstance(value, Secret) and f"YOUR_{field.name.upper()} is not set" in result.stderr
        )
        assert told, field.name


@pytest.mark.parametrize("registry", [Registry.installed(), Registry.of(FakeProvider())], ids=["all", "one"])
def test_the_whole_file_is_right_once_it_is_uncommented(command, registry):
    path = command.folder / "jackfield.toml"
    path.write_text(uncommented(first_configuration(registry)), "utf-8")
    result = command("config", "validate", configured=False, registry=registry)
    assert result.exit_code == 0, result.stderr


def test_init_writes_defaults_and_what_they_mean():
    text = first_configuration(Registry.of(Described("described")))
    for line in (
        "## Where it is.",
        '# base_url = "https://described.example"',
        "# betas = []",
        "# max_queue = 64",
        "## threads is not set. Threads of one model; all unless given.",
        '# workspace = "your-workspace"',
        '# endpoint = "https://your-endpoint.example"',
    ):
        assert line in text.splitlines()


def test_init_has_an_alias_for_embeddings(command):
    command.only_local()
    written = tomllib.loads(first_configuration(command.registry()))
    assert written["aliases"] == {"default": "local:smollm2-135m", "embedding": "local:minilm"}


def test_init_says_that_it_made_a_folder(command, tmp_path):
    path = tmp_path / "new" / "declared.toml"
    result = command("--config", str(path), "config", "init", configured=False)
    assert path.exists()
    assert f"folder {path.parent} is new" in " ".join(result.stderr.split())


def test_a_default_that_does_not_embed_is_named(command):
    command.fake.capabilities = Capabilities(known=True, kinds=frozenset({"chat"}))
    result = command("embed", "x")
    assert result.exit_code == 4
    assert "the alias default does not serve embedding; name a model with -m" in result.stderr
    assert "declare an alias `embedding`; there is: a:...;" in result.stderr


@attrs.frozen(kw_only=True)
class DescribedSettings:
    """Keys.

    Attributes:
        base_url: Where it is.
        threads: Threads of one model; all unless given.
    """

    base_url: str = "https://described.example"
    betas: tuple[str, ...] = ()
    max_queue: int = 64
    threads: int | None = None
    workspace: str | None = None
    endpoint: str | None = None


class Described(FakeProvider):
    @hookimpl
    def jackfield_provider(self):
        return attrs.evolve(super().jackfield_provider(), settings=DescribedSettings)


def test_models_of_a_service_that_cannot_be_asked_are_shown_as_declared(command):
    command.providers.append(BrokenListing())
    command.configure('[connections.bad]\nprovider = "broken"\nmodels = ["echo", "other", "x*"]')
    for words in (("models",), ("models", "bad")):
        result = command(*words)
        assert result.exit_code == 5, "nobody could be asked"
        assert [line.split()[0] for line in result.stdout.splitlines()[1:]] == ["bad:echo", "bad:other"]
        assert result.stdout.count("not asked") == 2
        assert "bad cannot be listed: no such key" in result.stderr
        assert "Check the key" in result.stderr
    said = json.loads(command("models", "--json").stdout)
    assert [(card["id"], card["asked"]) for card in said["models"]] == [("echo", False), ("other", False)]
    assert said["failures"]["bad"]["type"] == "AuthenticationError"


class Tabled(BrokenListing):
    """Its service cannot be asked; its plugin ships a table."""

    @hookimpl
    def jackfield_table(self, settings):
        return ["old", "echo", "new"]

    @hookimpl
    def jackfield_capabilities(self, model):
        return Capabilities(
            known=True,
            kinds=frozenset({"chat"}),
            retired={"old": "2020-01-01", "new": "2999-12-31"}.get(model.id),
            source="table 2026-11-22",
        )


def test_models_of_a_service_that_cannot_be_asked_are_those_of_the_plugins_table(command):
    command.providers.append(Tabled())
    command.configure('[connections.bad]\nprovider = "broken"')
    result = command("models")
    assert [line.split()[0] for line in result.stdout.splitlines()[1:]] == ["bad:echo", "bad:new"]
    assert result.stdout.count("not asked") == 2
    assert "bad cannot be listed: no such key" in result.stderr
    assert "not asked: from the plugin's own tables (2026-11-22), not the service's listing" in result.stderr
    said = json.loads(command("models", "--json").stdout)["models"]
    assert [(card["id"], card["asked"], card["source"]) for card in said] == [
        ("echo", False, "table 2026-11-22"),
        ("new", False, "table 2026-11-22"),
    ]


def test_a_retirement_to_come_is_told_apart_from_one_that_was(command):
    command.providers.append(Tabled())
    command.configure('[connections.bad]\nprovider = "broken"')
    heading, *rows = command("models", "--all").stdout.splitlines()
    assert "retires" in heading
    assert "retired" not in heading
    shown = {row.split()[0]: row for row in rows}
    assert "retired 2020-01-01" in shown["bad:old"]
    assert "2999-12-31" in shown["bad:new"]
    assert "retired" not in shown["bad:new"]


def test_an_allow_list_holds_for_the_plugins_table(command):
    command.providers.append(Tabled())
    command.configure('[connections.bad]\nprovider = "broken"\nmodels = ["echo", "mine", "x*"]')
    result = command("models", "bad")
    assert [line.split()[0] for line in result.stdout.splitlines()[1:]] == ["bad:echo", "bad:mine"]
    every = command("models", "--all").stdout.splitlines()
    assert next(line for line in every if "bad:new" in line).split()[-1] == "no"


def test_a_table_that_fails_is_a_fault_of_its_plugin_and_hides_no_other(command):
    class Torn(Tabled):
        @hookimpl
        def jackfield_table(self, settings):
            raise KeyError("models")

    command.providers.append(Torn())
    command.configure(TWO)
    result = command("models")
    assert result.exit_code == 0
    assert "good:echo" in result.stdout
    assert (
        "jackfield_table failed: KeyError: 'models'; this is a fault of the provider plugin 'broken'"
        in result.stderr
    )


def test_explain_prices_the_longest_answer_that_stands_on_the_wire(command):
    command.fake.price = RateCard.of(source="test", input="1", output="2")
    command.fake.capabilities = Capabilities(
        known=True, parameters={"max_tokens": ParameterRule(maximum=50, wire="limit")}
    )
    words = ("explain", "Hello", "--max-tokens", "100", "-o", "unsupported=drop")
    assert json.loads(command(*words, "--json").stdout)["most_cost"]["amount"] == "0.000102"
    shown = command(*words).stdout
    assert shown.count("input:") == 1
    assert "input: 2 tokens (estimated: characters / 4), about 0.000002 USD" in shown


def test_tools_count_as_input():
    from jackfield._calls.explain import estimate_tokens
    from jackfield._input.arguments import chat_request

    tool = {"name": "add", "description": "d" * 400, "parameters": {"type": "object", "properties": {}}}
    plain = estimate_tokens(chat_request("Hi", {}, "error", stream=False)).input_tokens
    with_tool = estimate_tokens(chat_request("Hi", {"tools": [tool]}, "error", stream=False)).input_tokens
    assert with_tool >= plain + 110


def test_explain_of_a_rerank(command):
    result = command("explain", "--kind", "rerank", "--json", "what", "first", "second")
    assert result.exit_code == 0, result.stderr
    body = json.dumps(json.loads(result.stdout))
    assert "first" in body
    assert "second" in body
    assert command("explain", "--kind", "rerank").exit_code == 2
    assert command.fake.requests == []


@pytest.mark.parametrize("kind", Registry.installed().names("credentials"))
def test_init_writes_a_commented_table_for_each_kind_of_credentials(kind):
    text = first_configuration(Registry.installed())
    table = text[text.index(f"# [credentials.{kind}-main]") :].split("\n\n")[0].splitlines()
    assert table[1].lstrip("# ") == f'kind = "{kind}"'
    assert all(line.startswith("#") for line in table)
    settings = attrs.fields_dict(Registry.installed().credential_kind(kind).settings)
    written = {line.lstrip("# ").partition(" = ")[0] for line in table[2:]}
    assert written & settings.keys()
