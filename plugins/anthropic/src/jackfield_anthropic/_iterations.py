"""Read `usage.iterations`: the requests that a call consisted of, some of which the other counts leave out.

A call may consist of several requests: turns of a server's tools, a summary that compacts the context, questions to an
advisor, attempts of models that declined before another model answered. The counts beside `iterations` are those of
the model that answered, without its compactions. Sources: types of Anthropic's SDKs (2026-09: "A `compaction` entry's
tokens are not included in the top-level `usage` fields"); recorded answers with an advisor and with a fallback, 2026.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from jackfield import Usage
from jackfield.plugin import read_count

from ._models import table_name

__all__ = ["UNNAMED", "add_left_out", "longest_prompt", "model_that_answered"]

UNNAMED: Final = "unknown"
"""Stands for a model that the service does not name; it has no rates."""
_TURN: Final = "message"
_ANSWER: Final = "fallback_message"
_INPUTS: Final = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_COUNTS: Final = (*_INPUTS, "output_tokens")

_Entries = Sequence[Mapping[str, Any]]


def model_that_answered(usage: Mapping[str, Any]) -> str | None:
    """Return the model that answered after others had declined; None if there was no such change."""
    named = [entry.get("model") for entry in _entries(usage) if entry.get("type") == _ANSWER]
    return named[-1] if named else None


def longest_prompt(usage: Mapping[str, Any], model: str | None) -> int | None:
    """Return the tokens of the longest prompt among a model's requests, on which the rates of some models depend.

    Args:
        usage: The usage object.
        model: The model; None for the one that answered.
    """
    prompts = [
        sum(_count(entry, name) for name in _INPUTS)
        for entry in _entries(usage)
        if (entry.get("model") is None if model is None else entry.get("model") == model)
        or (model is None and entry.get("type") in (_TURN, _ANSWER))
    ]
    return max(prompts, default=None)


def add_left_out(counted: Usage, usage: Mapping[str, Any], model: str | None) -> Usage:
    """Add the requests that the counts leave out; those of other models stay apart in `Usage.details`.

    Args:
        counted: The counts beside `iterations`.
        usage: The usage object.
        model: The model that the service reports.
    """
    answering = model_that_answered(usage) or model
    for other, entry in _left_out(usage, answering):
        counted = _add(counted, entry, other)
    return counted


def _left_out(
    usage: Mapping[str, Any], answering: str | None
) -> Iterator[tuple[str | None, Mapping[str, Any]]]:
    """Yield each request that the counts leave out, and its model unless it is the one that answered."""
    entries = _entries(usage)
    included: list[Mapping[str, Any]] = []
    open_ones: list[Mapping[str, Any]] = []
    for entry in entries:
        kind, name = entry.get("type"), entry.get("model")
        other = None if name is None or answering is None or _is_same(name, answering) else str(name)
        if kind in (_TURN, _ANSWER) and other is None:
            (included if name is not None or kind == _ANSWER else open_ones).append(entry)
        elif kind in (_TURN, "compaction", "advisor_message", _ANSWER):
            yield (UNNAMED if kind == "advisor_message" and name is None else other), entry
        else:
            open_ones.append(entry)
    # Turns without a model, and kinds of tomorrow: the counts tell whether they include them.
    if not _is_covered(usage, [*included, *open_ones]):
        known = [entry for entry in open_ones if entry.get("type") == _TURN]
        alone = not included and _is_covered(usage, known)
        for entry in open_ones:
            if not (alone and entry in known):
                yield str(entry.get("model") or UNNAMED), entry


def _is_covered(usage: Mapping[str, Any], entries: _Entries) -> bool:
    return all(sum(_count(entry, name) for entry in entries) <= _count(usage, name) for name in _COUNTS)


def _is_same(one: str, other: str) -> bool:
    return one == other or table_name(one) == table_name(other)


def _add(counted: Usage, entry: Mapping[str, Any], other: str | None) -> Usage:
    plain, read, written, output = (_count(entry, name) for name in (*_INPUTS, "output_tokens"))
    split = entry.get("cache_creation")
    split = split if isinstance(split, Mapping) else {}
    hour = _count(split, "ephemeral_1h_input_tokens")
    details = dict(counted.details)
    if other is None:
        added = {
            "cache_write_5m_tokens": _count(split, "ephemeral_5m_input_tokens"),
            "cache_write_1h_tokens": hour,
        }
    else:
        named = {"input": plain, "cache_read": read, "cache_write": written - hour, "cache_write_1h": hour}
        added = {f"{unit}@{other}_tokens": n for unit, n in {**named, "output": output}.items()}
    for name, quantity in added.items():
        if quantity:
            details[name] = details.get(name, 0) + quantity
    return attrs.evolve(
        counted,
        input_tokens=None if counted.input_tokens is None else counted.input_tokens + plain + read + written,
        output_tokens=None if counted.output_tokens is None else counted.output_tokens + output,
        cached_input_tokens=(counted.cached_input_tokens or 0) + read
        if read
        else counted.cached_input_tokens,
        cache_write_tokens=(counted.cache_write_tokens or 0) + written
        if written
        else counted.cache_write_tokens,
        details=details,
    )


def _entries(usage: Mapping[str, Any]) -> _Entries:
    entries = usage.get("iterations")
    return [entry for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else []


def _count(counts: Mapping[str, Any], name: str) -> int:
    return read_count(counts.get(name)) or 0
