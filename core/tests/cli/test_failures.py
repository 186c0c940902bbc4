"""Errors: one paragraph or one JSON object, and an exit code."""

import json

import pytest

from jackfield import Registry
from jackfield._types import errors
from jackfield._types.capabilities import Capabilities, ParameterRule
from jackfield.cli._failures import describe, exit_code
from jackfield.testing import FakeAnswer

CODES = {
    errors.JackfieldError: 1,
    errors.ConfigurationError: 3,
    errors.MissingCredentialError: 3,
    errors.PluginError: 3,
    errors.UnknownTargetError: 4,
    errors.ModelNotAllowedError: 4,
    errors.UnsupportedError: 4,
    errors.ProviderError: 5,
    errors.AuthenticationError: 5,
    errors.PermissionDeniedError: 5,
    errors.NotFoundError: 5,
    errors.InvalidRequestError: 5,
    errors.ContextLengthExceededError: 5,
    errors.ContentFilteredError: 5,
    errors.QuotaExceededError: 5,
    errors.RateLimitError: 6,
    errors.OverloadedError: 6,
    errors.ServerError: 6,
    errors.TransportError: 6,
    errors.ConnectionFailedError: 6,
    errors.TimeoutError: 6,
    errors.StreamInterruptedError: 6,
    errors.MalformedResponseError: 5,
}


def made(cls):
    return cls("it went wrong", phase="total") if cls is errors.TimeoutError else cls("it went wrong")


def test_every_error_has_its_code():
    public = {getattr(errors, name) for name in errors.__all__}
    assert set(CODES) == public
    assert {cls: exit_code(made(cls)) for cls in CODES} == CODES


@pytest.mark.parametrize("cls", CODES)
def test_every_error_ends_a_command_with_its_code_and_one_paragraph(command, cls):
    command.configure('defaults.retry = { attempts = 1 }\n[connections.a]\nprovider = "fake"')
    command.fake.script(made(cls))
    result = command("chat", "Hi", "-m", "a:echo")
    assert result.exit_code == CODES[cls]
    assert result.stderr.startswith("Error: it went wrong")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr


def test_an_error_says_where_how_often_and_when_to_come_back(command):
    command.configure(
        'defaults.retry = { attempts = 2, max_delay = 0, retry_after_cap = 0 }\n[connections.a]\nprovider = "fake"'
    )
    command.fake.script(FakeAnswer(error=429, retry_after=7), FakeAnswer(error=429, retry_after=7))
    result = command("chat", "Hi", "-m", "a:echo")
    assert result.exit_code == 6
    assert "connection a" in result.stderr
    assert "status 429" in result.stderr
    assert "wait 7 s" in result.stderr


def test_attempts_are_counted():
    from jackfield._types.replies import Attempt

    tries = [Attempt(connection="a", model="m"), Attempt(connection="a", model="m")]
    assert "tried 2 times" in describe(errors.ServerError("broken", attempts=tries))


def test_json_errors_are_one_object_on_stderr(command):
    command.fake.script(FakeAnswer(error=401))
    result = command("chat", "Hi", "--json")
    assert result.exit_code == 5
    assert result.stdout == ""
    error = json.loads(result.stderr)["error"]
    assert set(error) == {"type", "message", "provider", "connection", "model", "status", "retry_after"}
    assert (error["type"], error["status"], error["connection"]) == ("AuthenticationError", 401, "a")


def test_wrong_usage_with_json_is_json_too(command):
    result = command("chat", "--nonsense", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stderr)["error"]["type"] == "NoSuchOption"


def test_an_error_in_the_middle_of_an_answer_keeps_what_had_come(command):
    command.fake.script(FakeAnswer(text="one two three", error=503, after=2))
    result = command("chat", "Hi")
    assert result.exit_code == 6
    assert result.stdout == "one two\n"
    assert "Error" in result.stderr


