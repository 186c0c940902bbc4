"""Forms of settings classes: every provider has one, and none is written by hand."""

import importlib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import attrs
import pytest

from jackfield import Registry, RetryPolicy, Secret, TimeoutPolicy
from jackfield.plugin import secret
from jackfield_console._connection_forms import connection_sheet
from jackfield_console._setting_forms import form_of

PROVIDERS = Registry.installed().provider_ids()


@attrs.frozen(kw_only=True)
class Inner:
    """Inner settings.

    Attributes:
        depth: How deep.
        word: Which word.
    """

    depth: float | None = None
    word: str = "ab"


@attrs.frozen(kw_only=True)
class Plugin:
    """What somebody else's plugin may have.

    Attributes:
        host: The host; a <b>long</b> story.
        key: The key.
        size: Bytes.
        mode: How.
        fast: Whether.
        names: Names.
        numbers: Numbers.
        labels: Labels.
        inner: Inside.
        tree: A tree of anything.
    """

    host: str
    key: Secret | None = secret(env="PLUGIN_KEY")
    size: str | int | None = None
    ratio: float = 0.5
    money: Decimal | None = None
    folder: Path | None = None
    mode: Literal["a", "b"] = "a"
    fast: bool | None = None
    names: tuple[str, ...] = ()
    numbers: list[int] | None = None
    labels: Mapping[str, str] = attrs.field(factory=dict)
    inner: Inner = attrs.field(factory=Inner)
    tree: Any = None


FORM = form_of(Plugin)
TABLE = {
    "host": "h.example",
    "key": "env:OTHER",
    "size": "6 GiB",
    "ratio": 1,
    "money": "0.10",
    "folder": "cache",
    "mode": "b",
    "fast": False,
    "names": ["x", " spaced", "it's # not"],
    "numbers": [3, 4],
    "labels": {"team": "red", "with space": 'say "hi"'},
    "inner": {"depth": float("inf")},
    "tree": [{"a": {"b": [1, 2.5, True]}}],
}


def post(**texts):
    return {name.replace("__", "."): text for name, text in texts.items()}


def test_every_type_has_a_control():
    assert {field.name: field.control for field in FORM.leaves()} == {
        "host": "text", "key": "secret", "size": "text", "ratio": "number", "money": "text", "folder": "text", "mode": "choice",
        "fast": "flag", "names": "lines", "numbers": "lines", "labels": "pairs", "inner.depth": "number", "inner.word": "text",
        "tree": "toml",
    }  # fmt: skip
    host, key, *_ = FORM.fields
    assert host.required
    assert host.meaning == "The host; a <b>long</b> story."
    assert key.default == "env:PLUGIN_KEY"
    assert not key.required


def test_a_table_comes_back_as_it_was():
    filled = FORM.fill(TABLE)
    posted = FORM.read(filled.texts)
    assert posted.faults == {}
    assert posted.values == TABLE
    assert [type(value) for value in posted.values.values()] == [type(value) for value in TABLE.values()]


def test_what_is_left_empty_is_left_out():
    assert FORM.read({field.name: "" for field in FORM.leaves()}).values == {}
    assert FORM.read({}).values == {}


def test_an_empty_text_is_typed_with_quotes():
    assert FORM.read(post(host='""')).values == {"host": ""}
    assert FORM.fill({"host": ""}).texts == {"host": '""'}


def test_numbers_that_are_none_are_left_to_the_core_to_refuse():
    assert FORM.read(post(ratio="much", numbers="1\nmany")).values == {
        "ratio": "much",
        "numbers": [1, "many"],
    }


@pytest.mark.parametrize(
    ("way", "text", "value"),
    [
        ("env", "MY_KEY", "env:MY_KEY"),
        ("file", "/run/secrets/key", "file:/run/secrets/key"),
        ("keyring", "service/name", "keyring:service/name"),
        ("none", "", "none"),
        ("env", "file:/run/key", "file:/run/key"),
        ("", "env:MY_KEY", "env:MY_KEY"),
    ],
)
def test_a_secret_is_a_reference(way, text, value):
    posted = FORM.read({"key.way": way, "key": text})
    assert posted.faults == {}
    assert posted.values == {"key": value}
    assert FORM.read(FORM.fill(posted.values).texts).values == {"key": value}


