"""Run the checks: as a function that gives results, and as a decorator for pytest."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from jackfield._hints import hint

from ._case import Case
from ._check import Check, Result, checks
from ._findings import SkipCheck, Warn
from ._subject import Subject

__all__ = ["BoundCheck", "ConformanceWarning", "check_provider", "conformance"]

F = TypeVar("F", bound=Callable[..., Any])

_BEFORE_BINDING = frozenset({"packaging", "loading"})
_SHOWN = 5


def check_provider(
    plugin: object,
    *cases: Case,
    expected_failures: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    only: Sequence[str] | None = None,
    folders: Sequence[Path] = (),
    in_process: bool = False,
) -> list[Result]:
    """Check a provider plugin.

    Args:
        plugin: The module or object that the entry point names.
        cases: Recorded answers and what they mean.
        expected_failures: Ids of checks that are known to fail, each with the reason. One that passes is a
            failure: the expectation is out of date.
        settings: The plugin's own config keys, where it cannot do without. Secrets get the kit's own key.
        only: Ids or areas of the checks to run; all unless given.
        folders: Where the cases' paths are looked for, after the working directory.
        in_process: The plugin's own transport answers here, without a network (an engine, or your fake of an SDK),
            so calls are made over it.

    Returns:
        A result for each check, in order. The plugin conforms if all of them are `ok`.

    Raises:
        ValueError: An expectation names no check, or gives no reason.
    """
    expected = _checked(expected_failures or {})
    subject = Subject(plugin, cases, settings=settings, folders=folders, in_process=in_process)
    chosen = [one for one in checks() if only is None or one.id in only or one.area in only]
    return [run_check(one, subject, expected.get(one.id)) for one in chosen]


def _checked(expected: Mapping[str, str]) -> Mapping[str, str]:
    known = [one.id for one in checks()]
    for name, reason in expected.items():
        if name not in known:
            raise ValueError(f"expected_failures names {name!r}, which is not a check{hint(name, known)}")
        if not str(reason or "").strip():
            raise ValueError(f"expected_failures[{name!r}] wants a reason: say why it cannot be otherwise")
    return expected


def run_check(check: Check, subject: Subject, expected: str | None = None) -> Result:
    """Run one check.

    Args:
        check: The check.
        subject: The plugin.
        expected: Why it is known to fail; None if it shall pass.
    """
    result = _run(check, subject)
    if expected is None:
        return result
    if result.outcome == "failed":
        return _result(check, "xfailed", f"{expected} ({result.reason})")
    if result.outcome in {"passed", "warned"}:
        return _result(check, "xpassed", f"it was expected to fail ({expected}), but passes; take it out")
    return result


def _run(check: Check, subject: Subject) -> Result:
    if subject.provider is None and check.area not in _BEFORE_BINDING:
        return _result(check, "skipped", "the plugin cannot be loaded; see loading.binds")
    try:
        why_not = check.applies(subject)
        if why_not is not None:
            return _result(check, "skipped", why_not)
        findings = list(dict.fromkeys(check.run(subject)))
    except SkipCheck as skip:
        return _result(check, "skipped", str(skip))
    except (KeyboardInterrupt, asyncio.CancelledError, GeneratorExit):
        raise
    except BaseException as error:  # SystemExit, too: no plugin ends the run
        findings = [f"{type(error).__name__}: {error}"]
    if not findings:
        return _result(check, "passed", None)
    faults = [finding for finding in findings if not isinstance(finding, Warn)]
    return _result(check, "failed" if faults and not check.new else "warned", _joined(faults or findings))


def _joined(findings: Sequence[str]) -> str:
    more = len(findings) - _SHOWN
    return "; ".join(findings[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _result(check: Check, outcome: Any, reason: str | None) -> Result:
    return Result(check=check.id, outcome=outcome, reason=reason, law=check.law, remedy=check.remedy)


class ConformanceWarning(UserWarning):
    """Warns of a finding that is not a failure, or not yet: pytest lists it, and no filter makes an error of it."""


class BoundCheck:
    """A check with its plugin; call it in a test.

    Attributes:
        check: The check.
        subject: Returns the plugin, bound, with its cases.
    """

    def __init__(self, check: Check, subject: Callable[[], Subject], expected: str | None) -> None:
        self.check = check
        self.subject = subject
        self._expected = expected

    def result(self) -> Result:
        """Run it and give the result."""
        return run_check(self.check, self.subject(), self._expected)

    def __call__(self) -> None:
        """Run it and tell pytest.

        Raises:
            AssertionError: It failed, or passed against expectation.
        """
        import pytest

        result = self.result()
        if result.outcome == "skipped":
            pytest.skip(result.reason or "")
        if result.outcome == "xfailed":
            pytest.xfail(result.reason or "")
        if result.outcome == "warned":
            with warnings.catch_warnings():
                # Shown in pytest's summary, and never an error: a strict suite is not to fail by a new version of the kit.
                warnings.simplefilter("always", ConformanceWarning)
                warnings.warn(ConformanceWarning(str(result)), stacklevel=2)
        if not result.ok:
            raise AssertionError(str(result))

    def __repr__(self) -> str:
        return f"BoundCheck({self.check.id})"


def conformance(
    plugin: object,
    *cases: Case,
    expected_failures: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    in_process: bool = False,
) -> Callable[[F], F]:
    """Make a pytest test of every check.

    ```python
    @conformance(jackfield_acme, Case(model="m", wire="wire/hello.json", text="hi", usage=(9, 1)))
    def test_conformance(check):
        check()
    ```

    Args:
        plugin: As for `check_provider`.
        cases: As for `check_provider`; paths are also looked for in the test's folder and the one above.
        expected_failures: As for `check_provider`.
        settings: As for `check_provider`.
        in_process: As for `check_provider`.
    """
    expected = _checked(expected_failures or {})

    def decorate(function: F) -> F:
        import pytest

        here = Path(function.__code__.co_filename).parent
        made: list[Subject] = []

        def subject() -> Subject:
            # Bound when the first check runs: a broken plugin fails tests, not their collection.
            if not made:
                folders = (here, here.parent)
                made.append(Subject(plugin, cases, settings=settings, folders=folders, in_process=in_process))
            return made[0]

        bound = [pytest.param(BoundCheck(one, subject, expected.get(one.id)), id=one.id) for one in checks()]
        parametrised: F = pytest.mark.parametrize("check", bound)(function)
        return parametrised

    return decorate
