"""Feed plugins with mutants of their answers: only right answers and our own errors may come out.

    python tests/support/fuzz.py                          # all plugins; or `nox -s fuzz`
    python tests/support/fuzz.py bedrock vertex -n 50000  # some, with so many mutants each
    python tests/support/fuzz.py --from recordings --json counts.json

The answers are the samples of each plugin's conformance test and, where it is there, recorded traffic. A mutant is named
by its plugin and its number, and `--only NUMBER` makes it again.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

from fuzz_samples import PLUGINS, Sample, kit_samples, recorded_samples, subjects_of
from mutations import breaking, cut, harmless, nulled
from soundness import faults_of

from jackfield import ConfigurationError, JackfieldError, RawEvent, Text, Thinking, ToolCallDelta
from jackfield.plugin import EmbeddingData, TokensCounted
from jackfield.testing import reply_of

__all__ = ["Fuzz", "main", "samples_of"]

_MUTANTS: Final = 10_000
_SHOWN: Final = 3
_SOURCES: Final = ("all", "samples", "recordings")
_ENDS: Final = re.compile(rb'"(?:finish_?reason|stop_?reason)": ?"', re.IGNORECASE)
_COLUMNS: Final = ("answers", "malformed", "interrupted", "other errors", "faults")
_COLUMN_OF: Final = {
    "answer": "answers",
    "MalformedResponseError": "malformed",
    "StreamInterruptedError": "interrupted",
}


def samples_of(plugin: Path, source: str = "all") -> list[Sample]:
    """Return the answers of a plugin: those of its conformance tests, recorded ones, or all."""
    subjects = subjects_of(plugin)
    found = [] if source == "recordings" else [one for subject in subjects for one in kit_samples(subject)]
    return found if source == "samples" else [*found, *recorded_samples(plugin.name, subjects)]


class Fuzz:
    """Mutants of one plugin's answers.

    Attributes:
        name: The plugin.
        made: The number of mutants that were decoded.
        outcomes: How many of them were which kind of answer or error.
        faults: The mutants by what was wrong.
    """

    def __init__(self, name: str, samples: Iterable[Sample], seed: int) -> None:
        self.name = name
        self._seed = seed
        self.made = 0
        self.outcomes: Counter[str] = Counter()
        self.faults: dict[str, list[str]] = {}
        self._groups: dict[str, list[Sample]] = {}
        self._samples = list(samples)
        for sample in self._samples:
            self._groups.setdefault(sample.group, []).append(sample)
        self._names = sorted(self._groups)
        self._wanted: dict[int, Any] = {}

    def run(self, numbers: Iterable[int]) -> None:
        """Make the mutants of these numbers and check what comes of them."""
        for number in numbers:
            if self._samples:
                self.check(number)

    def counts(self) -> dict[str, int]:
        """Return how many mutants came to what."""
        found = dict.fromkeys(("samples", "mutants", *_COLUMNS), 0)
        found["samples"], found["mutants"] = len(self._samples), self.made
        for outcome, number in self.outcomes.items():
            found[_COLUMN_OF.get(outcome, "other errors")] += number
        found["faults"] = sum(map(len, self.faults.values()))
        return found

    def check(self, number: int) -> None:
        """Make one mutant and check what comes of it."""
        random = Random(f"{self._seed}:{self.name}:{number}")
        # Every other one of any sample, the others of any API: some APIs have few samples. Long ones are rarer, for time.
        group = self._groups[random.choice(self._names)] if random.random() < 0.5 else self._samples
        sample = min(random.choice(group), random.choice(group), key=lambda one: one.size)
        kind = random.choices((self._break, self._leave, self._cut, self._null), (55, 25, 10, 10))[0]
        self.made += 1
        kind(random, sample, f"{number} ({sample.group} {sample.label}")

    def _break(self, random: Random, sample: Sample, label: str) -> None:
        body = sample.body.copy()
        change = breaking(random, body)
        self._decode(sample, body.write(), f"{label}: {change})", _step(random, sample))

    def _leave(self, random: Random, sample: Sample, label: str) -> None:
        """Check that a change that means nothing changes nothing."""
        body = sample.body.copy()
        change = harmless(random, body)
        label = f"{label}: {change})"
        found = self._decode(sample, body.write(), label, _step(random, sample))
        wanted = self._original(sample)
        if change == "trailing" and not wanted.ended:
            return  # without an end marker, what follows an answer belongs to it
        if found is not None and not _mean_the_same(found, wanted):
            self._note(f"{change} changes the answer: {type(found.error).__name__}", f"{label} {found.error}")

    def _cut(self, random: Random, sample: Sample, label: str) -> None:
        """Check that an answer that says that it has ended is not whole before."""
        found = self._decode(sample, cut(random, sample.body.copy()), f"{label}: cut)")
        wanted = self._original(sample)
        if sample.is_failure or wanted.error is not None or found is None or found.error is not None:
            return
        if sample.body.form == "json":
            self._note("a part of a whole answer is an answer", f"{label}: cut)")
        elif _has_one_end(sample, wanted) and _claims_an_end(found) and _said(found) != _said(wanted):
            self._note("a part of a stream is a whole answer", f"{label}: cut)")

    def _null(self, random: Random, sample: Sample, label: str) -> None:
        """Check that a field of null means as much as no field, where the answer is complete without it."""
        body = sample.body.copy()
        without = nulled(random, body)
        found = self._decode(sample, body.write(), f"{label}: null)")
        wanted = self._original(sample)
        if without is None or found is None or wanted.error is not None:
            return
        lacking = sample.decoded(without.write())
        if lacking.error is None and _said(lacking) == _said(wanted):
            if found.error is not None:
                self._note(f"null is an error: {found.error}"[:120], f"{label}: null)")
            elif _said(found) != _said(wanted):
                self._note("null changes the answer", f"{label}: null)")

    def _original(self, sample: Sample) -> Any:
        key = id(sample)
        if key not in self._wanted:
            self._wanted[key] = sample.decoded(sample.body.write())
        return self._wanted[key]

    def _decode(self, sample: Sample, data: bytes, label: str, step: int | None = None) -> Any:
        """Return what comes of bytes; None for a fault."""
        try:
            found = sample.decoded(data, step)
        except Exception as error:
            self._note(f"{type(error).__name__} escapes: {error}"[:120], label)
            return None
        self.outcomes["answer" if found.error is None else type(found.error).__name__] += 1
        for fault in self._faults(sample, found):
            self._note(fault, label)
        return found

    def _faults(self, sample: Sample, found: Any) -> Iterator[str]:
        if isinstance(found.error, ConfigurationError) or not isinstance(found.error, JackfieldError | None):
            yield f"{type(found.error).__name__}: {found.error}"[:120]
        if sample.is_failure and found.error is None:
            yield "an error by its status is an answer"
        yield from dict.fromkeys(faults_of(found.events))
        try:
            folded = reply_of(found.events)
        except Exception as error:
            yield f"the events do not fit together: {type(error).__name__}: {error}"[:120]
            return
        try:
            sample.cost(folded.usage)
        except Exception as error:
            yield f"the cost cannot be computed: {type(error).__name__}: {error}"[:120]

    def _note(self, fault: str, label: str) -> None:
        self.faults.setdefault(fault, []).append(label)


def _step(random: Random, sample: Sample) -> int | None:
    """Return in pieces of how many bytes an answer comes; long ones in larger pieces, for time."""
    return random.choice((None, None, None, 1 + sample.size // 2000, 7 + sample.size // 500))


def _mean_the_same(found: Any, wanted: Any) -> bool:
    """Return whether two answers have the same events but for what is kept raw, or errors of the same class."""
    if found.error is not None or wanted.error is not None:
        return type(found.error) is type(wanted.error)
    one, two = (
        [_comparable(e) for e in each.events if not isinstance(e, RawEvent)] for each in (found, wanted)
    )
    return one == two or repr(one) == repr(two)  # what is no number is not equal to itself


def _has_one_end(sample: Sample, wanted: Any) -> bool:
    """Return whether a stream says that it has ended, and says so once; Gemini may stop before each tool that it runs."""
    return (wanted.ended or wanted.is_whole) and len(_ENDS.findall(sample.body.write())) <= len(
        wanted.finishes()
    )


def _claims_an_end(found: Any) -> bool:
    """Return whether an answer has a reason for its end; those of dialects without an end marker may have none."""
    return all(end.reason != "other" for ends in found.finishes().values() for end in ends)


def _comparable(event: Any) -> Any:
    """Return what is compared of an event: an array as a list, arguments without the order of their keys."""
    if isinstance(event, EmbeddingData):
        return event.index, event.vector.tolist()
    if isinstance(event, ToolCallDelta):
        try:
            return event.index, event.choice, json.loads(event.arguments)
        except ValueError:  # a piece
            return event
    return event


def _said(decoded: Any) -> Any:
    """Return the contents of an answer: texts, thoughts and calls of each choice, vectors and a count."""
    answer = decoded.folded
    vectors = {index: vector.tolist() for index, vector in answer.vectors.items()}
    counts = [event.input_tokens for event in decoded.events if isinstance(event, TokensCounted)]
    return counts, vectors, {choice.index: _said_by(choice) for choice in answer.choices}


def _said_by(choice: Any) -> Any:
    texts = [
        "".join(part.text or "" for part in choice.message.parts if isinstance(part, kind))
        for kind in (Text, Thinking)
    ]
    return texts, [(call.name, call.arguments_raw) for call in choice.message.tool_calls]


def _table(counts: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    heads = ("samples", "mutants", *_COLUMNS)
    yield " ".join(["plugin".ljust(14), *(head.rjust(12) for head in heads)])
    total = {head: sum(row[head] for row in counts.values()) for head in heads}
    for name, row in [*counts.items(), ("all", total)]:
        yield " ".join([name.ljust(14), *(f"{row[head]:12,}" for head in heads)])


def _fuzzed(options: argparse.Namespace, told: Callable[[str], None]) -> Iterator[Fuzz]:
    for plugin in PLUGINS:
        if options.plugins and plugin.name not in options.plugins:
            continue
        samples = samples_of(plugin, options.source)
        if not samples:
            continue
        fuzz = Fuzz(plugin.name, samples, options.seed)
        fuzz.run(range(options.mutants) if options.only is None else [options.only])
        told(f"{plugin.name}: {fuzz.made} mutants; {dict(fuzz.outcomes.most_common())}")
        for fault, labels in sorted(fuzz.faults.items(), key=lambda item: -len(item[1])):
            told(f"  {len(labels)} x {fault}; such as {'; '.join(labels[:_SHOWN])}"[:400])
        yield fuzz


def main(arguments: Sequence[str]) -> int:
    """Run the program; the result is its exit status."""
    parser = argparse.ArgumentParser(prog="fuzz", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("plugins", nargs="*", help="names of plugins; all unless given")
    parser.add_argument("-n", "--mutants", type=int, default=_MUTANTS, help="how many for each plugin")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="the number of one mutant")
    parser.add_argument(
        "--from", dest="source", choices=_SOURCES, default="all", help="which answers are changed"
    )
    parser.add_argument("--json", type=Path, help="a file to write the counts to, by plugin")
    options = parser.parse_args(arguments)
    done = list(_fuzzed(options, lambda line: print(line, flush=True)))
    counts = {fuzz.name: fuzz.counts() for fuzz in done}
    print("\n".join(_table(counts)))
    if options.json is not None:
        options.json.write_text(json.dumps(counts, indent=1) + "\n")
    return int(any(fuzz.faults for fuzz in done))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
