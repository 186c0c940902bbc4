"""Checks of the distribution that a plugin comes from."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import Distribution, EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from jackfield._hookspecs import CONTRACT

from ._check import check
from ._subject import Subject

GROUP = f"jackfield.providers.v{CONTRACT}"


def _entry(subject: Subject) -> EntryPoint | None:
    """Find the plugin's entry point: that of a module by its module, that of an object by its id."""
    name = None if subject.provider is None else subject.provider.info.id
    if not isinstance(subject.plugin, ModuleType):
        named = [entry for entry in entry_points(group=GROUP) if entry.name == name]
        return next((entry for entry in named if entry.load() is subject.plugin), None)
    top = subject.module_name.partition(".")[0]
    found = [entry for entry in entry_points(group=GROUP) if entry.module.partition(".")[0] == top]
    return next((entry for entry in found if entry.name == name), next(iter(found), None))


def _distribution(subject: Subject) -> Distribution | None:
    entry = _entry(subject)
    return None if entry is None else entry.dist


def _installable(subject: Subject) -> str | None:
    if isinstance(subject.plugin, ModuleType) or _entry(subject) is not None:
        return None
    return "the plugin is an object that no entry point names"


def _distributed(subject: Subject) -> str | None:
    return None if _distribution(subject) is not None else f"no distribution names it in {GROUP}"


@check(
    "packaging.entry_point",
    law=f"A plugin is found by an entry point in {GROUP} whose name is the provider's id.",
    remedy='write [project.entry-points."jackfield.providers.v1"] with `<id> = "<module>"` and reinstall',
    applies=_installable,
)
def entry_point(subject: Subject) -> Iterable[str]:
    entry = _entry(subject)
    if entry is None:
        yield f"no entry point in {GROUP} names {subject.module_name}"
    elif subject.provider is not None and entry.name != subject.provider.info.id:
        yield f"the entry point is called {entry.name!r}, jackfield_provider says {subject.provider.info.id!r}"


@check(
    "packaging.distribution_name",
    law="A plugin's distribution is called jackfield-<something>, so that people find it.",
    remedy="rename the distribution in pyproject.toml",
    applies=_distributed,
)
def distribution_name(subject: Subject) -> Iterable[str]:
    distribution = _distribution(subject)
    if distribution is not None and not re.match(r"jackfield[-_.]", distribution.name, re.IGNORECASE):
        yield f"it is called {distribution.name}"


@check(
    "packaging.typed",
    law="A plugin tells type checkers that it has types.",
    remedy="add an empty file `py.typed` beside the package's __init__.py",
    applies=_distributed,
)
def typed(subject: Subject) -> Iterable[str]:
    package = subject.package
    for folder in getattr(package, "__path__", ()):
        if not (Path(folder) / "py.typed").is_file():
            yield f"{subject.module_name} has no py.typed"


@check(
    "packaging.core_bound",
    law="A plugin says from which version of the core on it works.",
    remedy="write `jackfield>=X.Y` into `dependencies`",
    applies=_distributed,
)
def core_bound(subject: Subject) -> Iterable[str]:
    distribution = _distribution(subject)
    requires = (distribution.requires if distribution is not None else None) or []
    mine = [line for line in requires if re.match(r"jackfield(?![\w.-])", line)]
    if not mine:
        yield "it does not require jackfield"
    elif not any(re.search(r"(>=|~=|==)", line) for line in mine):
        yield f"{mine[0]!r} has no lower bound"
