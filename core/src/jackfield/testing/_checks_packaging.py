"""Checks of the distribution that a plugin comes from."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution as installed
from pathlib import Path
from types import ModuleType

from ._check import check
from ._subject import GROUP, Subject


def _distribution(subject: Subject) -> Distribution | None:
    return None if subject.entry is None else subject.entry.dist


def _installable(subject: Subject) -> str | None:
    if isinstance(subject.plugin, ModuleType) or subject.entry is not None:
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
    entry = subject.entry
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
    folders = list(getattr(subject.package, "__path__", ()))
    if not folders:
        yield f"{subject.module_name} is a single module: make it a package, which can hold a py.typed"
    for folder in folders:
        if not (Path(folder) / "py.typed").is_file():
            yield f"{subject.module_name.partition('.')[0]} has no py.typed"


@check(
    "packaging.core_bound",
    law="A plugin says from which version of the core on it works, itself or through a plugin that it builds on.",
    remedy="write `jackfield>=X.Y,<X.Z` into `dependencies`, or the bounds of the plugin that you build on",
    applies=_distributed,
)
def core_bound(subject: Subject) -> Iterable[str]:
    distribution = _distribution(subject)
    if distribution is not None:
        fault = _unbound(distribution, frozenset())
        if fault is not None:
            yield fault


def _unbound(distribution: Distribution, seen: frozenset[str]) -> str | None:
    """Return why the core has no lower version bound; None if it has one."""
    seen |= {distribution.name}
    needs = [line for line in distribution.requires or () if "extra ==" not in line]
    family = [line for line in needs if re.match(r"jackfield(?=[-_.]|\W|$)", line, re.IGNORECASE)]
    if not family:
        return f"{distribution.name} does not require jackfield"
    unbounded = [line for line in family if not re.search(r">=|~=|==", line)]
    if unbounded:
        return f"{distribution.name}: {unbounded[0]!r} has no lower bound"
    for line in family:
        name = re.split(r"[^\w.-]", line)[0]
        if name.lower() == "jackfield":
            return None
        try:
            other = installed(name)
        except PackageNotFoundError:
            continue
        if other.name not in seen and _unbound(other, seen) is None:
            return None
    return f"{distribution.name} does not require jackfield, nor does what it requires"
