"""Checks of what becomes of options: each is sent, refused or reported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any

import attrs

from jackfield._types.capabilities import ParameterRule
from jackfield._types.errors import UnsupportedError
from jackfield._types.option_rules import UNSET, option_rules
from jackfield._types.options import PARAMETER_NAMES, Continuation, Options, Reasoning
from jackfield._types.parameters import ParameterNote, Translation
from jackfield._types.requests import Request

from ._bodies import holds_text, holds_value, keys_of, leaves
from ._case import CaseKind, plain_request
from ._check import check
from ._rich_requests import BATCH_VALUES, TELLTALE, TOOL, asking, schema, values_for
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
    if not rule.keywords and not {int, bool, Reasoning, Continuation} & {*rule.types}
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


@check(
    "options.effective",
    law="What the report calls sent changes what is sent: another body, header or address than without it.",
    remedy="write options with writer.put or writer.write, which do both; report what changes nothing as dropped or emulated",
    gentle=True,
)
def effective(subject: Subject) -> Iterable[str]:
    for probe in subject.probes_of(*_KINDS):
        tried = [pair for pair in values_for(probe.kind).items() if pair[0] != "tool_choice"]
        if probe.kind == "chat":
            tried += [("tool_choice", "required"), ("tool_choice", "none")]
        for name, value in tried:
            bare = attrs.evolve(asking(probe.kind, name, value), **_without(probe.kind, name, value))
            made, without = _try(subject, probe, asking(probe.kind, name, value)), _try(subject, probe, bare)
            if _is_sent(made, name) and _sent(made) == _sent(without):
                yield f"{probe.label}: {name}={value!r} is reported as sent, but changes nothing"
    for probe in subject.probes_of("chat"):
        made, plain = (
            _try(subject, probe, asking("chat", "response_format", one)) for one in (schema(), "json")
        )
        if _is_sent(made, "response_format") and _sent(made) == _sent(plain):
            yield f"{probe.label}: the schema of response_format is reported as sent; what is sent is the wish for JSON"


def _without(kind: CaseKind, name: str, value: Any) -> dict[str, Any]:
    """Return the fields of a request that asks for what an option requires, and not for the option."""
    request: Any = asking(kind, name, value)
    if kind in BATCH_VALUES:
        return {name: UNSET}
    return {"options": attrs.evolve(request.options, **{name: UNSET})}


def _is_sent(made: Translation | UnsupportedError, name: str) -> bool:
    """Return whether an option is reported as sent; a note with a reason says that the service does so anyway."""
    return isinstance(made, Translation) and any(
        note.fate in {"sent", "renamed"} and note.why is None for note in _notes(made, name)
    )


def _sent(made: Translation | UnsupportedError) -> Any:
    if isinstance(made, UnsupportedError):
        return None
    wire = made.wire
    return wire.path, wire.body, dict(wire.headers), dict(wire.query)


@check(
    "options.lists",
    law="Of several stop sequences, and of several tools, each arrives as one of its own.",
    remedy="write the whole list; do not join its entries, and do not take the first alone",
)
def lists(subject: Subject) -> Iterable[str]:
    stops = ("JACKFIELD-STOP", "JACKFIELD-END")
    two = (TOOL(), attrs.evolve(TOOL(), name="jackfield_clock"))
    for probe in subject.probes_of("chat", "completion"):
        made = _try(subject, probe, asking(probe.kind, "stop", stops))
        if isinstance(made, Translation) and _is_sent(made, "stop"):
            missing = set(stops) - {leaf for leaf in leaves(made.wire.body) if isinstance(leaf, str)}
            if missing:
                yield f"{probe.label}: the stop sequence {min(missing)!r} is not in the body as it is"
        if probe.kind != "chat":
            continue
        made = _try(subject, probe, asking("chat", "tools", two))
        if isinstance(made, Translation) and _is_sent(made, "tools"):
            for tool in two:
                if not holds_value(made.wire.body, tool.name):
                    yield f"{probe.label}: the tool {tool.name!r} is not in the body"


_DEEP: Mapping[str, Any] = {
    "type": "object",
    "properties": {"home": {"$ref": "#/$defs/Address"}},
    "required": ["home"],
    "additionalProperties": False,
    "$defs": {
        "Address": {
            "type": "object",
            "properties": {"jackfield_street": {"type": "string"}},
            "required": ["jackfield_street"],
            "additionalProperties": False,
        }
    },
}


@check(
    "options.schemas",
    law="A schema arrives with its definitions and with additionalProperties, or the report says what is missing.",
    remedy="hand the schema on as it is, or resolve $ref; report what the service does not accept",
    gentle=True,
)
def schemas(subject: Subject) -> Iterable[str]:
    tools = (attrs.evolve(TOOL(), parameters=deepcopy(_DEEP)),)
    for probe in subject.probes_of("chat"):
        for name, value in (("tools", tools), ("response_format", deepcopy(_DEEP))):
            made = _try(subject, probe, asking("chat", name, value))
            if not isinstance(made, Translation):
                continue
            if any(
                note.fate in {"dropped", "emulated"} and note.name.startswith(name) for note in made.report
            ):
                continue
            keys = {key.replace("_", "").lower() for key in keys_of(made.wire.body)}
            for wanted in ("jackfieldstreet", "additionalproperties"):
                if wanted not in keys:
                    yield f"{probe.label}: {name} arrive without {wanted}, and the report does not say so"


_EXPECTED_KEYS = frozenset({"model", "stream", "messages", "prompt", "input", "inputs", "contents"})


@check(
    "options.unasked",
    law="A plain request sends the model and the text; what the service requires besides is reported as defaulted.",
    remedy="leave it out, or use writer.default(...); for what belongs to the format give Case(..., always=(key,))",
    gentle=True,
)
def unasked(subject: Subject) -> Iterable[str]:
    always = {name for case in subject.cases for name in case.always}
    for probe in subject.probes_of():
        told = {note.wire for note in probe.plain.report if note.wire}
        for path in _own_keys(probe.plain.wire.body, probe.model.id):
            name = path.rpartition(".")[2]
            if not {path, name} & (always | told) and not any(
                one.startswith(f"{path}.") or path.endswith(one) for one in told
            ):
                yield f"{probe.label}: {path} is sent, though nobody asked for it and the report does not say so"


def _own_keys(body: Any, model: str, within: str = "") -> Iterator[str]:
    """Return the paths of a plain body that hold neither a text of the request nor the model's id."""
    for key, entry in body.items() if isinstance(body, Mapping) else ():
        path = f"{within}{key}"
        if any(holds_text(entry, text) for text in (*_PLAIN_TEXTS, model)):
            yield from _own_keys(entry, model, f"{path}.")
        elif key not in _EXPECTED_KEYS:
            yield path


_PLAIN_TEXTS = ("Why is the sky blue?", "Light is scattered.", "Cats purr.")


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
    "options.excluded",
    law="Options that exclude one another by the plugin's own table are not sent together.",
    remedy="let ParameterWriter write the options: it reads `excludes` of the rules",
)
def excluded(subject: Subject) -> Iterable[str]:
    for probe in subject.probes_of(*_KINDS):
        known = values_for(probe.kind)
        for name, rule in probe.capabilities.parameters.items():
            for other in rule.excludes if name in known else ():
                if other not in known:
                    continue
                if isinstance(
                    _try(subject, probe, asking(probe.kind, name, known[name], **{other: known[other]})),
                    Translation,
                ):
                    yield f"{probe.label}: {name} is accepted together with {other}, which its rule excludes"


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
