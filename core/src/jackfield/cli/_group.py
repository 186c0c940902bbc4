"""The group of all commands: it lets extensions in, and turns errors into words and exit codes."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from ._session import Group, Helpless, Session, share, shared

if TYPE_CHECKING:
    from jackfield import Registry

__all__ = ["Commands", "make_cli"]

logger = logging.getLogger("jackfield")


def make_cli(registry: Registry | None = None) -> Commands:
    """Make the group with all commands.

    Args:
        registry: The plugins; None takes those that are installed.
    """
    from . import _chat, _configuration, _connections, _explain, _models, _plugins, _texts, _vectors

    cli = Commands(
        "jackfield",
        help="Ask language models through declared connections.",
        epilog='Begin with `jackfield chat "Hello"` or `jackfield config init`.',
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )
    cli.registry = registry
    shared(cli)
    click.version_option(package_name="jackfield", message="%(prog)s %(version)s")(cli)
    for module in (_chat, _texts, _vectors, _models, _connections, _plugins, _explain, _configuration):
        for command in module.COMMANDS:
            cli.add_command(command)
    return cli


class _PipeClosedError(Exception):
    """Nobody reads stdout any more."""


@contextmanager
def _pipe_may_close() -> Iterator[None]:
    """Let whoever reads what is written have enough of it (`| head`); click would exit with 1."""
    try:
        yield
    except BrokenPipeError as error:
        raise _PipeClosedError from error


def _forget_output() -> None:
    """Let what is still buffered go nowhere, or Python would complain when it ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Commands(Group):
    """Jackfield's commands, and those of extensions; these are looked for only when they may be meant."""

    registry: Registry | None = None
    _extended = False

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all commands in the order in which they were added, those of extensions last."""
        self._extend(ctx)
        return list(self.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Find a command; ours are found without loading any extension."""
        if cmd_name not in self.commands:
            self._extend(ctx)
        return self.commands.get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is called, or say which is closest."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            from jackfield.plugin import hint

            raise click.UsageError(f"there is no command {args[0]!r}{hint(args[0], self.commands)}", ctx)
        return super().resolve_command(ctx, args)

    # click's own signature differs between its versions
    def main(  # type: ignore[override, unused-ignore]
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run, and exit with the documented code."""
        session = extra.pop("obj", None) or Session(self.registry)
        given = list(sys.argv[1:] if args is None else args)
        if not standalone_mode:
            return super().main(given, prog_name, complete_var, standalone_mode=False, obj=session, **extra)
        from ._output import Output

        _make_writable()
        with (
            contextlib.redirect_stdout(Output(sys.stdout))
            if sys.stdout is not None
            else contextlib.nullcontext(),
            _log_shown(session),
        ):
            code = self._code(session, given, prog_name, complete_var, extra)
        sys.exit(code)

    def _code(
        self,
        session: Session,
        given: list[str],
        prog_name: str | None,
        complete_var: str | None,
        extra: dict[str, Any],
    ) -> int:
        from ._failures import INTERRUPTED, PIPE_CLOSED, exit_code
        from ._output import OutputError

        try:
            if sys.stdout is None:  # before anything is asked and paid
                raise OutputError("stdout is closed; redirect it to /dev/null if nobody shall read it")
            code = super().main(given, prog_name, complete_var, standalone_mode=False, obj=session, **extra)
            sys.stdout.flush()
        except click.Abort:
            return INTERRUPTED
        except OutputError as error:
            _forget_output()
            with contextlib.suppress(OSError):  # stderr may be on the same disk
                _write_error(session, error, as_json=session.json or "--json" in given)
            return error.exit_code
        except (_PipeClosedError, BrokenPipeError):
            _forget_output()
            return PIPE_CLOSED
        except Helpless as error:
            click.echo(error.format_message(), err=True)
            return error.exit_code
        except Exception as error:
            # `--json` may stand behind what could not be parsed
            _write_error(session, error, as_json=session.json or "--json" in given)
            return exit_code(error)
        return code if isinstance(code, int) else 0

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        """Read the command line; `--help` and `--version` write."""
        with _pipe_may_close():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _pipe_may_close():
            return super().invoke(ctx)

    def _extend(self, ctx: click.Context) -> None:
        if self._extended:
            return
        self._extended = True
        ours = dict(self.commands)
        try:
            if self.registry is not None or _extensions_installed():
                ctx.ensure_object(Session).registry.commands(self)
        except (Exception, SystemExit) as error:
            logger.warning("no extension could add commands: %s", error)
        for name, command in ours.items():
            if self.commands.get(name) is not command:
                logger.warning("an extension may not replace the command %s; it stays Jackfield's", name)
                self.commands[name] = command
        for name in self.commands.keys() - ours.keys():
            share(self.commands[name])


def _extensions_installed() -> bool:
    # The registry costs a quarter of a second, most of it for nothing if there is no extension.
    from jackfield._plugins.entry_points import find_entry_points

    return bool(find_entry_points("jackfield.extensions."))


def _write_error(session: Session, error: Exception, *, as_json: bool) -> None:
    from ._failures import describe, to_json

    if session.debug or os.environ.get("JACKFIELD_DEBUG", "0") not in {"", "0"}:
        traceback.print_exception(error)
    if as_json:
        from ._output import as_json as encoded

        click.echo(encoded(to_json(error)), err=True)
        return
    from ._output import write_aside

    write_aside(f"Error: {describe(error, answer_begun=session.answer_begun)}", fg="red")


def _make_writable() -> None:
    """Let a terminal of another encoding show what it can of an answer, rather than break the run."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


@contextmanager
def _log_shown(session: Session) -> Iterator[None]:
    """Show warnings of the log as one line each; a traceback is for `--debug`."""
    handler = _Aside(session)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _Aside(logging.Handler):
    def __init__(self, session: Session) -> None:
        super().__init__(logging.WARNING)
        self._session = session

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        why = f" ({type(error).__name__}: {error})" if error is not None else ""
        self._session.note(f"warning: {record.getMessage()}{why}")
        if error is not None and self._session.debug:
            traceback.print_exception(error)
