"""Check a provider plugin from the command line: `python -m jackfield.testing jackfield_acme`."""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from jackfield._suggest import closest

from ._check import checks
from ._conformance import run_check
from ._subject import Subject
from ._table import capability_table, result_table, summary

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m jackfield.testing", description="Check a provider plugin against the contract."
    )
    parser.add_argument("plugin", nargs="?", help="a module, or module:attribute for an object in it")
    parser.add_argument(
        "--cases", metavar="MODULE:ATTR", help="a list of cases; without it, checks that need none run"
    )
    parser.add_argument(
        "--settings", metavar="JSON", default="{}", help="the plugin's config keys, as a JSON object"
    )
    parser.add_argument(
        "--only", metavar="ID", action="append", help="run this check, or the checks of this area"
    )
    parser.add_argument(
        "--markdown", action="store_true", help="print the table of capabilities, and check nothing"
    )
    parser.add_argument("--list", action="store_true", help="print every check and its law")
    parser.add_argument("-v", "--verbose", action="store_true", help="also show what was skipped, and why")
    return parser


def _loaded(name: str) -> Any:
    module, _, attributes = name.partition(":")
    loaded: Any = import_module(module)
    return functools.reduce(getattr, attributes.split("."), loaded) if attributes else loaded


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0 if the plugin conforms, 1 if not, 2 if there was nothing to run.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    out = sys.stdout.write
    if options.list:
        out("".join(f"{one.id:28} {one.law}\n" for one in checks()))
        return 0
    if options.plugin is None:
        parser.error("name the plugin's module")
    names = {one.id for one in checks()} | {one.area for one in checks()}
    for name in options.only or ():
        if name not in names:
            parser.error(f"there is no check or area {name!r}{closest(name, names)}")
    sys.path.insert(0, str(Path.cwd()))  # as `python -m pytest` does: cases lie beside the tests
    cases = _loaded(options.cases) if options.cases else ()
    subject = Subject(_loaded(options.plugin), cases, settings=json.loads(options.settings))
    if options.markdown:
        out(f"{capability_table(subject)}\n")
        return 0
    chosen = [one for one in checks() if not options.only or {one.id, one.area} & set(options.only)]
    results = [run_check(one, subject) for one in chosen]
    out(f"{result_table(results, verbose=options.verbose)}\n\n{options.plugin}: {summary(results)}\n")
    return 0 if all(result.ok for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
