"""Import a plugin in a fresh process and see what comes along."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import attrs

__all__ = ["SDKS", "Imported", "import_afresh"]

SDKS: Final = (
    "aioboto3", "aiobotocore", "aiohttp", "anthropic", "azure", "boto3", "botocore", "cohere", "databricks", "google",
    "grpc", "httpx", "mistralai", "numpy", "onnx", "onnxruntime", "openai", "optimum", "pandas", "requests",
    "sagemaker", "snowflake", "tokenizers", "torch", "transformers", "urllib3", "vertexai",
)  # fmt: skip
"""Modules that take long, or open things, and are needed when a connection opens at the earliest."""

_PATIENCE: Final = 60
_CHILD: Final = """
import io, json, os, socket, sys, threading, time
from jackfield import *
import jackfield._plugins.provider
before = dict(os.environ)
threads = threading.active_count()
sockets = []
init = socket.socket.__init__
def counted(self, *a, **k):
    sockets.append(1)
    return init(self, *a, **k)
socket.socket.__init__ = counted
lookup = socket.getaddrinfo
def looked_up(*a, **k):
    sockets.append(1)
    return lookup(*a, **k)
socket.getaddrinfo = looked_up
sleeps = []
sleep = time.sleep
def slept(seconds):
    if threading.current_thread() is threading.main_thread():
        sleeps.append(seconds)
    else:
        sleep(seconds)
time.sleep = slept
out, sys.stdout = sys.stdout, io.StringIO()
known = set(sys.modules)
began = time.process_time()
try:
    __import__(sys.argv[1])
    error = None
except BaseException as e:
    error = f"{type(e).__name__}: {e}"
spent = time.process_time() - began
tops = {name.partition(".")[0] for name in set(sys.modules) - known}
printed = sys.stdout.getvalue() if isinstance(sys.stdout, io.StringIO) else ""
out.write("\\n" + json.dumps({
    "modules": sorted(tops), "seconds": spent, "threads": threading.active_count() - threads,
    "sockets": len(sockets), "error": error, "slept": sum(sleeps), "printed": printed[:80],
    "environment": sorted(k for k in {**before, **os.environ} if before.get(k) != os.environ.get(k)),
}) + "\\n")
out.flush()
os._exit(0)  # a thread that is not a daemon would keep the process
"""


@attrs.frozen(kw_only=True)
class Imported:
    """What importing a module did.

    Attributes:
        modules: Top modules that it loaded, besides those of the core.
        seconds: CPU time.
        threads: How many threads it started.
        sockets: How many sockets it made and names it looked up.
        environment: Variables that it changed.
        error: Why it failed.
        slept: Seconds that it wanted to sleep.
        printed: The beginning of what it printed.
    """

    modules: Sequence[str]
    seconds: float
    threads: int
    sockets: int
    environment: Sequence[str]
    error: str | None
    slept: float
    printed: str


def import_afresh(module: str, *, environment: Mapping[str, str] | None = None) -> Imported:
    """Import a module in a new process, with this one's search path.

    Raises:
        RuntimeError: The process ended, or did not end, before it could tell.
    """
    path = os.pathsep.join(entry for entry in sys.path if entry)
    try:
        done = subprocess.run(  # noqa: S603 -- our own text, in our own interpreter
            [sys.executable, "-c", _CHILD, module],
            env={**os.environ, **(environment or {}), "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"importing {module} takes more than {_PATIENCE} seconds") from None
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        said = done.stderr.strip()[-500:] or f"it ends the process, with exit code {done.returncode}"
        raise RuntimeError(f"importing {module} in a fresh process failed: {said}")
    return Imported(**json.loads(lines[-1]))
