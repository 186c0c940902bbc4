"""Write the constraints by which every direct dependency has the lowest version that the packages claim to work with.

python -m tools.lowest FILE
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from .pins import read_pins, write_pins
from .workspace import CORE, PACKAGES, group, light_extras, normalised, project, release

__all__ = ["floors", "lowest", "main"]


def floors(requirements: Iterable[str]) -> dict[str, str]:
    """Return the lowest version that each distribution may have by these requirements; our own are left out."""
    found: dict[str, str] = {}
    for need in requirements:
        name, floor = normalised(need), re.search(r">=\s*([0-9][^,;\s]*)", need)
        if floor is not None and not name.startswith("jackfield"):
            found[name] = max(found.get(name, "0"), floor[1], key=release)
    return found


def _user_requirements() -> list[str]:
    found: list[str] = []
    for package in PACKAGES:
        table = project(package)
        # The tools of tests are not what a user has: they keep the versions of constraints.txt.
        extras = [name for name in light_extras(package) if name != "testing"]
        found += table.get("dependencies", [])
        found += [need for name in extras for need in table["optional-dependencies"][name]]
    return found


def lowest() -> dict[str, str]:
    """Return the versions to try: the floors of what users install, our own pins of what only tests need."""
    versions = floors(_user_requirements())
    # The SDK of telemetry, by which its tests read, has the version of the API.
    versions["opentelemetry-sdk"] = versions["opentelemetry-api"]
    testing = project(CORE)["optional-dependencies"]["testing"]
    return read_pins(only=[*testing, *group("build-backend"), *group("lowest")]) | versions


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.lowest", description=__doc__)
    parser.add_argument("file", type=Path, help="the file to write")
    write_pins(parser.parse_args(arguments).file, lowest())


if __name__ == "__main__":
    main()
