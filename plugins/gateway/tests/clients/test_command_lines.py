"""Claude Code, Codex and pi do a task of two steps through the gateway: they read a file by a tool and change it by another."""

import json
import shlex

import pytest
from coding_model import DONE
from running_clients import MODELS, check, programs, times

APIS = list(MODELS)


def variables(text):
    """Return the environment variables that lines of shell set."""
    words = [shlex.split(line)[1] for line in text.splitlines() if line.startswith("export ")]
    return dict(word.split("=", 1) for word in words)


QUIET = {"DISABLE_TELEMETRY": "1", "DISABLE_ERROR_REPORTING": "1", "DISABLE_AUTOUPDATER": "1"}


def run_claude(workplace, gateway, model, *words):
    told = variables(gateway.setup("claude", "--model", model).replace("$JACKFIELD_KEY", gateway.key))
    return workplace.run(
        programs.claude(), "-p", workplace.task, "--model", model, "--output-format", "json",
        "--permission-mode", "acceptEdits", "--allowedTools", "Read,Edit", *words, **told, **QUIET,
    )  # fmt: skip


def check_claude(run):
    told = json.loads(run.out.splitlines()[-1])
    assert (told["is_error"], told["terminal_reason"], told["result"]) == (False, "completed", DONE)
    assert told["num_turns"] == 3
    assert (told["usage"]["input_tokens"], told["usage"]["cache_read_input_tokens"]) == (180, 120)
    assert told["usage"]["output_tokens"] == 60


@pytest.mark.parametrize("api", APIS)
def test_claude_code(api, workplace, gateway, service):
    run = run_claude(workplace, gateway, MODELS[api])
    check("Claude Code", run, workplace, gateway, service, dialect="messages", apis=[api])
    check_claude(run)


def test_claude_code_with_few_tools(workplace, gateway, service):
    run = run_claude(workplace, gateway, MODELS["chat"], "--bare")
    check("Claude Code --bare", run, workplace, gateway, service, dialect="messages", apis=["chat"])
    check_claude(run)


def test_claude_code_counts_tokens_and_lists_models(workplace, gateway, service):
    told = variables(gateway.setup("claude").replace("$JACKFIELD_KEY", gateway.key))
    run = workplace.run(
        programs.claude(), "-p", "/context", "--model", "team-messages", "--output-format", "json", **told, **QUIET,
        CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY="1",
    )  # fmt: skip
    assert json.loads(run.require_success().out.splitlines()[-1])["is_error"] is False
    rows = gateway.rows(1, since=workplace.began)
    assert {(row["surface"], row["status"]) for row in rows} == {("anthropic.count_tokens", "ok")}


@pytest.mark.parametrize("api", APIS)
def test_claude_code_reads_twice_at_once(api, workplace, gateway, service):
    service.reads = 2
    run = run_claude(workplace, gateway, MODELS[api])
    check("Claude Code, two calls", run, workplace, gateway, service, dialect="messages", apis=[api])


def run_codex(workplace, gateway, model, *, catalog=False, more="", program=None, asked=None):
    words = ["--catalog", str(workplace.home / "models.json")] if catalog else []
    config = gateway.setup("codex", "--model", model, *words)
    if catalog:
        config = f'model_catalog_json = "{workplace.home / "models.json"}"\n{config}'
    config = f"check_for_update_on_startup = false\n{config}{more}\n[analytics]\nenabled = false\n"
    workplace.write(".codex/config.toml", config.replace(f'model = "{model}"', f'model = "{asked or model}"'))
    return workplace.run(
        program or programs.codex(), "exec", "--json", "--skip-git-repo-check", "-s", "danger-full-access", workplace.task,
        JACKFIELD_KEY=gateway.key, CODEX_HOME=str(workplace.home / ".codex"),
    )  # fmt: skip


def check_codex(run):
    events = [json.loads(line) for line in run.out.splitlines()]
    items = [event["item"] for event in events if event["type"] == "item.completed"]
    assert items[-1]["text"] == DONE
    usage = events[-1]["usage"]
    assert (usage["input_tokens"], usage["cached_input_tokens"], usage["output_tokens"]) == (300, 120, 60)
    return items


