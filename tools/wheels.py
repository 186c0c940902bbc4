"""Build each package's sdist and, from it, its wheel; test the wheels in a clean place on every installed Python.

Arguments go to pytest in place of the folders of tests.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .alone import KIT_SETTINGS
from .commands import PIP_INSTALL, interpreters, make_environment, run
from .pins import CONSTRAINTS
from .workspace import PACKAGES, ROOT, folders_of_tests, import_name, light_extras, needs_of_tests, project

__all__ = ["WHEEL_BYTES", "build", "main", "requirement", "test"]

WHEEL_BYTES = 200_000
"""What the wheel of a plugin may have."""

_WHERE = "def where(it): assert 'site-packages' in it.__file__, it.__file__\n"


def build(folder: Path) -> None:
    """Build all packages into a folder, and check what was built.

    Raises:
        SystemExit: Something cannot be built, or is not valid, or is too large.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for package in PACKAGES:
        run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, package, quiet=True)
    run(sys.executable, "-m", "twine", "check", "--strict", *sorted(folder.iterdir()))
    for wheel in sorted(folder.glob("*.whl")):
        size = wheel.stat().st_size
        print(f"{wheel.name}: {size / 1000:.0f} kB")
        if not wheel.name.startswith("jackfield-") and size > WHEEL_BYTES:
            sys.exit(f"{wheel.name} is over the budget of {WHEEL_BYTES / 1000:.0f} kB")


def requirement(package: Path) -> str:
    """Return a package as pip looks for it in a folder of wheels: this version, with all its light extras."""
    table, extras = project(package), ",".join(light_extras(package))
    return (
        f"{table['name']}[{extras}]=={table['version']}" if extras else f"{table['name']}=={table['version']}"
    )


def test(python: str, elsewhere: Path, arguments: Sequence[str]) -> None:
    """Import what the wheels brought, let the kit check every provider, and run each package's fast tests.

    Args:
        python: The interpreter of an environment that has the wheels.
        elsewhere: A folder outside the checkout, in which only what the wheels brought can be imported.
        arguments: For pytest, in place of the folders of tests.
    """
    imports = "; ".join(f"import {import_name(package)} as it; where(it)" for package in PACKAGES)
    run(python, "-W", "error", "-c", _WHERE + imports, cwd=elsewhere)
    for package in PACKAGES:
        if "jackfield.providers.v1" in project(package).get("entry-points", {}):
            name = project(package)["name"]
            run(python, "-m", "jackfield.testing", name, *KIT_SETTINGS, cwd=elsewhere, quiet=True)
    run(python, "-m", "pytest", "-q", "-m", "not model", *(arguments or folders_of_tests()))


def main() -> None:
    """Run the command line."""
    folder = ROOT / "dist"
    build(folder)
    _, tools = needs_of_tests()
    wanted = [*map(requirement, PACKAGES), *tools]
    for version, interpreter in interpreters().items():
        print(f"Python {version}")
        with tempfile.TemporaryDirectory() as elsewhere:
            python = make_environment(Path(elsewhere) / "clean", python=interpreter)
            run(python, *PIP_INSTALL, "--constraint", CONSTRAINTS, "--find-links", folder, *wanted)
            test(python, Path(elsewhere), sys.argv[1:])


if __name__ == "__main__":
    main()
