"""Clients that take long to install or to run: Codex of npm, opencode, Qwen Code, Cline, aider."""

import json

import pytest
from coding_model import DONE
from running_clients import MODELS, check, programs
from test_command_lines import check_codex, run_codex

APIS = list(MODELS)
OPENCODE = {
    "chat": "@ai-sdk/openai-compatible",
    "responses": "@ai-sdk/openai",
    "messages": "@ai-sdk/anthropic",
}


@pytest.mark.parametrize(("model", "api"), [*((MODELS[api], api) for api in APIS), ("gpt-6-sol", "messages")])
def test_codex_of_npm(model, api, workplace, gateway, service):
    program = (
        programs.modules(slow=True) / "@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex"
    )
    run = run_codex(workplace, gateway, model, program=str(program))
    check(f"Codex of npm, {model}", run, workplace, gateway, service, dialect="responses", apis=[api])
    check_codex(run)


@pytest.mark.parametrize("dialect", APIS)
@pytest.mark.parametrize("api", APIS)
def test_opencode(dialect, api, workplace, gateway, service):
    config = json.loads(gateway.setup("opencode", "--model", MODELS[api]))
    config["provider"]["jackfield"]["npm"] = OPENCODE[dialect]
    config["small_model"] = config["model"]
    file = workplace.write("opencode.json", json.dumps({**config, "autoupdate": False, "share": "disabled"}))
    program = programs.modules(slow=True) / "opencode-linux-x64/bin/opencode"
    switches = ("AUTOUPDATE", "MODELS_FETCH", "LSP_DOWNLOAD", "DEFAULT_PLUGINS")
    run = workplace.run(
        str(program), "run", "--format", "json", "--title", "greet", workplace.task, seconds=180,
        OPENCODE_CONFIG=str(file), JACKFIELD_KEY=gateway.key, **{f"OPENCODE_DISABLE_{name}": "1" for name in switches},
    )  # fmt: skip
    check("opencode", run, workplace, gateway, service, dialect=dialect, apis=[api])
    assert DONE in run.out


@pytest.mark.parametrize("api", APIS)
def test_qwen_code(api, workplace, gateway, service):
    script = programs.modules(slow=True) / ".bin/qwen"
    run = workplace.run(
        str(script), "--yolo", "--auth-type", "openai", "-o", "json", "-p", workplace.task, seconds=180,
        OPENAI_API_KEY=gateway.key, OPENAI_BASE_URL=f"{gateway.url}/v1", OPENAI_MODEL=MODELS[api],
    )  # fmt: skip
    check("Qwen Code", run, workplace, gateway, service, dialect="chat", apis=[api])
    assert DONE in run.out


@pytest.mark.parametrize("api", APIS)
def test_cline(api, workplace, gateway, service):
    program = str(programs.modules(slow=True) / "@cline/cli-linux-x64/bin/cline")
    account = ("-k", gateway.key, "-m", MODELS[api])
    workplace.run(
        program,
        "auth",
        "-p",
        "openai",
        *account,
        "-b",
        f"{gateway.url}/v1",
        seconds=120,
        leaves_processes=True,
    )
    run = workplace.run(
        program, "--json", "-P", "openai", *account, workplace.task, seconds=180, leaves_processes=True
    )
    check("Cline", run, workplace, gateway, service, dialect="chat", apis=[api])


@pytest.mark.parametrize("api", APIS)
def test_aider(api, workplace, gateway, service):
    """It offers no tools: what it changes is in the text of one answer."""
    run = workplace.run(
        programs.python(slow=True), "-m", "aider", "--model", f"openai/{MODELS[api]}", "--no-check-update", "--no-auto-commits",
        "--no-show-model-warnings", "--analytics-disable", "--yes-always", "--map-tokens", "0", "--edit-format", "diff",
        "--no-gitignore", "--message", workplace.task, "greet.py", seconds=180,
        OPENAI_API_BASE=f"{gateway.url}/v1", OPENAI_API_KEY=gateway.key, LITELLM_LOCAL_MODEL_COST_MAP="True",
    )  # fmt: skip
    run.require_success()
    assert workplace.edited, f"{run.out[-3000:]}\n{run.err[-3000:]}"
    assert service.refused == []
    assert {seen.api for seen in service.requests} == {api}
