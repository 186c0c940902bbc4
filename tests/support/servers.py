"""Real servers for tests: Redis and PostgreSQL, started on loopback in a folder of their own, stopped with the session.

They are the programs that a distribution installs; the services that it may run for the whole machine are not touched. Where
a program is not installed, the tests that need it skip with the reason, but they fail where the environment variable CI is
set: there, a skip would hide that nothing was tested.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
from waiting import wait_until

__all__ = ["PostgresServer", "RedisServer", "missing", "postgres_server", "redis_server"]

# Below the ports that Linux gives to clients: after a restart the port is still free.
_PORTS = range(20_000, 32_000)

# Ends a server when the test process is gone, whatever ended that: then nobody holds the guard's input open.
_GUARD = 'read _; kill -"$1" "$2" 2>&-'


def missing(program: str, package: str):
    """Skip a test whose server is not installed; fail where all tests must run."""
    reason = f"{program} is not installed here (Debian: apt-get install {package})"
    if os.environ.get("CI"):
        pytest.fail(f"{reason}; in CI nothing that needs it may be skipped", pytrace=False)
    pytest.skip(reason)


def _free_port():
    for port in random.sample(_PORTS, 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port on loopback")


class _Server:
    """A server process on loopback: start, stop, crash, start again on the same port with the same data."""

    stops_by = signal.SIGTERM
    crashes_by = signal.SIGKILL

    def __init__(self, folder):
        self.folder = Path(folder)
        self.log = self.folder / "server.log"
        self.port = _free_port()
        self._process = None
        self._guard = None

    def start(self):
        """Start the server and wait until it answers."""
        for _ in range(5):
            self._spawn()
            wait_until(lambda: self._process.poll() is not None or self.answers())
            if self._process.poll() is None:
                return self
            self.stop()
            if not self.has_run():
                self.port = _free_port()  # somebody else may have taken it
        raise AssertionError(f"the server does not start:\n{self.log.read_text('utf-8', 'replace')[-2000:]}")

    def _spawn(self):
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                start_new_session=True, **self.identity(),
            )  # fmt: skip
        guarded = [str(int(self.crashes_by)), str(self._process.pid)]
        self._guard = subprocess.Popen(
            ["sh", "-c", _GUARD, "guard", *guarded], stdin=subprocess.PIPE, start_new_session=True
        )

    def stop(self):
        """Stop the server in its regular way; do nothing if it does not run."""
        self._end(self.stops_by)

    def crash(self):
        """End the server without a chance to write anything."""
        self._end(self.crashes_by)

    def _end(self, by):
        if self._process is None:
            return
        self.resume()
        self._process.send_signal(by)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._guard.kill()
        self._guard.stdin.close()
        self._guard.wait()
        self._process = self._guard = None

    def pause(self):
        """Let the server hang: connections stay, nothing is answered."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self):
        """Let a server that hangs go on."""
        self._process.send_signal(signal.SIGCONT)

    def identity(self):
        """Return the user that the server runs as, as options of `subprocess.Popen`."""
        return {}

    def has_run(self):
        """Return whether the folder already belongs to the port: a client may hold the address."""
        return False

    def command(self):
        raise NotImplementedError

    def answers(self):
        raise NotImplementedError


