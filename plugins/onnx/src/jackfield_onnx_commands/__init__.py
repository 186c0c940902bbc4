"""The extension that adds `jackfield onnx ...`.

A package of its own: extensions are loaded by every program's first call, and the engine's package would make that slower for
programs that use other services.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.plugin import hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def jackfield_commands(cli: click.Group) -> None:
    """Add the group `onnx`."""
    from jackfield_onnx._commands import add_commands

    add_commands(cli)
