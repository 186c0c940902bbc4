"""The first call on an entered mesh waits for no import of a plugin's own code."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

AWS = {"kind": "aws", "access_key_id": "env:KEY", "secret_access_key": "env:KEY"}
DEPLOYMENT = {"id": "m", "underlying": "gpt-4o", "kind": "chat"}
# A connection of each provider that calls a service, and a model of it.
CONNECTIONS = {
    "anthropic": ({"api_key": "env:KEY"}, "claude-sonnet-4-6"),
    "azure-llm": (
        {"models": [{"id": "m", "target_uri": "https://m.example.invalid", "api_key": "env:KEY", "underlying": "mistral:mistral-large-latest"}]},
        "m",
    ),
    "azure-openai": ({"endpoint": "https://a.example.invalid", "api_key": "env:KEY", "models": [DEPLOYMENT]}, "m"),
    "bedrock": ({"credentials": "aws", "region": "eu-central-1"}, "amazon.nova-lite-v1:0"),
    "cohere": ({"api_key": "env:KEY"}, "command-r-08-2024"),
    "databricks": ({"host": "https://d.example.invalid", "token": "env:KEY"}, "databricks-meta-llama-3-3-70b-instruct"),
    "mistral": ({"api_key": "env:KEY"}, "mistral-small-latest"),
    "openai": ({"api_key": "env:KEY"}, "gpt-5-mini"),
    "sagemaker": (
        {"credentials": "aws", "region": "eu-central-1", "models": [{"id": "m", "mode": "tgi", "prompt": "llama-3", "kind": "chat", "rate": {"hour": "1"}}]},
        "m",
    ),
    "snowflake": ({"account": "org-name", "token": "env:KEY"}, "mistral-large2"),
    "vertex": ({"project": "p-123456", "location": "europe-west1"}, "gemini-2.5-flash"),
}  # fmt: skip
CODE = """
import asyncio, json, os, sys
provider, connection, model = json.loads(sys.argv[1])
os.environ["KEY"] = "a-secret-of-no-one"
from jackfield import Mesh, Message
from jackfield.plugin import ChatRequest, Head, Options
async def main():
    config = {"credentials": %r, "connections": {"c": {"provider": provider, **connection}}}
    config["credentials"] = {"aws": config["credentials"]} if "credentials" in connection else {}
    async with Mesh.from_config(config) as mesh:
        before = set(sys.modules)
        there = mesh._open["c"]
        target = there.find_target(model, "chat")
        request = ChatRequest((Message("user", "Why?"),), Options(max_tokens=10), False)
        wire = there.provider.translate(target.model, request, target.capabilities).wire
        there.provider.decoder(target.model, wire).start(Head(200, {}))
        new = sorted(name for name in set(sys.modules) - before if name.startswith("jackfield_"))
        print(json.dumps(new))
asyncio.run(main())
"""


@pytest.mark.parametrize("provider", CONNECTIONS)
def test_an_entered_mesh_has_the_code_of_its_providers(provider):
    pytest.importorskip(f"jackfield_{provider.replace('-', '_')}")
    connection, model = CONNECTIONS[provider]
    argument = json.dumps([provider, connection, model])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CODE % AWS, argument],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    late = json.loads(done.stdout)
    assert not late, f"name in ProviderInfo.preload what brings these: {chr(10).join(late)}"
