"""What Claude Code and Codex do when something goes wrong: they say what it was, and ask no more often than makes sense."""

import json

import pytest
from coding_model import BEFORE
from running_clients import MODELS, programs
from test_command_lines import QUIET, run_codex, variables

QUOTA = (
    429,
    "insufficient_quota",
    "You exceeded your current quota, please check your plan and billing details.",
)
TOO_LONG = (
    400,
    "context_length_exceeded",
    "This model's maximum context length is 400000 tokens. However, your messages resulted in 512000 tokens.",
)
WRONG_KEY = (401, "invalid_api_key", "Incorrect API key provided: sk-of-the-service")


def ask_claude(workplace, gateway, model, *, key=None):
    told = variables(gateway.setup("claude").replace("$JACKFIELD_KEY", key or gateway.key))
    run = workplace.run(
        programs.claude(), "-p", workplace.task, "--model", model, "--output-format", "json", "--bare",
        **told, **QUIET, ANTHROPIC_API_KEY=told["ANTHROPIC_AUTH_TOKEN"], CLAUDE_CODE_MAX_RETRIES="1",
    )  # fmt: skip
    result = json.loads(run.out.splitlines()[-1])
    assert result["is_error"] is True
    assert workplace.file.read_text() == BEFORE
    assert "sk-of-the-service" not in run.out + run.err
    return result


def test_claude_code_is_told_that_its_key_is_wrong(workplace, gateway, service):
    assert ask_claude(workplace, gateway, MODELS["chat"], key="jf-wrong")["api_error_status"] == 401
    assert service.requests == []


def test_claude_code_is_told_that_there_is_no_such_model(workplace, gateway, service):
    result = ask_claude(workplace, gateway, "nothing")
    assert result["api_error_status"] == 404
    assert service.requests == []


def test_claude_code_is_told_that_the_prompt_is_too_long(workplace, gateway, service):
    service.failure = TOO_LONG
    result = ask_claude(workplace, gateway, MODELS["chat"])
    assert "prompt is too long" in result["result"].lower()


def test_claude_code_does_not_take_the_gateways_key_for_its_own(workplace, gateway, service):
    service.failure = WRONG_KEY
    result = ask_claude(workplace, gateway, MODELS["chat"])
    assert result["api_error_status"] == 502
    assert "invalid api key" not in result["result"].lower()


def ask_codex(workplace, gateway, model, *, asked=None):
    run = run_codex(workplace, gateway, model, asked=asked)
    events = [json.loads(line) for line in run.out.splitlines()]
    assert run.code != 0
    assert workplace.file.read_text() == BEFORE
    return events[-1]["error"]["message"], run


def test_codex_is_told_that_there_is_no_such_model(workplace, gateway, service):
    message, run = ask_codex(workplace, gateway, MODELS["chat"], asked="nothing")
    assert "nothing" in message
    assert len(gateway.rows(0, since=workplace.began)) == 0
    assert run.seconds < 20


@pytest.mark.parametrize("api", ["chat", "messages"])
def test_codex_is_told_that_the_quota_is_used_up(api, workplace, gateway, service):
    service.failure = (
        QUOTA
        if api == "chat"
        else (400, "invalid_request_error", "Your credit balance is too low to access the API.")
    )
    message, run = ask_codex(workplace, gateway, MODELS[api])
    assert "quota" in message.lower()
    assert len(service.requests) == 1
    assert run.seconds < 20


@pytest.mark.parametrize("api", ["chat", "responses", "messages"])
def test_codex_is_told_that_the_prompt_is_too_long(api, workplace, gateway, service):
    service.failure = (
        TOO_LONG
        if api != "messages"
        else (400, "invalid_request_error", "prompt is too long: 213462 tokens > 200000 maximum")
    )
    message, _ = ask_codex(workplace, gateway, MODELS[api])
    assert "context_length_exceeded" in message
    assert len(service.requests) == 1