@pytest.mark.parametrize(
    ("script", "options", "said"),
    [
        (
            FakeAnswer(text="one two", error=errors.StreamInterruptedError("cut"), after=2),
            (),
            "The answer above is not whole. Try again.",
        ),
        (FakeAnswer(text="one two", error=errors.StreamInterruptedError("cut"), after=0), (), "cut"),
        (
            FakeAnswer(text="one two", error=errors.StreamInterruptedError("cut"), after=1),
            ("--no-stream",),
            "Try",
        ),
        (errors.StreamInterruptedError("cut"), (), "Try again."),
    ],
)
def test_an_answer_stands_above_only_where_one_was_written(command, script, options, said):
    command.configure('defaults.retry = { attempts = 1 }\n[connections.a]\nprovider = "fake"')
    command.fake.script(script)
    result = command("chat", "Hi", "-m", "a:echo", *options)
    assert result.exit_code == 6
    assert said in result.stderr
    assert ("above" in result.stderr) == (result.stdout != "")


def test_a_traceback_comes_only_if_asked_for(command, monkeypatch):
    command.fake.script(FakeAnswer(error=401), FakeAnswer(error=401))
    assert "Traceback" in command("chat", "Hi", "--debug").stderr
    monkeypatch.setenv("JACKFIELD_DEBUG", "1")
    assert "Traceback" in command("chat", "Hi").stderr


def test_what_nobody_expected_is_one_paragraph_too(command, monkeypatch):
    from jackfield._mesh import Mesh

    def broken(*arguments, **options):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(Mesh, "stream_chat", broken)
    result = command("chat", "Hi")
    assert result.exit_code == 1
    assert "ZeroDivisionError" in result.stderr
    assert "JACKFIELD_DEBUG" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_unknown_command_is_named_with_the_closest(command):
    result = command("modles")
    assert result.exit_code == 2
    assert "did you mean 'models'" in result.stderr


def test_a_missing_configuration_is_a_configuration_error(command):
    result = command("chat", "Hi", configured=False)
    assert result.exit_code == 3
    assert "jackfield.toml" in result.stderr


def test_a_services_few_words_stand_behind_the_status(command):
    command.configure('defaults.retry = { attempts = 1 }\n[connections.a]\nprovider = "fake"')
    command.fake.script(errors.ServerError("oops", status=500))
    assert command("chat", "Hi", "-m", "a:echo").stderr.startswith(
        "Error: 500 Internal Server Error: oops [connection a"
    )


def test_a_status_without_a_name_stands_alone():
    assert describe(errors.OverloadedError("busy", status=529)).startswith("529: busy [status 529]")


def test_errors_speak_of_options_as_they_are_written_here(command):
    rules = {"top_k": ParameterRule(supported=False)}
    command.fake.capabilities = Capabilities(known=True, parameters=rules)
    said = command("chat", "Hi", "-o", "top_k=3").stderr
    assert "add -o unsupported=drop to have it dropped and reported" in said
    assert 'unsupported="drop"' not in said
    error = errors.UnsupportedError('only without (reasoning="none"), which emulate=False and x="y" forbid')
    assert describe(error) == 'only without (-o reasoning=none), which -o emulate=false and x="y" forbid'
    said = command("chat", "Hi", configured=False).stderr
    assert "name one with --config" in said
    assert "Mesh" not in said


def test_mistakes_are_a_list_in_json(command):
    command.configure('[connections.a]\nprovider = "fake"\ndelya = 1\n[connections.b]\nprovider = "fkae"')
    mistakes = json.loads(command("config", "validate", "--json").stderr)["error"]["mistakes"]
    assert [mistake.split(":")[0] for mistake in mistakes] == ["connections.a.delya", "connections.b"]


def test_validate_refuses_an_address_with_a_user_beside_a_key(command, monkeypatch):
    monkeypatch.setenv("GW_KEY", "sk-gw")
    command.path.write_text(
        '[connections.gw]\nprovider = "openai"\nbase_url = "https://me:it-is@gw.example/v1"\napi_key = "env:GW_KEY"\n'
    )
    result = command("config", "validate", registry=Registry.installed())
    assert result.exit_code == 3
    assert "base_url holds a user or a password" in result.stderr
    assert "it-is" not in result.output
