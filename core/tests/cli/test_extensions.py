"""Extensions may add commands, and cannot break the others."""

import json

import click

from jackfield._contract.hookspecs import hookimpl


class Good:
    @hookimpl
    def jackfield_commands(self, cli):
        @cli.command("greet")
        @click.pass_obj
        def greet(session):
            """Print a greeting."""
            click.echo(f"hello from {', '.join(session.mesh().connections)}")


class Broken:
    @hookimpl
    def jackfield_commands(self, cli):
        raise RuntimeError("torn")


class Leaving:
    @hookimpl
    def jackfield_commands(self, cli):
        raise SystemExit(9)


class Greedy:
    @hookimpl
    def jackfield_commands(self, cli):
        @cli.command("chat")
        def chat():
            click.echo("stolen")


def test_an_extension_adds_a_command(command):
    command.extensions = [Good()]
    assert "greet" in command("--help").stdout
    assert command("greet").stdout == "hello from a\n"


class Nested:
    """An extension with a group, one of whose commands has an option of its own that is called as a common one."""

    @hookimpl
    def jackfield_commands(self, cli):
        @cli.group("herd")
        def herd():
            """Look after sheep."""

        @herd.command("count")
        @click.pass_obj
        def count(session):
            """Count them."""
            session.write_json({"sheep": 3}) if session.json else click.echo("3 sheep")

        @herd.command("keep")
        @click.option("--json", "place")
        @click.pass_obj
        def keep(session, place):
            """Keep them."""
            click.echo(f"{place} {session.json} {session.config_path}")


def test_commands_of_extensions_take_the_common_options_behind_their_name(command):
    command.extensions = [Nested()]
    assert command("herd", "count").stdout == "3 sheep\n"
    for words in (("herd", "count", "--json"), ("herd", "--json", "count"), ("--json", "herd", "count")):
        assert json.loads(command(*words).stdout) == {"sheep": 3}
    assert "--config" in command("herd", "count", "--help").stdout
    kept = command("herd", "keep", "--json", "barn", "--config", "other.toml").stdout
    assert kept == "barn False other.toml\n"


def test_a_broken_extension_is_named_and_breaks_nothing(command):
    command.extensions = [Broken(), Good()]
    result = command("--help")
    assert result.exit_code == 0
    assert "greet" in result.stdout
    assert "torn" in result.stderr
    assert "Traceback" not in result.stderr
    assert command("chat", "Hi").stdout == "You said: Hi\n"


def test_an_extension_that_leaves_does_not_take_the_command_line_along(command):
    command.extensions = [Leaving()]
    assert command("--help").exit_code == 0
    assert command("plugins").exit_code == 0


def test_an_extension_cannot_replace_a_command(command):
    command.extensions = [Greedy()]
    assert "stays" in command("--help").stderr
    assert command("chat", "Hi").stdout == "You said: Hi\n"
