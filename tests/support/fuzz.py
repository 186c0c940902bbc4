"""Feed plugins with mutants of their recorded answers: only right answers and our own errors may come out.

    python tests/support/fuzz.py                          # all plugins; or `nox -s fuzz`
    python tests/support/fuzz.py bedrock vertex -n 50000  # some, with so many mutants each

The answers are the cases of each plugin's conformance test. A mutant is named by its plugin, its case and its number,
and `--only NUMBER` makes it again.
"""

from __future__ import annotations

import argparse
import importlib.util
import site
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

from mutations import Body, breaking, harmless
from soundness import faults_of

from jackfield import ConfigurationError, RawEvent
from jackfield.testing import cost_of, reply_of

__all__ = ["Fuzz", "main", "subject_of"]

ROOT: Final = Path(__file__).resolve().parents[2]
PLUGINS: Final = tuple(
    path.parent.relative_to(ROOT) for path in sorted(ROOT.glob("plugins/*/pyproject.toml"))
)
_MUTANTS: Final = 10_000
_SHOWN: Final = 3


def subject_of(plugin: Path) -> Any:
    """Return what the plugin's conformance test checks; None if it has no such test."""
    folder = ROOT / plugin / "tests"
    path = folder / "test_conformance.py"
    if not path.is_file():
        return None
    for place in (ROOT / "tests" / "support", folder):
        site.addsitedir(str(place))  # pytest has them in its path already
    spec = importlib.util.spec_from_file_location(f"conformance_of_{plugin.name.replace('-', '_')}", path)
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    marks = [mark for value in vars(module).values() for mark in getattr(value, "pytestmark", ())]
    checks = [param.values[0] for mark in marks if mark.name == "parametrize" for param in mark.args[1]]
    return next((check.subject for check in checks if hasattr(check, "subject")), None)


class Fuzz:
    """Mutants of one plugin's answers.

    Attributes:
        made: The number of mutants that were decoded.
        outcomes: How many of them were which kind of answer or error.
        faults: The mutants by what was wrong.
    """

    def __init__(self, name: str, subject: Any, seed: int) -> None:
        self._name = name
        self._subject = subject
        self._seed = seed
        self.made = 0
        self.outcomes: Counter[str] = Counter()
        self.faults: dict[str, list[str]] = {}
        self._cases = list(self._readable())

    def _readable(self) -> Iterator[tuple[Any, Body, Any]]:
        for case in self._subject.cases:
            if case.in_process or (case.status or 200) >= 400:
                continue
            data = self._subject.body(case)
            kind = case.head(data).headers.get("content-type", "")
            body = Body.read(data, kind, stream=self._subject.wire(case).stream)
            if body.events:
                yield case, body, self._subject.decoded(case, body.write())

    def run(self, numbers: Iterable[int]) -> None:
        """Make the mutants of these numbers and check what comes of them."""
        for number in numbers:
            if self._cases:
                self.check(number)

    def check(self, number: int) -> None:
        """Make one mutant and check what comes of it."""
        random = Random(f"{self._seed}:{self._name}:{number}")
        case, original, wanted = random.choice(self._cases)
        body = original.copy()
        is_harmless = random.random() < 0.25
        change = (harmless if is_harmless else breaking)(random, body)
        data = body.write()
        step = random.choice((None, None, None, 1, 7))
        label = f"{number} ({case.label}: {change})"
        self.made += 1
        try:
            found = self._subject.decoded(case, data, step=step)
        except Exception as error:
            self._note(f"{type(error).__name__} escapes: {error}"[:120], label)
            return
        self.outcomes["answer" if found.error is None else type(found.error).__name__] += 1
        for fault in self._faults(case, found):
            self._note(fault, label)
        if change == "trailing" and not wanted.ended:
            return  # without an end marker, what follows an answer belongs to it
        if is_harmless and _meaning(found) != _meaning(wanted):
            self._note(f"{change} changes the answer: {type(found.error).__name__}", f"{label} {found.error}")

    def _faults(self, case: Any, found: Any) -> Iterator[str]:
        if isinstance(found.error, ConfigurationError):
            yield f"{type(found.error).__name__}: {found.error}"[:120]
        yield from dict.fromkeys(faults_of(found.events))
        try:
            folded = reply_of(found.events)
        except Exception as error:
            yield f"the events do not fit together: {type(error).__name__}: {error}"[:120]
            return
        try:
            cost_of(self._subject.plugin, self._subject.ref(case), folded.usage)
        except Exception as error:
            yield f"the cost cannot be computed: {type(error).__name__}: {error}"[:120]

    def _note(self, fault: str, label: str) -> None:
        self.faults.setdefault(fault, []).append(label)


def _meaning(decoded: Any) -> Any:
    """Return the events of an answer but for what is kept raw, or the class of its error."""
    if decoded.error is not None:
        return type(decoded.error)
    events = [event for event in decoded.events if not isinstance(event, RawEvent)]
    return [repr(event) for event in events]


def main(arguments: Sequence[str]) -> int:
    """Run the program; the result is its exit status."""
    parser = argparse.ArgumentParser(prog="fuzz", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("plugins", nargs="*", help="names of plugins; all unless given")
    parser.add_argument("-n", "--mutants", type=int, default=_MUTANTS, help="how many for each plugin")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="the number of one mutant")
    options = parser.parse_args(arguments)
    status = 0
    for plugin in PLUGINS:
        if options.plugins and plugin.name not in options.plugins:
            continue
        subject = subject_of(plugin)
        if subject is None:
            continue
        fuzz = Fuzz(plugin.name, subject(), options.seed)
        fuzz.run(range(options.mutants) if options.only is None else [options.only])
        print(f"{plugin.name}: {fuzz.made} mutants; {dict(fuzz.outcomes.most_common())}")
        for fault, labels in sorted(fuzz.faults.items(), key=lambda item: -len(item[1])):
            status = 1
            print(f"  {len(labels)} x {fault}; such as {'; '.join(labels[:_SHOWN])}"[:400])
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
