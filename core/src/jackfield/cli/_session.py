"""What all commands of one run share: configuration, plugins, and how to write."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from jackfield import Mesh, MeshConfig, Registry, Reply

__all__ = ["Group", "Helpless", "Session", "share", "shared"]

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class Helpless(click.UsageError):
    """A group was called without a command: its help is shown."""


class Group(click.Group):
    """A group that shows its help if no command is named, alike with every version of click."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments.

        Raises:
            Helpless: There are none, and the group does nothing by itself.
        """
        if not args and not self.invoke_without_command and not ctx.resilient_parsing:
            raise Helpless(ctx.get_help())
        return super().parse_args(ctx, args)


class Session:
    """One run of the command line. The object of click's context, for commands of extensions too.

    Attributes:
        config_path: What `--config` names; None looks in the usual places.
        json: Answers and errors are JSON.
        debug: Errors come with their traceback.
        answer_begun: A part of the answer to the last question was written.
        shown: The answer to the last question as far as it was streamed.
    """

    def __init__(self, registry: Registry | None = None) -> None:
        self._registry = registry
        self.config_path: str | None = None
        self.json = False
        self.debug = False
        self.answer_begun = False
        self.shown: Reply | None = None

    @cached_property
    def registry(self) -> Registry:
        """The plugins."""
        from jackfield import Registry

        return Registry.installed() if self._registry is None else self._registry

    @cached_property
    def config(self) -> MeshConfig:
        """What is declared.

        Raises:
            ConfigurationError: Everything that is wrong with it.
        """
        from jackfield import load_config

        return load_config(self.config_path, self.registry)

    def mesh(self) -> Mesh:
        """Make a mesh of the configuration."""
        from jackfield import Mesh

        return Mesh(self.config, self.registry)

    def run(self, work: Callable[[Mesh], Awaitable[T]]) -> T:
        """Run something inside an open mesh, with the progress of first preparations shown."""
        import asyncio

        async def inside() -> T:
            async with self.mesh() as mesh:
                return await work(mesh)

        with self.progress():
            return asyncio.run(inside())

    def progress(self) -> AbstractContextManager[None]:
        """Show what is reported with `jackfield.progress.report` while the context is open."""
        from ._bars import progress_shown

        return progress_shown(quiet=self.json)

    def note(self, text: str) -> None:
        """Print a note about a reply to stderr; with `--json`, only errors are printed there."""
        if not self.json:
            from ._output import write_aside

            write_aside(text, dim=True)

    def write_json(self, value: Any) -> None:
        """Write one JSON value to stdout: for people in lines, for programs in one."""
        from ._output import as_json, is_terminal

        click.echo(as_json(value, indent=is_terminal(sys.stdout)))


def shared(command: F) -> F:
    """Add the common options to a command; they may be written before or after its name."""
    for option in (
        click.option("--debug", is_flag=True, expose_value=False, callback=_set, help="Show tracebacks."),
        click.option(
            "--json", is_flag=True, expose_value=False, callback=_set, help="Write JSON, errors too."
        ),
        click.option(
            "--config",
            "config_path",
            metavar="PATH",
            expose_value=False,
            callback=_set,
            help="The configuration; default: JACKFIELD_CONFIG, ./jackfield.toml, the user's.",
        ),
    ):
        command = option(command)
    return command


def share(command: click.Command) -> None:
    """Add the common options to a command of an extension and to all below it; options of its own stay."""
    common = click.Command(None)
    shared(common)
    own = {name for parameter in command.params for name in (parameter.name, *parameter.opts)}
    command.params += [option for option in common.params if own.isdisjoint((option.name, *option.opts))]
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        share(below)


def _set(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    # Only what is given: the option of a command must not undo that of its group.
    if value and parameter.name is not None:
        setattr(context.ensure_object(Session), parameter.name, value)
