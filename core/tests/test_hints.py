"""An unknown name is answered by the one that was meant, or by those that exist."""

import pytest

from jackfield._hints import _is_from_index
from jackfield.http import framer_for
from jackfield.plugin import hint, install_command, suggestion

KNOWN = ("openai", "azure-openai", "anthropic", "onnx")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("opnai", "openai"),
        ("OpenAI", "openai"),
        ("open", "openai"),
        ("azure", "azure-openai"),
        ("antropic", "anthropic"),
        ("a", None),
        ("", None),
        ("house", None),
    ],
)
def test_what_was_meant(name, meant):
    assert suggestion(name, KNOWN) == meant


def test_of_several_that_a_name_begins_the_shortest_is_meant():
    assert suggestion("gpt-4", ("gpt-4o-mini", "gpt-4o", "gpt-4.1")) == "gpt-4o"


def test_how_much_alike_names_must_be_can_be_said():
    assert suggestion("opnai", KNOWN, cutoff=0.95) is None


def test_a_message_ends_with_what_was_meant_or_with_what_there_is():
    assert hint("opnai", KNOWN) == "; did you mean 'openai'?"
    assert hint("house", KNOWN) == "; known: anthropic, azure-openai, onnx, openai"
    assert hint("house", ()) == ""


@pytest.mark.parametrize(
    ("framing", "ending"),
    [("xyz", "'xyz'; known: aws_eventstream, "), ("jsonline", "'jsonline'; did you mean 'jsonlines'?")],
)
def test_an_unknown_framing_is_answered_in_the_same_words(framing, ending):
    with pytest.raises(ValueError, match="^unknown framing ") as caught:
        framer_for(None, framing)
    assert ending in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("jackfield", "cli"), 'pip install "./core[cli]" (in a checkout of Jackfield)'),
        (("jackfield-cohere",), "pip install ./plugins/cohere (in a checkout of Jackfield)"),
        (
            ("jackfield-azure-openai", "identity"),
            'pip install ./plugins/openai "./plugins/azure-openai[identity]" (in a checkout of Jackfield)',
        ),
    ],
)
def test_what_is_on_no_index_is_installed_from_a_checkout(monkeypatch, arguments, wanted):
    monkeypatch.setattr("jackfield._hints._is_from_index", lambda: False)
    assert install_command(*arguments) == wanted


def test_with_a_core_from_an_index_its_packages_are_there_too(monkeypatch):
    monkeypatch.setattr("jackfield._hints._is_from_index", lambda: True)
    command = install_command("jackfield-onnx", "gpu", options="--force-reinstall")
    assert command == 'pip install --force-reinstall "jackfield-onnx[gpu]"'
    assert install_command("jackfield-bedrock") == "pip install jackfield-bedrock"


def test_the_core_of_a_checkout_is_not_from_an_index():
    assert not _is_from_index()
