"""What a check is, and the list of all of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import attrs

if TYPE_CHECKING:
    from ._subject import Subject

__all__ = ["Check", "Outcome", "Result", "check", "checks"]

Outcome: TypeAlias = Literal["passed", "failed", "xfailed", "xpassed", "skipped", "warned"]
Run: TypeAlias = Callable[["Subject"], Iterable[str]]
Applies: TypeAlias = Callable[["Subject"], "str | None"]

_AREAS: Final = (
    "packaging",
    "loading",
    "purity",
    "translate",
    "messages",
    "addresses",
    "relay",
    "options",
    "claims",
    "stream",
    "answers",
    "errors",
    "transport",
    "cost",
)


def core_version() -> str:
    """Return the version of the running core."""
    return version("jackfield")


def _minor(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text)[:2])


@attrs.frozen(kw_only=True)
class Check:
    """One law that every provider plugin keeps.

    Attributes:
        id: `area.name`; what `expected_failures` names.
        law: One sentence.
        remedy: What to do if it is broken.
        since: The version of the core that brought it.
        gentle: In the minor version that brought it, findings are warnings; from the next on they are failures.
        applies: Says why the check does not apply to a plugin; None if it does.
        run: Gives what was found, a sentence each; nothing if the law is kept.
    """

    id: str
    law: str
    remedy: str
    since: str = "0.1"
    gentle: bool = False
    applies: Applies = attrs.field(repr=False)
    run: Run = attrs.field(repr=False)

    @property
    def area(self) -> str:
        """The part of the contract that it looks at."""
        return self.id.partition(".")[0]

    @property
    def new(self) -> bool:
        """Its findings are warnings, in the version of the core that runs."""
        return self.gentle and _minor(core_version()) <= _minor(self.since)


@attrs.frozen(kw_only=True)
class Result:
    """What came of one check.

    Attributes:
        check: Its id.
        outcome: passed, failed, xfailed (an expected failure), xpassed (expected to fail, but passed, which
            is a failure: take the expectation out), skipped or warned.
        reason: What was found, or why it was skipped.
        law: The check's sentence.
        remedy: What to do.
    """

    check: str
    outcome: Outcome
    reason: str | None = None
    law: str = ""
    remedy: str | None = None

    @property
    def ok(self) -> bool:
        """Nothing has to be done."""
        return self.outcome not in {"failed", "xpassed"}

    def __str__(self) -> str:
        line = f"{self.outcome:8} {self.check}"
        if self.outcome == "passed":
            return line
        text = f"{line}: {self.reason}" if self.reason else line
        if self.outcome != "failed":
            return text
        return f"{text}\n         law: {self.law}\n         remedy: {self.remedy}"


_CHECKS: Final[dict[str, Check]] = {}


def _always(subject: Subject) -> None:
    del subject


def check(
    id: str, *, law: str, remedy: str, since: str = "0.1", gentle: bool = False, applies: Applies = _always
) -> Callable[[Run], Run]:
    """Put a function into the list of checks."""

    def add(run: Run) -> Run:
        _CHECKS[id] = Check(
            id=id, law=law, remedy=remedy, since=since, gentle=gentle, applies=applies, run=run
        )
        return run

    return add


def checks() -> tuple[Check, ...]:
    """Return all checks, in the order in which they run."""
    for module in (*_AREAS, "batches", "ends", "engine"):
        import_module(f"{__package__}._checks_{module}")
    return tuple(sorted(_CHECKS.values(), key=lambda entry: _AREAS.index(entry.area)))
