"""Resolve all packages with all light extras, free of our pins, on every Python that is installed.

A resolver that finds no new release that fits takes an old one without a word, so what it takes must not be older than
what constraints.txt has.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from .commands import PIP_INSTALL, interpreters, make_environment, run
from .pins import read_pins
from .workspace import PACKAGES, normalised, release, with_extras

__all__ = ["main", "older", "resolve"]


def resolve(python: str, folder: Path, *what: str) -> dict[str, str]:
    """Return the versions that pip would install of some requirements into an empty environment.

    Args:
        python: An interpreter that has pip.
        folder: Where the report is written.
        what: Arguments of pip.
    """
    report = folder / "report.json"
    run(python, *PIP_INSTALL, "--dry-run", "--ignore-installed", "--report", report, *what)
    found = [entry["metadata"] for entry in json.loads(report.read_text("utf-8"))["install"]]
    return {normalised(entry["name"]): entry["version"] for entry in found}


def older(found: Mapping[str, str], pinned: Mapping[str, str]) -> list[str]:
    """List the distributions that are older than their pin, each with both versions."""
    return [
        f"{name} {version} (constraints.txt has {pinned[name]})"
        for name, version in sorted(found.items())
        if name in pinned and release(version) < release(pinned[name])
    ]


def main() -> None:
    """Run the command line."""
    # Bare, too: an extra may need a sibling that pip would look for in an index before it reads the next argument.
    everything = dict.fromkeys([*(f"./{package}" for package in PACKAGES), *map(with_extras, PACKAGES)])
    for version, python in interpreters().items():
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            found = resolve(make_environment(folder / "venv", python=python), folder, *everything)
        if old := older(found, read_pins()):
            sys.exit(f"Python {version}: the resolver went back to {', '.join(old)}")
        print(f"Python {version}: {len(found)} distributions, none older than in constraints.txt")


if __name__ == "__main__":
    main()
