"""Mutants of a plugin's samples: a few of each plugin whose decoder has been held to them, and that the program sees faults."""

from pathlib import Path

import pytest
from fuzz import Fuzz, subject_of
from soundness import faults_of

from jackfield import StreamInterruptedError, TextDelta, ToolCallStart, Usage, UsageUpdate


@pytest.mark.parametrize("plugin", ["anthropic", "bedrock", "vertex", "cohere", "sagemaker"])
def test_mutants_give_right_answers_or_errors_of_ours(plugin):
    fuzz = Fuzz(plugin, subject_of(Path("plugins") / plugin)(), seed=1)
    fuzz.run(range(150))
    assert fuzz.made == 150
    assert fuzz.faults == {}
    assert StreamInterruptedError.__name__ in fuzz.outcomes or "MalformedResponseError" in fuzz.outcomes


def test_a_mutant_can_be_made_again():
    subject = subject_of(Path("plugins/cohere"))()
    first, second = (Fuzz("cohere", subject, seed=7) for _ in range(2))
    first.run(range(60))
    second.run(range(60))
    assert first.outcomes == second.outcomes


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
