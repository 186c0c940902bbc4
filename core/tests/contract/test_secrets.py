"""Secrets are references; what is behind them is shown nowhere."""

from __future__ import annotations

import copy
import logging
import pickle
import sys
import traceback
import types

import attrs
import pytest

from jackfield import ConfigurationError, MissingCredentialError, Secret
from jackfield.plugin import secret

VALUE = "hunter2-hunter2"


@attrs.frozen
class Settings:
    api_key: Secret | None = secret(env="ACME_KEY")
    token: Secret | None = secret()


def test_an_environment_variable_is_read_when_it_is_revealed(monkeypatch):
    reference = Secret.parse("env:ACME_KEY")
    monkeypatch.setenv("ACME_KEY", VALUE)
    assert reference.reveal() == VALUE


@pytest.mark.parametrize("value", [None, ""])
def test_a_variable_that_is_not_set_is_a_missing_credential_that_names_it(monkeypatch, value):
    monkeypatch.delenv("ACME_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("ACME_KEY", value)
    with pytest.raises(MissingCredentialError, match="ACME_KEY"):
        Secret.parse("env:ACME_KEY").reveal()


def test_a_file_is_read_without_its_last_newline(tmp_path):
    (tmp_path / "key").write_text(f"{VALUE}\n")
    assert Secret.parse(f"file:{tmp_path}/key").reveal() == VALUE


def test_a_file_that_is_missing_or_empty_is_a_missing_credential_that_names_it(tmp_path):
    (tmp_path / "empty").write_text("\n")
    for name in ("missing", "empty"):
        with pytest.raises(MissingCredentialError, match=name):
            Secret.parse(f"file:{tmp_path}/{name}").reveal()


def test_a_keyring_is_asked_for_service_and_name(monkeypatch):
    keyring = types.ModuleType("keyring")
    keyring.get_password = lambda service, name: VALUE if (service, name) == ("jackfield", "acme") else None
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    assert Secret.parse("keyring:jackfield/acme").reveal() == VALUE
    with pytest.raises(MissingCredentialError, match="name other"):
        Secret.parse("keyring:jackfield/other").reveal()
    with pytest.raises(ConfigurationError, match="keyring:service/name"):
        Secret(reference="keyring:jackfield").reveal()


def test_a_keyring_that_fails_is_a_missing_credential_with_its_error_as_cause(monkeypatch):
    def get_password(service, name):
        raise RuntimeError("no backend")

    keyring = types.ModuleType("keyring")
    keyring.get_password = get_password
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    with pytest.raises(MissingCredentialError, match="service jackfield, name acme: RuntimeError") as caught:
        Secret.parse("keyring:jackfield/acme").reveal()
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_a_keyring_that_is_not_installed_is_answered_with_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(MissingCredentialError, match=r"(jackfield|core)\[keyring\]"):
        Secret.parse("keyring:jackfield/acme").reveal()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("keyring:jackfield", "needs a service and a name: keyring:service/name"),
        ("keyring:/acme", "needs a service and a name"),
        ("env:${ACME_KEY}", "names a variable bare: env:NAME"),
        ("env:ACME KEY", "names a variable bare"),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused_when_it_is_read(text, said):
    with pytest.raises(ConfigurationError, match="api_key must be a reference") as caught:
        Secret.parse(text, key="api_key")
    assert said in caught.value.message


@pytest.mark.parametrize("text", [VALUE, "env:", f"envv:{VALUE}", "", f"ENV:{VALUE}"])
def test_what_is_no_reference_is_refused_and_not_shown(text):
    with pytest.raises(ConfigurationError) as caught:
        Secret.parse(text, key="api_key")
    assert "api_key must be a reference" in caught.value.message
    assert VALUE not in "".join(traceback.format_exception(caught.value))


def test_a_value_that_the_program_holds_is_revealed_and_shown_nowhere(caplog):
    held = Secret(VALUE)
    settings = Settings(api_key=held)
    assert held.reveal() == VALUE
    logging.getLogger("test").warning("%s %r", settings, held)
    for shown in (repr(held), str(held), f"{held}", repr(settings), repr([held]), caplog.text):
        assert VALUE not in shown


def test_a_reference_shows_where_not_what(monkeypatch):
    monkeypatch.setenv("ACME_KEY", VALUE)
    reference = Secret.parse("env:ACME_KEY")
    reference.reveal()
    assert repr(reference) == "Secret(env:ACME_KEY)"
    assert not hasattr(reference, "__dict__")


def test_references_can_be_pickled_and_values_cannot():
    reference = Secret.parse("env:ACME_KEY")
    assert pickle.loads(pickle.dumps(reference)) == reference
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(Secret(VALUE))
    with pytest.raises(TypeError, match="cannot be pickled"):
        copy.deepcopy(Secret(VALUE))


def test_secrets_compare_by_what_they_refer_to():
    assert Secret.parse("env:A") == Secret.parse("env:A")
    assert Secret.parse("env:A") != Secret.parse("env:B")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret.parse("env:A"), Secret.parse("env:A")}) == 1


def test_a_field_may_name_the_variable_that_is_meant_when_the_key_is_absent():
    assert Settings().api_key == Secret(reference="env:ACME_KEY")
    assert Settings().token is None
