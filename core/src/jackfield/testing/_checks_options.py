"""Checks of what becomes of options: each is sent, refused or reported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from jackfield._types.capabilities import ParameterRule
from jackfield._types.errors import UnsupportedError
from jackfield._types.option_rules import option_rules
from jackfield._types.options import PARAMETER_NAMES, Options, Reasoning
from jackfield._types.parameters import ParameterNote, Translation
from jackfield._types.requests import Request

from ._bodies import holds_value
from ._case import CaseKind, plain_request
from ._check import check
from ._rich_requests import BATCH_VALUES, TELLTALE, asking, values_for
from ._subject import Probe, Subject

_KINDS: tuple[CaseKind, ...] = ("chat", "completion", "summarization", "embedding", "rerank")

_RULES = {name: rule for name, rule in option_rules(Options).items() if name in PARAMETER_NAMES}
_ZEROS: Mapping[str, Any] = {
    name: False if bool in rule.types else rule.minimum or 0
    for name, rule in _RULES.items()
    if bool in rule.types or int in rule.types
}
_EMPTIES: Mapping[str, Any] = {
    name: () if tuple in rule.types else "" if str in rule.types else {}
    for name, rule in _RULES.items()
    if not rule.keywords and not {int, bool, Reasoning} & {*rule.types}
}


def _notes(made: Translation, name: str) -> list[ParameterNote]:
    # An option of several parts may be reported part by part: "reasoning.effort".
    return [note for note in made.report if note.name == name or note.name.startswith(f"{name}.")]


def _try(subject: Subject, probe: Probe, request: Request) -> Translation | UnsupportedError:
    try:
        return subject.translate(probe.model, request, probe.capabilities)
    except UnsupportedError as error:
        return error


@check(
    "options.accounted",
    law="An option that was given is sent, refused, or reported; none gets lost.",
    remedy="use ParameterWriter: put what the service knows and call finish(), which refuses the rest",
)
def accounted(subject: Subject) -> Iterable[str]:
    for probe in subject.probes_of(*_KINDS):
        for name, value in values_for(probe.kind).items():
            made = _try(subject, probe, asking(probe.kind, name, value))
            if isinstance(made, Translation) and not _notes(made, name):
                yield f"{probe.label}: {name} is neither refused nor in the report"


@check(
    "options.dropped",
    law='With unsupported="drop", what cannot be honoured is dropped and reported, never an error.',
    remedy="call writer.refuse, which knows the policy, instead of raising",
)
def dropped(subject: Subject) -> Iterable[str]:
    for probe in subject.probes_of(*_KINDS):
        for name, value in values_for(probe.kind).items():
            made = _try(subject, probe, asking(probe.kind, name, value, unsupported="drop"))
            if isinstance(made, UnsupportedError):
                yield f"{probe.label}: {name} raises {made}"
            elif not _notes(made, name):
                yield f"{probe.label}: {name} is not in the report"


@check(
    "options.arrive",
    law="What the report calls sent is in the body.",
    remedy="write options with writer.put or writer.write, which do both",
)
def arrive(subject: Subject) -> Iterable[str]:
    for probe in subject.probes_of(*_KINDS):
        for name, value in values_for(probe.kind).items():
            if name not in TELLTALE and (probe.kind, name) not in {
                ("embedding", "dimensions"),
                ("embedding", "user"),
            }:
                continue
            made = _try(subject, probe, asking(probe.kind, name, value))
            if isinstance(made, UnsupportedError):
                continue
            sent = [note for note in _notes(made, name) if note.fate in {"sent", "renamed"}]
            if sent and not holds_value(made.wire.body, value):
                yield f"{probe.label}: {name}={value!r} is reported as {sent[0].fate}, but is not in the body"


@check(
    "options.zero",
    law="Zero, False and the least value are values: they are sent as they are, or refused, or reported.",
    remedy="compare with `is UNSET`; `if value:` drops zero",
)
def zero(subject: Subject) -> Iterable[str]:
    for probe in subject.probes_of("chat", "completion"):
        for name, value in _ZEROS.items():
            made = _try(subject, probe, asking(probe.kind, name, value))
            if isinstance(made, UnsupportedError):
                continue
            notes = _notes(made, name)
            if not notes:
                yield f"{probe.label}: {name}={value!r} got lost"
            elif notes[-1].fate in {"sent", "renamed"} and not _is_at(made.wire.body, notes[-1].wire, value):
                yield f"{probe.label}: {name}={value!r} is reported as {notes[-1].fate}, but is not in the body"


def _is_at(body: Any, path: str | None, value: Any) -> bool:
    """Return whether a body has a dotted path; numbers must be there as they were given."""
    for key in (path or "").split("."):
        if not isinstance(body, Mapping):
            return path is None or not isinstance(body, dict | list)  # a body of its own form
        if key not in body:
            return False
        body = body[key]
    return not isinstance(value, float | int) or not isinstance(body, float | int) or body == value


@check(
    "options.empty",
    law="Empty texts and lists are values: they are not lost.",
    remedy="compare with `is UNSET`; `if value:` drops what is empty",
)
def empty(subject: Subject) -> Iterable[str]:
    for probe in subject.probes_of("chat", "completion"):
        for name, value in _EMPTIES.items():
            made = _try(subject, probe, asking(probe.kind, name, value))
            if isinstance(made, Translation) and not _notes(made, name):
                yield f"{probe.label}: {name}={value!r} is neither refused nor in the report"


class _OptionsOfTomorrow(Options):
    """Options with one that no plugin can know."""

    __slots__ = ()

    def given(self) -> dict[str, Any]:
        """Return the options, and one more."""
        return {**super().given(), "jackfield_tomorrow": 1}


@check(
    "options.unknown",
    law="An option that the plugin does not know is refused, or dropped and reported.",
    remedy="hand request.options.given() to ParameterWriter and call finish()",
)
def unknown(subject: Subject) -> Iterable[str]:
    for probe in subject.probes_of("chat", "completion"):
        request: Any = plain_request(probe.kind)
        strict = attrs.evolve(request, options=_OptionsOfTomorrow())
        if isinstance(_try(subject, probe, strict), Translation):
            yield f"{probe.label}: it is accepted in silence"
        lax = attrs.evolve(request, options=_OptionsOfTomorrow(unsupported="drop"))
        made = _try(subject, probe, lax)
        if isinstance(made, UnsupportedError):
            yield f'{probe.label}: it is refused though unsupported="drop"'
        elif not any(note.fate == "dropped" for note in _notes(made, "jackfield_tomorrow")):
            yield f"{probe.label}: it is dropped in silence"


def _violations(rule: ParameterRule) -> Iterator[tuple[Any, str]]:
    """Return values that a rule forbids, and why."""
    if rule.supported is not False:
        if rule.minimum is not None:
            yield rule.minimum - 1, f"less than {rule.minimum}"
        if rule.maximum is not None:
            yield rule.maximum + 1, f"more than {rule.maximum}"
        if rule.choices is not None and all(isinstance(choice, str) for choice in rule.choices):
            yield "jackfield-no-choice", "none of the choices"


@check(
    "options.rules",
    law="The rules of the plugin's own table are kept: what they forbid is refused, or clamped or dropped and reported.",
    remedy="let ParameterWriter write the option: it reads the rules",
)
def rules(subject: Subject) -> Iterable[str]:
    for probe in subject.probes_of(*_KINDS):
        known = values_for(probe.kind)
        for name, rule in probe.capabilities.parameters.items():
            if name not in known or name in {"reasoning", "tool_choice", "response_format"}:
                continue
            forbidden = (
                [(known[name], "not supported")] if rule.supported is False else list(_violations(rule))
            )
            for value, why in forbidden:
                if isinstance(_try(subject, probe, asking(probe.kind, name, value)), Translation):
                    yield f"{probe.label}: {name}={value!r} is accepted, though {why}"
                made = _try(subject, probe, asking(probe.kind, name, value, unsupported="drop"))
                if isinstance(made, Translation) and not any(
                    note.fate in {"clamped", "dropped"} for note in _notes(made, name)
                ):
                    yield f"{probe.label}: {name}={value!r} is not reported as clamped or dropped, though {why}"


@check(
    "options.batch_truncation",
    law="The wish to cut texts that are too long, or not to, is sent, refused or reported.",
    remedy="put truncate; where the service cuts in silence, tell it not to or report it",
)
def batch_truncation(subject: Subject) -> Iterable[str]:
    for probe in subject.probes_of("embedding", "rerank"):
        if "truncate" not in BATCH_VALUES[probe.kind]:
            continue
        for value in ("error", "start", "end"):
            made = _try(subject, probe, asking(probe.kind, "truncate", value))
            if isinstance(made, Translation) and not _notes(made, "truncate"):
                yield f"{probe.label}: truncate={value!r} is neither refused nor in the report"