@pytest.mark.parametrize("api", APIS)
def test_codex(api, workplace, gateway, service):
    run = run_codex(workplace, gateway, MODELS[api])
    check("Codex", run, workplace, gateway, service, dialect="responses", apis=[api])
    check_codex(run)


@pytest.mark.parametrize("api", APIS)
def test_codex_reads_twice_at_once(api, workplace, gateway, service):
    service.reads = 2
    run = run_codex(workplace, gateway, MODELS[api])
    check("Codex, two calls", run, workplace, gateway, service, dialect="responses", apis=[api])


def test_codex_with_a_catalog_of_the_mesh(workplace, gateway, service):
    run = run_codex(workplace, gateway, MODELS["messages"], catalog=True)
    check("Codex, with our catalog", run, workplace, gateway, service, dialect="responses", apis=["messages"])
    assert "error" not in {
        item["type"] for item in check_codex(run)
    }  # it warns of a model that it does not know


def test_codex_patches_by_a_tool_whose_input_is_a_text(workplace, gateway, service):
    """An alias that Codex takes for a model of its own: the tool `apply_patch` has a grammar, and no schema."""
    run = run_codex(workplace, gateway, "gpt-5.5")
    check("Codex, apply_patch", run, workplace, gateway, service, dialect="responses", apis=["messages"])
    assert "file_change" in {item["type"] for item in check_codex(run)}


@pytest.mark.parametrize(("model", "api"), [("gpt-6-sol", "messages"), ("gpt-6-luna", "responses")])
def test_codex_runs_programs(model, api, workplace, gateway, service):
    """An alias that Codex takes for one of its newest models: tools are in the input, and calls are JavaScript."""
    run = run_codex(workplace, gateway, model)
    check("Codex, programs", run, workplace, gateway, service, dialect="responses", apis=[api])
    assert "file_change" in {item["type"] for item in check_codex(run)}


@pytest.mark.parametrize("model", ["team-chat", "team-responses", "gpt-6-sol"])
def test_codex_over_a_websocket(model, workplace, gateway, service):
    """Frames hold what is new alone: the gateway keeps the conversation as long as the connection lives."""
    service.reads = 2
    run = run_codex(workplace, gateway, model, more="supports_websockets = true\n").require_success()
    check_codex(run)
    assert service.refused == []
    assert workplace.edited
    assert [len(seen.results) for seen in service.requests] == [0, 2, 3]
    rows = gateway.rows(3, since=workplace.began)
    assert [row["status"] for row in rows] == ["ok"] * 3
    # It has not gone on by HTTP: there the id of a request is the client's own.
    assert {row["id"][:4] for row in rows} == {"req_"}
    assert "Reconnecting" not in run.out
    times.append((f"Codex, WebSocket, {model}", f"responses to {service.requests[0].api}", run.seconds))


PI = {"chat": "openai-completions", "responses": "openai-responses", "messages": "anthropic-messages"}


@pytest.mark.parametrize("dialect", APIS)
def test_pi(dialect, workplace, gateway, service):
    address = gateway.url if dialect == "messages" else f"{gateway.url}/v1"
    models = [{"id": model, "reasoning": True} for model in MODELS.values()]
    provider = {"baseUrl": address, "api": PI[dialect], "apiKey": gateway.key, "models": models}
    workplace.write(".pi/agent/models.json", json.dumps({"providers": {"gw": provider}}))
    script = programs.modules() / "@mariozechner/pi-coding-agent/dist/cli.js"
    runs = []
    for model in MODELS.values():
        workplace.reset()
        command = [programs.node(), str(script), "--provider", "gw", "--model", model, "--no-session", "-p"]
        run = workplace.run(*command, workplace.task, PI_OFFLINE="1").require_success()
        assert run.out.strip() == DONE
        assert workplace.edited
        runs.append(run)
    total = runs[-1].lasting(sum(run.seconds for run in runs))
    check("pi", total, workplace, gateway, service, dialect=dialect, apis=APIS)
