"""Install other libraries, each group in an environment of its own, and run a benchmark beside them.

    python -m tools.peers FOLDER [local] [--no-peers] [ARGUMENT ...]

The program is bench/run.py, or bench/local.py after the word `local`; other arguments go to it. Peers pin what they
like, so they come without our constraints. The environments stay in the folder, for the next run.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from .commands import PIP_INSTALL, make_environment, python_of, run

__all__ = ["main"]


def _environment(folder: Path, requirements: str) -> str:
    python = python_of(folder)
    if not Path(python).exists():
        make_environment(folder)
    run(python, *PIP_INSTALL, "--requirement", f"bench/{requirements}")
    return python


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
    is_local = others[:1] == ["local"]
    if given.no_peers:
        peers = [] if is_local else ["--no-peers"]
    else:
        peers = (_local if is_local else _clouds)(given.folder.resolve())
    bench = "bench/local.py" if is_local else "bench/run.py"
    run(sys.executable, bench, *(others[1:] if is_local else others), *peers)


if __name__ == "__main__":
    main()
