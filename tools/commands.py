"""Run other programs: in the repository's root, loudly or quietly, and stop at the first that fails."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from .workspace import ROOT

__all__ = ["PIP_INSTALL", "interpreter", "interpreters", "make_environment", "python_of", "run"]

PIP_INSTALL: Final = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")

# 3.11 is the oldest Python that the packages support.
_MINORS: Final = range(11, 16)


def run(
    *command: str | Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None, quiet: bool = False
) -> None:
    """Run a command.

    Args:
        command: The program and its arguments.
        cwd: The folder to run it in.
        env: Its environment; ours if None.
        quiet: Print what it prints only if it fails.

    Raises:
        SystemExit: It failed.
    """
    words = [str(word) for word in command]
    if not quiet:
        print(f"> {shlex.join(words)}", flush=True)
    done = subprocess.run(words, cwd=cwd, env=env, capture_output=quiet, text=True, check=False)
    if done.returncode:
        if quiet:
            print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
        sys.exit(f"{shlex.join(words)} failed in {cwd} with exit code {done.returncode}")


def python_of(folder: Path) -> str:
    """Return the path of a virtual environment's interpreter."""
    return str(folder.resolve() / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def make_environment(folder: Path, *, python: str = sys.executable) -> str:
    """Make an empty virtual environment and return the path of its interpreter."""
    run(python, "-m", "venv", "--clear", folder, quiet=True)
    return python_of(folder)


def interpreter(version: str) -> str | None:
    """Return the interpreter of a version of Python, such as "3.12"; None if none is installed that starts."""
    path = shutil.which(f"python{version}")
    if path is None:
        return None
    # Version managers put a shim there for versions that they do not have.
    started = subprocess.run([path, "-c", ""], capture_output=True, check=False)
    return path if started.returncode == 0 else None


def interpreters() -> dict[str, str]:
    """Return an interpreter for each version of Python that is installed, this one first; print which are not."""
    found = {f"{sys.version_info.major}.{sys.version_info.minor}": sys.executable}
    for minor in _MINORS:
        version = f"3.{minor}"
        path = None if version in found else interpreter(version)
        if path is not None:
            found[version] = path
        elif version not in found:
            print(f"Python {version}: skipped, it is not installed here")
    return found
