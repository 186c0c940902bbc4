"""Read constraints.txt, and write files of constraints that differ from it.

python -m tools.pins FILE --only pytest hypothesis
python -m tools.pins FILE --over plugins/snowflake/constraints-sql.txt
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from .workspace import ROOT, normalised

__all__ = ["CONSTRAINTS", "main", "read_pins", "write_pins"]

CONSTRAINTS: Final = ROOT / "constraints.txt"


def read_pins(path: Path = CONSTRAINTS, *, only: Collection[str] | None = None) -> dict[str, str]:
    """Return the exact versions that a file of constraints names, by distribution.

    Args:
        path: The file.
        only: Requirements whose distributions are wanted; all if None.
    """
    lines = (line for line in path.read_text("utf-8").splitlines() if "==" in line and line[0] != "#")
    found = dict(line.split("==") for line in lines)
    return found if only is None else {name: found[name] for name in map(normalised, only) if name in found}


def write_pins(path: Path, versions: Mapping[str, str], *, head: Iterable[str] = ()) -> None:
    """Write a file of constraints, sorted by name, after the lines of `head`."""
    lines = [*head, *(f"{name}=={version}" for name, version in sorted(versions.items()))]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.pins", description=__doc__)
    parser.add_argument("file", type=Path, help="the file to write")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="pin these distributions and no other")
    parser.add_argument("--over", type=Path, metavar="FILE", help="pins that take the place of ours")
    given = parser.parse_args(arguments)
    over = {} if given.over is None else read_pins(given.over)
    write_pins(given.file, read_pins(only=given.only) | over)


if __name__ == "__main__":
    main()
