"""Resolve everything together again, and rewrite constraints.txt."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from .pins import CONSTRAINTS, write_pins
from .together import resolve
from .workspace import PACKAGES, needs_of_tests, tools_of_sessions, with_extras

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    _, tools = needs_of_tests()
    with tempfile.TemporaryDirectory() as folder:
        packages = map(with_extras, PACKAGES)
        found = resolve(sys.executable, Path(folder), *packages, *tools, *tools_of_sessions())
    head = [line for line in CONSTRAINTS.read_text("utf-8").splitlines() if line.startswith("#")]
    ours = {name for name in found if name.startswith("jackfield")}
    write_pins(CONSTRAINTS, {name: found[name] for name in found.keys() - ours}, head=head)


if __name__ == "__main__":
    main()
