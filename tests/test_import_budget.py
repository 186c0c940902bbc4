"""What `import jackfield` costs and does: little, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from cpu_time import costs_at_most

FORBIDDEN = {
    "aiohttp", "yarl", "multidict", "click", "rich", "numpy", "pytest", "hypothesis", "keyring",
    "openai", "anthropic", "boto3", "botocore", "google.auth", "snowflake", "onnx", "onnxruntime", "tokenizers",
    "jinja2", "transformers", "torch", "pydantic", "httpx", "requests",
}  # fmt: skip


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def loaded():
    """Top-level names and modules that a bare import of the package loads."""
    code = "import sys; before = set(sys.modules); import jackfield, json; print(json.dumps(list(set(sys.modules) - before)))"
    return set(json.loads(run(code)))


def test_importing_loads_no_transport_and_no_sdk(loaded):
    assert not loaded & FORBIDDEN


def test_importing_loads_no_plugin(loaded):
    assert not {name for name in loaded if name.startswith("jackfield_")}


def test_importing_leaves_testing_and_command_line_alone(loaded):
    assert not {
        name for name in loaded if name.startswith(("jackfield.testing", "jackfield.cli", "jackfield.http"))
    }


def test_importing_starts_no_thread():
    assert run("import threading, jackfield; print(threading.active_count())").strip() == "1"


def test_importing_opens_no_socket_and_reads_no_entry_point():
    """An audit hook hears every socket and every folder that is listed for metadata."""
    code = """
import sys
heard = []
def hear(event, args):
    if event.startswith("socket.") or event == "subprocess.Popen":
        heard.append(event)
    if event == "open" and str(args[0]).endswith("entry_points.txt"):
        heard.append(args[0])
sys.addaudithook(hear)
import jackfield
print(heard)
"""
    assert run(code).strip() == "[]"


def test_importing_costs_a_third_of_importing_the_transport():
    assert costs_at_most(0.35, "import jackfield", "import aiohttp, orjson")


FIRST_ANSWER = """
import asyncio, json, os, re, sys
os.environ |= {"KEY": "a-secret-of-no-one", "JACKFIELD_PLUGINS_ALLOW": "openai"}
patterns, compile_pattern = [], re.compile
def note(pattern, flags=0):
    patterns.append(sys._getframe(1).f_globals["__name__"])
    return compile_pattern(pattern, flags)
re.compile = note
from jackfield import Mesh
ANSWER = json.dumps({
    "id": "1", "object": "chat.completion", "model": "gpt-5-mini",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}).encode()
async def answer(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    head = b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(ANSWER)
    writer.write(head + ANSWER)
    await writer.drain()
    await reader.read()
    writer.close()
async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    address = "http://127.0.0.1:%d/v1" % server.sockets[0].getsockname()[1]
    connection = {"provider": "openai", "api_key": "env:KEY", "base_url": address}
    async with Mesh.from_config({"connections": {"c": connection}}) as mesh:
        assert (await mesh.chat("c:gpt-5-mini", "Hi", max_tokens=9)).text == "Hello"
    server.close()
asyncio.run(main())
print(json.dumps([sorted(sys.modules), [name for name in patterns if name.startswith("jackfield")]]))
"""


@pytest.fixture(scope="module")
def first_answer():
    """The modules that a process has loaded when it has its first answer, and the modules of ours that compiled patterns."""
    pytest.importorskip("jackfield_openai")
    modules, patterns = json.loads(run(FIRST_ANSWER))
    return set(modules), patterns


def test_the_first_answer_loads_nothing_that_only_failures_and_other_calls_need(first_answer):
    modules, _ = first_answer
    late = {
        "_calls.observers", "_calls.redaction", "_calls.relay", "_calls.replay", "_calls.retry", "_calls.splitting",
        "_contract.turns", "_pricing.price_file", "_types.error_bodies", "_types.waits", "cli", "testing", "http",
    }  # fmt: skip
    assert not modules & {f"jackfield.{name}" for name in late}
    assert not {name for name in modules if name.split(".")[0] in ("tenacity", "rich", "click", "pydantic")}


def test_the_first_answer_loads_few_modules_of_the_core(first_answer):
    modules, _ = first_answer
    assert len({name for name in modules if name.startswith("jackfield.")}) <= 96


def test_the_first_answer_compiles_few_patterns(first_answer):
    """Each takes about as long as five calls; what only failures and odd texts need is compiled then."""
    _, patterns = first_answer
    assert len(patterns) <= 3, patterns
