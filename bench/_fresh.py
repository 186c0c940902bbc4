"""What only fresh processes and fresh folders can tell: imports, the first answer, memory, installed size."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from _ours import NOTHING_CONFIGURED
from _rounds import HERE, Worker, visible_plugins

# The same single call, by hand and through us. A new process each time, from the interpreter's start to its end.
FIRST_FLOOR = """
import asyncio, sys
from _floor import Floor
async def main():
    floor = Floor(sys.argv[1])
    try:
        print((await floor.chat("/whole", [{"role": "user", "content": "Why is the sky blue?"}], 300)).text)
    finally:
        await floor.close()
asyncio.run(main())
"""
FIRST_JACKFIELD = """
import asyncio, sys
from jackfield import Mesh
async def main():
    config = {"connections": {"openai": {
        "provider": "openai", "api_key": "env:BENCH_KEY", "base_url": sys.argv[1] + "/whole/v1",
    }}}
    async with Mesh.from_config(config) as mesh:
        print((await mesh.chat("openai:gpt-5-mini", "Why is the sky blue?", max_tokens=300)).text)
asyncio.run(main())
"""
FIRST_OPENAI = """
import asyncio, sys
import openai
async def main():
    async with openai.AsyncOpenAI(api_key="sk-none", base_url=sys.argv[1] + "/whole/v1") as client:
        answer = await client.chat.completions.create(
            model="gpt-5-mini", max_completion_tokens=300,
            messages=[{"role": "user", "content": "Why is the sky blue?"}],
        )
        print(answer.choices[0].message.content)
asyncio.run(main())
"""
FIRST_LITELLM = """
import asyncio, os, sys
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm
async def main():
    answer = await litellm.acompletion(
        model="openai/gpt-5-mini", max_tokens=300, api_key="sk-none", api_base=sys.argv[1] + "/whole/v1",
        messages=[{"role": "user", "content": "Why is the sky blue?"}],
    )
    print(answer.choices[0].message.content)
asyncio.run(main())
"""
FIRST_AIMUX = """
import sys
import aimux
model = aimux.openai("sk-none", "gpt-5-mini", sys.argv[1] + "/whole/v1")
print(aimux.generate_text(model, "Why is the sky blue?", {"max_output_tokens": 300})["text"])
"""
Process = tuple[str, str]  # interpreter, code


@functools.cache
def _byte_code() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="bench-")


def environment() -> dict[str, str]:
    """Return the environment of fresh processes: byte code is kept, for all alike, and outside the checkout."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": _byte_code().name}


def cpu(python: str, code: str, *arguments: str) -> float:
    """CPU seconds of a whole process, children included."""
    with subprocess.Popen(
        [python, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**environment(), "PYTHONPATH": str(HERE), "PYTHONHASHSEED": "0", "BENCH_KEY": "sk-none"},
    ) as process:
        assert process.stdout is not None
        process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(code.strip().splitlines()[-1])
    return used.ru_utime + used.ru_stime


def interleaved(processes: dict[str, Process], rounds: int, *arguments: str) -> dict[str, list[float]]:
    """Run processes in turn; CPU seconds of each, one number a round. What fails is left out."""
    seen: dict[str, list[float]] = {}
    for name, (python, code) in processes.items():
        try:
            cpu(python, code, *arguments)  # writes the byte code that the others shall find
            seen[name] = []
        except RuntimeError:
            print(f"  {name} fails in a fresh process", file=sys.stderr)
    for _ in range(rounds):
        for name, values in seen.items():
            values.append(cpu(*processes[name], *arguments))
    return seen


def imports(peers: str | None, rounds: int) -> dict[str, list[float]]:
    """CPU of imports, the interpreter's own start taken off."""
    processes = {
        "bare": (sys.executable, "pass"),
        "floor": (sys.executable, "import aiohttp, orjson"),
        "jackfield": (sys.executable, "import jackfield"),
        "from jackfield import Mesh": (sys.executable, "from jackfield import Mesh"),
    }
    if peers is not None:
        processes |= {
            "openai": (peers, "import openai"),
            "litellm": (peers, "import litellm"),
            "pydantic-ai": (peers, "import pydantic_ai"),
            "aimux": (peers, "import aimux"),
        }
    seen = interleaved(processes, rounds)
    bare = min(seen.pop("bare"))
    return {name: [value - bare for value in values] for name, values in seen.items()}


def first_answers(address: str, everything: str, peers: str | None, rounds: int) -> dict[str, list[float]]:
    """CPU of a process that asks one question.

    Args:
        address: The service's.
        everything: An interpreter that has all our packages.
        peers: An interpreter that has the other libraries.
        rounds: How often.
    """
    processes = {
        "floor": (sys.executable, FIRST_FLOOR),
        "jackfield": (sys.executable, FIRST_JACKFIELD),
        NOTHING_CONFIGURED: (everything, FIRST_JACKFIELD),
    }
    if peers is not None:
        processes |= {
            "openai": (peers, FIRST_OPENAI),
            "litellm": (peers, FIRST_LITELLM),
            "aimux": (peers, FIRST_AIMUX),
        }
    return interleaved(processes, rounds, address)


def memory(address: str, calls: int) -> dict[str, tuple[int, int]]:
    """Resident bytes after a tenth of the calls, and after all of them."""
    found = {}
    for name in ("floor", "jackfield"):
        worker = Worker(name, sys.executable, address, visible_plugins())
        worker.ready()
        early = worker.work("chat64", calls // 10)["memory"]
        found[name] = early, worker.work("chat64", calls - calls // 10)["memory"]
        worker.stop()
    return found


def installed(root: Path) -> dict[str, float] | str:
    """Install core into an empty folder and count distributions and megabytes; say why if that fails."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile",
            "--constraint", str(root / "constraints.txt"), "--target", folder, str(root / "core"),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        files = [path for path in Path(folder).rglob("*") if path.is_file()]
        return {
            "distributions": len(list(Path(folder).glob("*.dist-info"))),
            "megabytes": sum(path.stat().st_size for path in files) / 1e6,
        }
