"""The reference page says what the command line says."""

from pathlib import Path

import click
import pytest

from jackfield._types import errors
from jackfield.cli._failures import exit_code
from jackfield.cli._group import make_cli

PAGE = Path(__file__).parents[3] / "docs/reference/cli.md"


def commands(group, path="jackfield"):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


COMMANDS = dict(commands(make_cli()))


@pytest.fixture(scope="module")
def page():
    return PAGE.read_text("utf-8")


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_and_option_is_documented(page, path):
    assert f"| `{path}`" in page
    for parameter in COMMANDS[path].params:
        if isinstance(parameter, click.Option):
            for name in (*parameter.opts, *parameter.secondary_opts):
                assert name in page, f"{path} {name}"


def test_no_command_is_documented_that_is_not_there(page):
    rows = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `jackfield")}
    assert rows == set(COMMANDS)


def test_every_error_stands_beside_its_exit_code(page):
    table = page[page.index("## Exit codes") :]
    rows = {line.split("|")[1].strip(): line for line in table.splitlines() if line.startswith("| ")}
    assert {"0", "1", "2", "3", "4", "5", "6", "130", "141"} <= set(rows)
    for name in errors.__all__:
        cls = getattr(errors, name)
        if cls is not errors.JackfieldError:
            error = cls("x", phase="total") if cls is errors.TimeoutError else cls("x")
            assert f"`{name}`" in rows[str(exit_code(error))], name


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_has_help_and_the_shared_options(path):
    command = COMMANDS[path]
    assert command.help
    names = {name for parameter in command.params for name in parameter.opts}
    assert {"--json", "--config", "--debug"} <= names
