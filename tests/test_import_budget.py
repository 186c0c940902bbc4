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
