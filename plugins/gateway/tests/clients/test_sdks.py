"""SDKs and frameworks of Python and JavaScript do the same task: each by all models, over its own API."""

import json
import shutil
from pathlib import Path

import pytest
from coding_model import AFTER, DONE
from running_clients import MODELS, check, programs

FOLDER = Path(__file__).parent / "programs"
PYTHON = (
    "openai.chat", "openai.responses", "anthropic.messages", "agents.chat", "agents.responses", "langchain.chat",
    "langchain.responses", "langchain.messages",
)  # fmt: skip
JAVASCRIPT = (
    "openai-js.chat", "openai-js.responses", "anthropic-js.messages", "ai.openai.chat", "ai.openai.responses",
    "ai.openai-compatible.chat", "ai.open-responses.responses", "ai.anthropic.messages",
)  # fmt: skip
# They ask for the API's version 2026-10-21: only a connection of that version takes their bytes as they are.
NEWER = ("anthropic.messages", "langchain.messages", "anthropic-js.messages")


def models_for(client):
    newer = {"messages": "team-newer"} if client in NEWER else {}
    return list({**MODELS, **newer}.values())


def check_lines(client, run, workplace, gateway, service):
    dialect = client.rpartition(".")[2]
    check(client, run, workplace, gateway, service, dialect=dialect, apis=list(MODELS))
    told = [json.loads(line) for line in run.out.splitlines()]
    assert [(line["model"], line["text"], line["file"]) for line in told] == [
        (model, DONE, AFTER) for model in models_for(client)
    ]
    assert all(line["usage"] in (20, 120, 360) for line in told)


@pytest.mark.parametrize("client", PYTHON)
def test_python(client, workplace, gateway, service):
    service.reads = 2
    command = [programs.python(), str(FOLDER / "python_clients.py"), client, gateway.url, gateway.key]
    run = workplace.run(*command, str(workplace.file), *models_for(client))
    check_lines(client, run, workplace, gateway, service)


@pytest.mark.parametrize("client", JAVASCRIPT)
def test_javascript(client, workplace, gateway, service):
    service.reads = 2
    (workplace.home / "node_modules").symlink_to(programs.modules())
    program = shutil.copy(FOLDER / "node_clients.mjs", workplace.home)
    command = [programs.node(), str(program), client, gateway.url, gateway.key]
    run = workplace.run(*command, str(workplace.file), *models_for(client))
    check_lines(client, run, workplace, gateway, service)