@pytest.mark.parametrize("way", ["env", "file", "keyring", ""])
@pytest.mark.parametrize(
    "typed",
    [
        "sk-proj-abcdefghijkl", "hf_abcdefghijk", "AKIAIOSFODNN7EXAMPLE", "dapi0123456789abcdef", "9f86d081884c7d659a2feaa0c55ad015",
        "eyJhbGciOiJIUzI1NiJ9.e30.x", "Ab3dE5gH7jK9mN1pQ3sT5vW7", "-----BEGIN PRIVATE KEY-----",
    ],
)  # fmt: skip
def test_a_typed_secret_is_refused_with_what_helps(way, typed):
    posted = FORM.read({"key.way": way, "key": typed})
    assert posted.values == {}
    assert "environment variable" in posted.faults["key"]
    assert typed not in posted.faults["key"]


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "OPENAI_API_KEY_2026_11_30_EU", "MY_TEAMS_KEY2"])
def test_names_of_variables_are_not_taken_for_secrets(name):
    assert FORM.read({"key.way": "env", "key": name}).faults == {}


def test_a_secret_in_another_field_is_refused():
    posted = FORM.read(post(host="sk-proj-abcdefghijkl", names="a\nghp_0123456789abcdef"))
    assert set(posted.faults) == {"host", "names"}
    assert "password" in FORM.read(post(host="https://user:pw@h.example")).faults["host"]


def test_a_secret_that_is_in_the_file_is_not_shown_and_stays():
    table = {"host": "https://me:pw@h.example", "key": "sk-literal-0123456789"}
    filled = FORM.fill(table)
    assert filled.hidden == {"host"}
    assert "pw" not in repr(filled.texts)
    assert "literal" not in repr(filled.texts)
    assert FORM.read({"host.kept": "yes", "host": ""}, table).values["host"] == "https://me:pw@h.example"
    assert FORM.read({"host": "other.example"}, table).values["host"] == "other.example"


def test_a_text_that_is_not_toml_is_a_mistake_of_its_field():
    posted = FORM.read(post(tree="{ a = ", labels="a b = 1", host="h"))
    assert set(posted.faults) == {"tree", "labels"}
    assert posted.values == {"host": "h"}


def test_a_time_limit_that_is_a_number_is_that_of_the_whole_call():
    from jackfield_console._setting_forms import Form, make_field

    form = Form((make_field(("timeout",), TimeoutPolicy), make_field(("retry",), RetryPolicy)))
    assert form.fill({"timeout": 60}).texts == {"timeout.total": "60"}
    assert form.read({"timeout.total": "60"}, {"timeout": 60}).values == {"timeout": 60}
    assert form.read({"timeout.total": "70", "timeout.idle": "inf"}, {"timeout": 60}).values == {
        "timeout": {"total": 70, "idle": float("inf")}
    }


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_providers_form_is_made_of_its_settings(provider):
    info = Registry.installed().provider(provider).info
    classes = [info.settings, *([info.model_keys] if info.model_keys else [])]
    for cls in classes:
        form = form_of(cls, leave_out=("credentials", "models"))
        for field in form.leaves():
            assert field.meaning or len(field.path) > 1, f"{provider}.{field.name}"
        # defaults that are typed come back as what they were
        for field in form.leaves():
            if field.default and field.control in ("text", "number", "choice", "flag"):
                assert form.read({field.name: field.default}).faults == {}


EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the examples are not in this package")
@pytest.mark.parametrize("name", ["http-tgi", "compatible-groq"])
def test_plugins_that_the_docs_show_have_a_form(name, monkeypatch):
    (folder,) = (EXAMPLES / name / "src").iterdir()
    monkeypatch.syspath_prepend(folder.parent)
    module = importlib.import_module(folder.name)
    plugin = next((value for value in vars(module).values() if hasattr(value, "jackfield_provider")), module)
    registry = Registry.of(plugin)
    (provider,) = registry.provider_ids()
    sheet = connection_sheet(registry, registry.provider(provider), {})
    assert {"base_url", "models", "timeout.total"} <= {field.name for field in sheet.form.leaves()}
    assert sheet.form.read({}).values == {}


@pytest.mark.parametrize(
    "value",
    [
        "org-AbCdEf0123456789abcdef01", "proj_AbCdEf0123456789abcdef01", "wrkspc_01JwQvzr7rXLA5AGx3HKfFUJ",
        "123e4567-e89b-12d3-a456-426614174000", "meta-llama/Llama-3.3-70B-Instruct-FP8-2026-11-01",
        "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.anthropic.claude-opus-4-8",
        "https://contoso-0123456789abcdef.openai.azure.com",
    ],
)  # fmt: skip
def test_ids_are_not_taken_for_secrets(value):
    assert FORM.read(post(host=value, names=value)).faults == {}
    assert FORM.fill({"host": value}).texts == {"host": value}
