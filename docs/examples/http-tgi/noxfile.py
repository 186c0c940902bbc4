"""Run the checks: `nox` runs all that a change must pass, `nox -s NAME` runs one session.

Until Jackfield is released, set `JACKFIELD_CHECKOUT` to a clone of its repository.
"""

import os
import shutil
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["tests", "lint", "types", "build"]
PROJECT = nox.project.load_toml("pyproject.toml")


def install(session: nox.Session, *groups: str, editable: bool = True) -> None:
    """Install the plugin (from its sources, or the wheel in `dist`) and dependency groups."""
    checkout = os.environ.get("JACKFIELD_CHECKOUT")
    if checkout:
        session.install("-q", f"{checkout}/core[testing]")
    if groups:
        session.install("-q", *nox.project.dependency_groups(PROJECT, *groups))
    session.install("-q", *(["-e", "."] if editable else [str(next(Path("dist").glob("*.whl")))]))


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests, including the conformance kit."""
    install(session, "test")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format; `nox -s lint -- --fix` fixes them."""
    session.install("-q", *nox.project.dependency_groups(PROJECT, "lint"))
    fix = "--fix" in session.posargs
    session.run("ruff", "check", *(["--fix"] if fix else []), ".")
    session.run("ruff", "format", *([] if fix else ["--check"]), ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types."""
    install(session, "test", "types")
    session.run("mypy", "src")
    # The parameters of a test are fixtures.
    session.run("mypy", "--allow-untyped-defs", "--allow-incomplete-defs", "--allow-untyped-calls", "tests")


@nox.session
def kit(session: nox.Session) -> None:
    """Run only the kit. Arguments are passed to it: `--only stream -v`, `--markdown` (a table), `--live` (costs money)."""
    install(session, "test")
    cases = ["--cases", "tests.test_conformance:CASES"]
    session.run("python", "-m", "jackfield.testing", "jackfield-tgi", *cases, *session.posargs)


@nox.session(reuse_venv=False)
def build(session: nox.Session) -> None:
    """Build the wheel, and run the kit on what it installs."""
    session.install("-q", "build", "twine")
    shutil.rmtree("dist", ignore_errors=True)  # wheels of older versions
    session.run("python", "-m", "build", silent=True)
    session.run("twine", "check", "--strict", *map(str, Path("dist").iterdir()))
    install(session, editable=False)
    session.run("python", "-m", "jackfield.testing", "jackfield-tgi")