class RedisServer(_Server):
    """A Redis (or Valkey) server, in memory or with a log of every write."""

    def __init__(self, folder, *, program, durable=False):
        super().__init__(folder)
        self._program = program
        self._durable = durable

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def has_run(self):
        return self._durable and any(self.folder.glob("appendonlydir/*"))

    def command(self):
        options = [
            "--bind",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--dir",
            str(self.folder),
            "--save",
            "",
            "--daemonize",
            "no",
        ]
        durable = ["--appendonly", "yes", "--appendfsync", "always"] if self._durable else []
        return [self._program, *options, *durable, "--logfile", str(self.log)]

    def answers(self):
        try:
            return self.ask("PING") == b"+PONG\r\n"
        except OSError:
            return False

    def ask(self, command):
        """Send one command, such as "FLUSHALL", and return the first bytes of its answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(command.encode() + b"\r\n")
            return connection.recv(65536)

    def clear(self):
        """Remove all keys; loaded scripts are gone, too."""
        assert self.ask("FLUSHALL") == b"+OK\r\n"
        assert self.ask("SCRIPT FLUSH") == b"+OK\r\n"


class PostgresServer(_Server):
    """A PostgreSQL server with a superuser `jackfield`, who needs no password on loopback."""

    stops_by = signal.SIGINT  # "fast": open connections are closed
    crashes_by = signal.SIGQUIT  # "immediate": nothing is written; the next start recovers from the log

    def __init__(self, folder, *, programs):
        super().__init__(folder)
        self._programs = programs
        self._databases = 0

    @property
    def url(self):
        return self.url_of("postgres")

    def url_of(self, database):
        return f"postgresql://jackfield@127.0.0.1:{self.port}/{database}"

    def start(self):
        if not self.has_run():
            if user := self.identity():
                os.chown(self.folder, user["user"], user["group"])
            options = [
                "--username=jackfield",
                "--auth=trust",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",
                "--no-instructions",
            ]
            self._run("initdb", f"--pgdata={self.folder / 'data'}", *options)
        return super().start()

    def identity(self):
        # PostgreSQL refuses to run as root.
        if os.getuid() != 0:
            return {}
        import pwd  # there is none on Windows

        users = {user.pw_name: user for user in pwd.getpwall()}
        user = users.get("postgres") or users["nobody"]
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def has_run(self):
        return (self.folder / "data" / "PG_VERSION").exists()

    def command(self):
        settings = {
            "listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "fsync": "off",
            "shared_buffers": "32MB", "max_connections": 100, "log_min_messages": "fatal", "timezone": "UTC",
            "synchronous_commit": "on",
        }  # fmt: skip
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [str(self._programs / "postgres"), "-D", str(self.folder / "data"), *options]

    def answers(self):
        ready = [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(ready, check=False).returncode == 0

    def _run(self, program, *arguments):
        done = subprocess.run(
            [str(self._programs / program), *arguments],
            capture_output=True, text=True, check=False, cwd=self.folder, **self.identity(),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(self, statement, *, database="postgres"):
        """Run an SQL statement and return what psql prints: rows in lines, columns separated by `|`."""
        return self._run(
            "psql", "--no-psqlrc", "-v", "ON_ERROR_STOP=1", "-Atc", statement, self.url_of(database)
        ).strip()

    def new_database(self):
        """Create an empty database and return its URL."""
        self._databases += 1
        name = f"test_{os.getpid()}_{self._databases}"
        self.ask(f"create database {name}")
        return self.url_of(name)


def redis_program():
    """Return the path of a Redis or Valkey server, or skip."""
    return (
        shutil.which("redis-server")
        or shutil.which("valkey-server")
        or missing("redis-server", "redis-server")
    )


def postgres_programs():
    """Return the folder of PostgreSQL's programs, or skip. Debian keeps them out of the path."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = shutil.which("initdb") or (debian[-1] if debian else None) or missing("PostgreSQL", "postgresql")
    return Path(found).resolve().parent


@pytest.fixture(scope="session")
def redis_server():
    """A Redis server without a disk, for the whole session: a test clears it first."""
    program = redis_program()
    with tempfile.TemporaryDirectory(prefix="jackfield-redis-") as folder:
        server = RedisServer(folder, program=program)
        try:
            yield server.start()
        finally:
            server.stop()


@pytest.fixture(scope="session")
def postgres_server():
    """A PostgreSQL server for the whole session: a test takes a new database of it."""
    programs = postgres_programs()
    with tempfile.TemporaryDirectory(prefix="jackfield-postgres-", ignore_cleanup_errors=True) as folder:
        server = PostgresServer(folder, programs=programs)
        try:
            yield server.start()
        finally:
            server.stop()
