"""Mutants of answers: a few of each plugin, and that the program sees faults."""

import json
from pathlib import Path

import attrs
import pytest
from fuzz import Fuzz, main, samples_of
from fuzz_samples import Sample
from recordings import folder
from soundness import faults_of

from jackfield import RawEvent, StreamInterruptedError, TextDelta, ToolCallStart, Usage, UsageUpdate

PROVIDERS = (
    "anthropic", "azure-llm", "azure-openai", "bedrock", "cohere", "databricks", "mistral", "openai", "sagemaker", "snowflake",
    "vertex",
)  # fmt: skip


def fuzzed(plugin, source, number, kind=Sample):
    samples = samples_of(Path("plugins") / plugin, source)
    own = [kind(*attrs.astuple(sample, recurse=False)) for sample in samples]
    fuzz = Fuzz(plugin, own, seed=1)
    fuzz.run(range(number))
    return fuzz


@pytest.mark.parametrize("plugin", PROVIDERS)
def test_mutants_of_samples_give_right_answers_or_errors_of_ours(plugin):
    fuzz = fuzzed(plugin, "samples", 100)
    assert fuzz.made == 100
    assert fuzz.faults == {}
    assert {"StreamInterruptedError", "MalformedResponseError"} & fuzz.outcomes.keys()


@pytest.mark.parametrize("plugin", PROVIDERS)
def test_mutants_of_recorded_answers_give_right_answers_or_errors_of_ours(plugin):
    folder()
    fuzz = fuzzed(plugin, "recordings", 100)
    assert fuzz.made == 100
    assert fuzz.faults == {}
    counts = fuzz.counts()
    assert counts["answers"] > 20
    assert sum(counts[name] for name in ("answers", "malformed", "interrupted", "other errors")) == 100


def test_a_mutant_can_be_made_again():
    first, second = (fuzzed("cohere", "samples", 60) for _ in range(2))
    assert first.outcomes == second.outcomes


def test_the_counts_are_written(tmp_path, capsys):
    path = tmp_path / "counts.json"
    assert main(["cohere", "-n", "20", "--from", "samples", "--json", str(path)]) == 0
    (counts,) = json.loads(path.read_text()).values()
    assert (counts["mutants"], counts["faults"]) == (20, 0)
    assert capsys.readouterr().out.splitlines()[-1].split()[:3] == ["all", str(counts["samples"]), "20"]


class Gullible(Sample):
    """Takes a stream that was cut off for a whole one."""

    def decoded(self, data, step=None):
        found = super().decoded(data, step)
        return attrs.evolve(found, error=None) if isinstance(found.error, StreamInterruptedError) else found


class Confused(Sample):
    """Reads what it does not know as text."""

    def decoded(self, data, step=None):
        found = super().decoded(data, step)
        events = [TextDelta("?") if isinstance(one, RawEvent) else one for one in found.events]
        return attrs.evolve(found, events=tuple(events))


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (Gullible, "a part of a stream is a whole answer"),
        (Confused, "unknown_key changes the answer: NoneType"),
    ],
)
def test_a_wrong_answer_is_seen(kind, fault):
    assert fault in fuzzed("openai", "samples", 500, kind).faults


@pytest.mark.parametrize(
    ("event", "fault"),
    [
        (TextDelta(5), "TextDelta.text is a int"),
        (TextDelta("a\ud83d"), "TextDelta holds half a character"),
        (ToolCallStart(0, "", "add"), "a tool call has no id"),
        (UsageUpdate(Usage(units={"image": 7})), "Usage.units[image] is 7"),
    ],
)
def test_what_no_program_can_rely_on_is_seen(event, fault):
    assert list(faults_of([event])) == [fault]
