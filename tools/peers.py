"""Install what a benchmark compares, each group in an environment of its own, and run it.

    python -m tools.peers FOLDER [local | gateway | pace] [--no-peers] [ARGUMENT ...]

The program is bench/run.py, bench/local.py after the word `local`, bench/gateway.py after `gateway`, or bench/pace.py after `pace`; other arguments go to it. One environment has all
packages of this repository, to measure what plugins cost that are installed and not used. Others have other libraries, which
pin what they like, so they come without our constraints. The environments stay in the folder, for the next run.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from .commands import PIP_INSTALL, make_environment, python_of, run
from .workspace import PACKAGES, closure

__all__ = ["main"]


def _python(folder: Path) -> str:
    python = python_of(folder)
    if not Path(python).exists():
        make_environment(folder)
    return python


def _environment(folder: Path, requirements: str) -> str:
    python = _python(folder)
    run(python, *PIP_INSTALL, "--requirement", f"bench/{requirements}")
    return python


def _everything(folder: Path) -> list[str]:
    """Return the argument of bench/run.py that names an interpreter with all packages, and with OpenTelemetry's SDK."""
    python = _python(folder / "everything")
    editables = (f"--editable=./{package}" for package in closure(PACKAGES))
    run(python, "-m", "tools.install", *editables, "opentelemetry-sdk")
    return ["--everything", python]


def _clouds(folder: Path) -> list[str]:
    """Return the arguments of bench/run.py that name the peers."""
    peers = _environment(folder / "peers", "requirements.txt")
    return ["--peers", peers, "--aws-peers", _environment(folder / "aws-peers", "requirements-aws.txt")]


def _local(folder: Path) -> list[str]:
    """Return the arguments of bench/local.py that name the peers."""
    python = _environment(folder / "optimum", "requirements-local.txt")
    arguments = ["--optimum", python, "--place", str(folder / "models")]
    if shutil.which("npm") is None:
        print("npm is not installed: llama.cpp is left out")
        return arguments
    node = folder / "node"
    node.mkdir(exist_ok=True)
    # No scripts: the second package has the compiled library, so there is nothing to build.
    packages = ("node-llama-cpp@3.22.1", "@node-llama-cpp/linux-x64@3.22.1")
    run("npm", "install", "--ignore-scripts", "--no-audit", *packages, cwd=node)
    return [*arguments, "--node", str(node)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.peers", description=__doc__, allow_abbrev=False, add_help=False
    )
    parser.add_argument("folder", type=Path, help="where the environments are")
    parser.add_argument("--no-peers", action="store_true", help="measure ours alone")
    given, others = parser.parse_known_args(arguments)
    folder = given.folder.resolve()
    if others[:1] == ["local"]:
        run(sys.executable, "bench/local.py", *others[1:], *([] if given.no_peers else _local(folder)))
    elif others[:1] in (["gateway"], ["pace"]):
        run(sys.executable, f"bench/{others[0]}.py", *others[1:])
    else:
        peers = ["--no-peers"] if given.no_peers else _clouds(folder)
        run(sys.executable, "bench/run.py", *others, *_everything(folder), *peers)


if __name__ == "__main__":
    main()
