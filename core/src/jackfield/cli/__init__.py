"""The command `jackfield`. Needs the extra `cli`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from jackfield import Registry

__all__ = ["main"]

_NEEDED = ("click", "rich")


def main(arguments: Sequence[str] | None = None, *, registry: Registry | None = None) -> NoReturn:
    """Run the command line and exit.

    Args:
        arguments: What follows the command's name; None takes those of the process.
        registry: The plugins; None takes those that are installed.
    """
    try:
        import click  # noqa: F401 -- only to see that they are there
        import rich  # noqa: F401

        from ._group import make_cli
    except ModuleNotFoundError as error:
        if error.name not in _NEEDED:
            raise
        from jackfield.plugin import install_command

        print(
            f"the command line needs two more packages: {install_command('jackfield', 'cli')}",
            file=sys.stderr,
        )
        sys.exit(3)
    make_cli(registry).main(arguments, prog_name="jackfield")
    sys.exit(0)
