"""The commands: the store is prepared by them alone, and a password is never an argument."""

import io
import json
import re
import subprocess
import sys
import urllib.request

import pytest

from jackfield.cli import main

CONFIG = """
[gateway]
store = "sqlite:///{folder}/gateway.db"
port = 0
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "jackfield.toml"
    path.write_text(CONFIG.format(folder=tmp_path) + "[console]\n")
    return path


class Told:
    """What a command answered."""

    def __init__(self, exit_code, output):
        self.exit_code = exit_code
        self.output = output


@pytest.fixture
def run(capsys, monkeypatch):
    """Run a command; `typed` is its standard input."""

    def call(config, *arguments, typed=""):
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["--config", str(config), *arguments])
        shown = capsys.readouterr()
        return Told(ended.value.code, shown.out + shown.err)

    return call


def test_a_store_is_prepared_and_users_are_added(run, config):
    told = run(config, "console", "user", "list")
    assert told.exit_code != 0
    assert "run: jackfield console migrate" in told.output
    assert run(config, "console", "migrate").exit_code == 0
    assert run(config, "console", "migrate").exit_code == 0
    assert "there is no user" in run(config, "console", "user", "list").output
    told = run(config, "console", "user", "add", "alice", "--role", "admin", typed="a long password\n")
    assert told.exit_code == 0, told.output
    assert "a long password" not in told.output
    assert "alice" in run(config, "console", "user", "list").output
    assert run(config, "console", "user", "password", "alice", typed="another password\n").exit_code == 0
    found = json.loads(run(config, "--json", "console", "user", "list").output)
    assert found == {"users": [{"name": "alice", "role": "admin", "blocked": False}]}


@pytest.mark.parametrize(
    ("arguments", "typed", "words"),
    [
        (("add", "bob", "--role", "admin"), "short\n", "12 to 1000 characters"),
        (("add", "bob", "--role", "admin"), "", "12 to 1000 characters"),
        (("add", "b b", "--role", "admin"), "a long password\n", "letters, digits"),
        (("add", "bob", "--role", "root"), "a long password\n", "admin"),
        (("add", "bob", "--role", "admin", "a long password"), "", "unexpected extra argument"),
        (("password", "nobody"), "a long password\n", "there is no user"),
        (("remove", "nobody"), "", "there is no user"),
    ],
)
def test_a_mistake_is_told(run, config, arguments, typed, words):
    run(config, "console", "migrate")
    told = run(config, "console", "user", *arguments, typed=typed)
    assert told.exit_code != 0
    assert words in told.output


def test_without_a_store_the_console_says_what_to_declare(run, tmp_path):
    path = tmp_path / "jackfield.toml"
    path.write_text("[console]\n")
    told = run(path, "console", "migrate")
    assert told.exit_code != 0
    assert "[gateway] store" in told.output


def served(config, *arguments):
    """Start a command, return what its first address answers, and stop it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "jackfield", "--config", str(config), "--json", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        address = json.loads(line)["address"].partition("/console")[0]
        with urllib.request.urlopen(f"{address}/console/") as answer:
            return answer.url, answer.read().decode()
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.mark.real_time
def test_the_console_is_served_alone_and_by_the_gateway(run, config):
    run(config, "console", "migrate")
    for arguments in (("console", "--port", "0"), ("serve",)):
        url, text = served(config, *arguments)
        assert url.endswith("/console/login")
        assert re.search("jackfield console user add NAME --role admin", text)


@pytest.mark.real_time
def test_a_gateway_whose_store_is_not_migrated_says_which_command_to_run(config):
    done = subprocess.run(
        [sys.executable, "-m", "jackfield", "--config", str(config), "serve"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode != 0
    assert "run: jackfield console migrate" in done.stderr


def test_without_its_table_nothing_of_the_console_is_imported(tmp_path):
    code = f"""
import asyncio, sys
from jackfield import Registry, load_config
from jackfield_gateway._app import make_runner
from jackfield_gateway._state import State

async def main():
    registry = Registry.installed()
    config = load_config({{"gateway": {{"store": "sqlite:///{tmp_path}/g.db"}}}}, registry)
    async with State(config, registry) as state:
        make_runner(state)

asyncio.run(main())
print([name for name in sys.modules if name.startswith(("jackfield_console.", "sqlalchemy", "alembic", "argon2"))])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr
