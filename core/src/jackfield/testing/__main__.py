"""Check a provider plugin from the command line: `python -m jackfield.testing jackfield_acme`."""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from jackfield._hints import hint

from ._case import Case
from ._check import checks
from ._conformance import run_check
from ._import_probe import import_afresh
from ._live import check_live
from ._subject import GROUP, Subject
from ._table import capability_table, result_table, summary

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m jackfield.testing", description="Check a provider plugin against the contract."
    )
    parser.add_argument(
        "plugin",
        nargs="?",
        help="a module, its distribution (jackfield-acme), the provider's id, or MODULE:OBJECT; of a package with "
        "several entry points, all providers are checked",
    )
    parser.add_argument(
        "--cases",
        metavar="MODULE:ATTR",
        help="a list of cases, such as tests.test_conformance:CASES; without it, checks that need none run",
    )
    parser.add_argument(
        "--settings", metavar="JSON", default="{}", help="the plugin's config keys, as a JSON object"
    )
    parser.add_argument(
        "--only", metavar="ID", action="append", help="run this check, or the checks of this area"
    )
    parser.add_argument(
        "--model",
        metavar="ID",
        action="append",
        default=[],
        help="a model to show in --markdown, besides the cases'",
    )
    parser.add_argument(
        "--markdown", action="store_true", help="print the table of capabilities, and check nothing"
    )
    parser.add_argument(
        "--live",
        action="store_true",
        help="repeat the cases at the service itself, with the key that the settings name; costs money",
    )
    parser.add_argument("--list", action="store_true", help="print every check and its law")
    parser.add_argument("-v", "--verbose", action="store_true", help="also show what was skipped, and why")
    return parser


class _NotFoundError(Exception):
    """Says in one line what cannot be loaded."""


def _loaded(name: str) -> Any:
    """Import `module` or `module:attribute`."""
    module, _, attributes = name.partition(":")
    try:
        loaded: Any = import_module(module)
        return functools.reduce(getattr, attributes.split("."), loaded) if attributes else loaded
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module}.".startswith(f"{error.name}."):
            ending = _similar(module) or "; is it installed?"
            raise _NotFoundError(f"there is no module {module!r}{ending}") from None
        raise _NotFoundError(f"importing {module} failed: {error}") from None
    except AttributeError as error:
        raise _NotFoundError(f"{name}: {error}") from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit, too: the kit says of which module it came
        raise _NotFoundError(f"importing {module} failed: {type(error).__name__}: {error}") from error


def _similar(name: str) -> str:
    installed = entry_points(group=GROUP)
    known = {one.module for one in installed} | {one.name for one in installed}
    return hint(name, known | {one.dist.name for one in installed if one.dist is not None})


def _named_by(entry: EntryPoint, name: str) -> bool:
    distribution = "" if entry.dist is None else entry.dist.name.lower().replace("_", "-")
    return name in {entry.module, entry.module.partition(".")[0], entry.name, distribution}


def _try_to_import(module: str) -> None:
    """Import a module in another process first: one that ends its process, or never comes, would take the kit along."""
    try:
        import_afresh(module)
    except RuntimeError as error:
        raise _NotFoundError(str(error)) from None


def _plugins(name: str) -> list[tuple[str, Any]]:
    """Resolve a name: to an object, or to the providers that a package's entry points name."""
    if ":" in name:
        _try_to_import(name.partition(":")[0])
        return [(name, _loaded(name))]
    found = [entry for entry in entry_points(group=GROUP) if _named_by(entry, name)]
    for module in dict.fromkeys(entry.module for entry in found) or [name]:
        _try_to_import(module)
    return [(entry.value, _loaded(entry.value)) for entry in found] or [(name, _loaded(name))]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0 if the plugin conforms, 1 if not, 2 if there was nothing to run.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    out = sys.stdout.write
    if options.list:
        out("".join(f"{one.id:28} since {one.since}  {one.law}\n" for one in checks()))
        return 0
    if options.plugin is None:
        parser.error("name the plugin's module")
    names = {one.id for one in checks()} | {one.area for one in checks()}
    for name in options.only or ():
        if name not in names:
            parser.error(f"there is no check or area {name!r}{hint(name, names)}")
    sys.path.insert(0, str(Path.cwd()))  # as `python -m pytest` does: cases lie beside the tests
    try:
        cases, folders = _cases(options.cases)
        subjects = [
            (name, Subject(plugin, cases, settings=json.loads(options.settings), folders=folders))
            for name, plugin in _plugins(options.plugin)
        ]
    except _NotFoundError as error:
        parser.error(str(error))
    except json.JSONDecodeError as error:
        parser.error(f"--settings is not a JSON object: {error}")
    return max(_report(name, subject, options) for name, subject in subjects)


def _cases(name: str | None) -> tuple[Sequence[Case], Sequence[Path]]:
    """Load cases, and say where their files are looked for."""
    if name is None:
        return (), ()
    cases = _loaded(name)
    here = Path(str(sys.modules[name.partition(":")[0]].__file__)).parent
    return cases, (here, here.parent)


def _report(name: str, subject: Subject, options: argparse.Namespace) -> int:
    """Do for one provider what was asked for."""
    out = sys.stdout.write
    if options.markdown:
        shown = [Case(model=model) for model in options.model]
        out(f"{capability_table(Subject(subject.plugin, [*subject.cases, *shown]))}\n")
        return 0
    if options.live:
        results = check_live(subject)
        if not results:
            out(f"{name}: no case to repeat; give --cases\n")
            return 2
    else:
        chosen = [one for one in checks() if not options.only or {one.id, one.area} & set(options.only)]
        results = [run_check(one, subject) for one in chosen]
    out(f"{result_table(results, verbose=options.verbose)}\n\n{name}: {summary(results)}\n")
    return 0 if all(result.ok for result in results) else 1


def _end(code: int) -> None:
    """End the process, also where a plugin started a thread that would keep it."""
    sys.stdout.flush()
    kept = [
        one.name for one in threading.enumerate() if not one.daemon and one is not threading.main_thread()
    ]
    if kept:
        sys.stderr.write(f"the plugin started the thread {kept[0]}, which is not a daemon and still runs\n")
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    _end(main())
