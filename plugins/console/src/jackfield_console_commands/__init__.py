"""The commands `jackfield console ...`.

A package of its own: extensions are loaded by every command and by every program's first call, and what the console needs
would make them slower.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.plugin import hookimpl

if TYPE_CHECKING:
    import click

__all__ = ["jackfield_commands"]


@hookimpl
def jackfield_commands(cli: click.Group) -> None:
    """Add the commands."""
    from ._console import console

    cli.add_command(console)
