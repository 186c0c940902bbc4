"""Install what a session needs into this environment, and do nothing when it is already there.

    python -m tools.install --editable=./core[cli] --editable=./plugins/openai ruff mypy

What was installed is recorded in the environment, each argument with a digest of the file of constraints and, for a package
of this repository, of its pyproject.toml. An argument whose record is up to date is not installed again; an editable
package needs no installation when only its sources change.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from .commands import PIP_INSTALL, run
from .pins import CONSTRAINTS
from .workspace import ROOT, group

__all__ = ["RECORD", "fingerprints", "install", "main", "recorded"]

RECORD: Final = Path(sys.prefix) / "jackfield-installed.json"


def fingerprints(arguments: Iterable[str], constraints: Path) -> dict[str, str]:
    """Return a digest for each argument of pip: of all that decides what installing it brings."""
    pinned = constraints.read_bytes()
    found = {}
    for argument in arguments:
        digest = hashlib.sha256(pinned)
        if argument.startswith("./"):
            folder = (ROOT / argument.partition("[")[0]).resolve()
            digest.update(str(folder).encode() + (folder / "pyproject.toml").read_bytes())
        found[argument] = digest.hexdigest()
    return found


def recorded() -> dict[str, str]:
    """Return what was installed into this environment, each argument with the digest that it had."""
    known: dict[str, str] = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}
    return known


def install(editables: Sequence[str], requirements: Sequence[str], constraints: Path) -> None:
    """Install packages of this repository for development, and requirements from an index, at the pinned versions."""
    pip = (sys.executable, *PIP_INSTALL, "--constraint", constraints)
    if editables:
        # The build backend once for all of them, not once for each.
        run(*pip, *group("build-backend"))
        run(*pip, "--no-build-isolation", *(word for path in editables for word in ("--editable", path)))
    if requirements:
        run(*pip, *requirements)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.install", description=__doc__)
    parser.add_argument("name", nargs="*", help="a requirement, from an index")
    parser.add_argument("--editable", action="append", default=[], metavar="./FOLDER[EXTRAS]")
    parser.add_argument("--constraint", type=Path, default=CONSTRAINTS, metavar="FILE")
    given = parser.parse_args(arguments)
    wanted = fingerprints([*given.editable, *given.name], given.constraint)
    known = recorded()
    missing = [argument for argument, digest in wanted.items() if known.get(argument) != digest]
    if not missing:
        print("everything is installed already")
        return
    RECORD.unlink(missing_ok=True)  # nothing is certain if this is interrupted
    install(
        [path for path in given.editable if path in missing],
        [name for name in given.name if name in missing],
        given.constraint,
    )
    RECORD.write_text(json.dumps(known | wanted, indent=1), "utf-8")


if __name__ == "__main__":
    main()
