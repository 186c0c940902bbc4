"""Run the checks of each project in docs/examples: `python -m tools.examples FOLDER ...`, in an environment that has them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .commands import run
from .workspace import ROOT

__all__ = ["main"]

# A test's signature is its fixtures.
_LAX: Final = ("--allow-untyped-defs", "--allow-incomplete-defs", "--allow-untyped-calls")
_CHECKS: Final = (
    ("ruff", "check", "--no-cache", "."),
    ("ruff", "format", "--no-cache", "--check", "."),
    ("mypy", "src"),
    ("mypy", *_LAX, "tests"),
    ("pytest", "-q", "-p", "no:cacheprovider", "--rootdir", "."),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    for folder in map(Path, sys.argv[1:] if arguments is None else arguments):
        for check in _CHECKS:
            run(sys.executable, "-m", *check, cwd=ROOT / folder)


if __name__ == "__main__":
    main()
