"""Show results and capabilities as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from jackfield._types.capabilities import FEATURES, Capability

from ._check import Result
from ._subject import PROBE_MODEL, Subject

__all__ = ["capability_table", "result_table", "summary"]

_MARKS = {
    "passed": "ok",
    "failed": "FAIL",
    "xfailed": "xfail",
    "xpassed": "XPASS",
    "skipped": "-",
    "warned": "warn",
}
_WORDS = {True: "yes", False: "no", None: "unknown"}


def result_table(results: Sequence[Result], *, verbose: bool = False) -> str:
    """Yield the results line by line, each remedy below its line."""
    width = max((len(result.check) for result in results), default=0)
    lines = []
    for result in results:
        if result.outcome == "skipped" and not verbose:
            continue
        line = f"{_MARKS[result.outcome]:5}  {result.check:{width}}"
        shows_reason = result.outcome not in {"passed", "failed"} and result.reason
        lines.append(f"{line}  {result.reason}" if shows_reason else line.rstrip())
        if result.outcome == "failed":
            lines += [
                f"         law     {result.law}",
                f"         found   {result.reason}",
                f"         remedy  {result.remedy}",
            ]
    return "\n".join(lines)


def summary(results: Iterable[Result]) -> str:
    """Count the outcomes."""
    counts = Counter(result.outcome for result in results)
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))


def capability_table(subject: Subject) -> str:
    """Return the capabilities of the cases' models as a Markdown table."""
    models = {
        model.id: subject.capabilities(model)
        for model, _ in subject.models
        if model.id != PROBE_MODEL or not subject.cases
    }
    shown = {
        "any other model" if name == PROBE_MODEL else f"`{name}`": known for name, known in models.items()
    }
    rows = [["", *shown], ["---", *("---" for _ in shown)]]
    rows.append(["kinds", *(", ".join(sorted(known.kinds)) or "unknown" for known in shown.values())])
    for name in FEATURES:
        known_of = [known.feature(name) for known in shown.values()]
        if any(capability.value is not None for capability in known_of):  # a row of "unknown" alone is noise
            rows.append([f"`{name}`", *map(_word, known_of)])
    limits = ("context_window", "max_output_tokens", "max_inputs", "dimensions")
    for limit in limits:
        values = [getattr(known.limits, limit) for known in shown.values()]
        if any(value is not None for value in values):
            rows.append([f"`{limit}`", *("unknown" if value is None else f"{value:,}" for value in values)])
    info = subject.hooks.info
    heading = f"**{info.title}** (`{info.id}`): {', '.join(sorted(info.kinds))}"
    return "\n".join([heading, "", *(f"| {' | '.join(row)} |" for row in rows)])


def _word(capability: Capability) -> str:
    return _WORDS[capability.value]
