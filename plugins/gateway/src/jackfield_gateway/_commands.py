"""The commands `jackfield serve`, `jackfield keys ...` and `jackfield clients ...`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.plugin import hookimpl

if TYPE_CHECKING:
    import click

__all__ = ["jackfield_commands"]


@hookimpl
def jackfield_commands(cli: click.Group) -> None:
    """Add the commands."""
    from ._command_clients import clients
    from ._command_keys import keys
    from ._command_serve import serve

    cli.add_command(serve)
    cli.add_command(keys)
    cli.add_command(clients)
