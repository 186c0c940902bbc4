"""The command `jackfield limits list`.

A package of its own: extensions are loaded by every command and by every program's first call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.plugin import hookimpl

if TYPE_CHECKING:
    import click

__all__ = ["jackfield_commands"]


@hookimpl
def jackfield_commands(cli: click.Group) -> None:
    """Add the command."""
    from ._limits import limits

    cli.add_command(limits)
