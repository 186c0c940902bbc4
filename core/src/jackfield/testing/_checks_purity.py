"""Checks that hooks only compute: no I/O, no traces, the same answer twice."""

from __future__ import annotations

import copy
import os
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import attrs

from jackfield._contract.protocols import CostContext
from jackfield._types.errors import JackfieldError, UnsupportedError
from jackfield._types.failures import Failure
from jackfield._types.usage import Usage
from jackfield._types.wire import Headers

from ._case import CaseKind, plain_request
from ._check import check
from ._findings import Warn
from ._guard import no_sockets
from ._rich_requests import rich_request
from ._subject import SECRET_NAME, Probe, Subject
from ._watch import watch_environment, watch_waiting

_USAGE = Usage(1000, 200, 300, 100, 50)
_CONTEXT = CostContext(when=1_780_000_000.0)


def _every_hook(subject: Subject) -> dict[str, Callable[[], Any]]:
    """Return a call of each hook, by a name for messages."""
    hooks, settings = subject.hooks, subject.settings
    calls: dict[str, Callable[[], Any]] = {
        "jackfield_provider": lambda: hooks.info,
        "jackfield_discover": lambda: hooks.discover(settings),
        "jackfield_table": lambda: hooks.table(settings),
        "jackfield_transport": lambda: hooks.transport(settings),
        "jackfield_error": lambda: hooks.error(None, Failure(429, Headers(), b"{}")),
    }
    for model, kind in subject.models:
        where = f" for {kind} with {model.id}"
        calls[f"jackfield_capabilities{where}"] = partial(hooks.capabilities, model)
        calls[f"jackfield_cost{where}"] = partial(hooks.cost, model, _USAGE, _CONTEXT)
    for probe in subject.probes:
        where = f" for {probe.label}"
        calls[f"jackfield_translate{where}"] = partial(_translated, subject, probe)
        calls[f"jackfield_decoder{where}"] = partial(hooks.decoder, probe.model, probe.plain.wire)
    return calls


def _translated(subject: Subject, probe: Probe) -> Any:
    try:
        return subject.translate(probe.model, rich_request(probe.kind), probe.capabilities)
    except UnsupportedError:
        return subject.translate(probe.model, plain_request(probe.kind), probe.capabilities)


@check(
    "purity.offline",
    law="Hooks do no network I/O.",
    remedy="take the data from a table in the plugin; what must be asked for belongs into jackfield_discover's "
    "Listing or into the transport",
)
def offline(subject: Subject) -> Iterable[str]:
    calls = _every_hook(subject)
    for name, call in calls.items():
        with no_sockets() as attempts:
            try:
                call()
            except JackfieldError:
                pass  # a refusal is an answer
            except AssertionError:
                if not attempts:
                    raise
        if attempts:
            yield f"{name} reaches for the network ({attempts[0]})"


@check(
    "purity.no_traces",
    law="Hooks start no thread and change no environment variable.",
    remedy="put it where the connection opens",
)
def no_traces(subject: Subject) -> Iterable[str]:
    for name, call in _every_hook(subject).items():
        environment, threads = dict(os.environ), set(threading.enumerate())
        try:
            call()
        except JackfieldError:
            pass
        if dict(os.environ) != environment:
            yield f"{name} changes the environment"
            os.environ.clear()
            os.environ.update(environment)
        started = set(threading.enumerate()) - threads
        if started:
            yield f"{name} starts the thread {started.pop().name}"


@check(
    "purity.environment",
    law="Hooks read no secret out of the environment: the core reads it, from where the settings say.",
    remedy="declare the setting with jackfield.plugin.secret(env=...); other variables belong into the settings, too",
)
def environment(subject: Subject) -> Iterable[str]:
    for name, call in _every_hook(subject).items():
        with watch_environment() as read:
            try:
                call()
            except JackfieldError:
                pass
        for variable in dict.fromkeys(read):
            found = f"{name} reads {variable}"
            yield found if SECRET_NAME.search(variable.lower()) else Warn(found)


@check(
    "purity.no_waiting",
    law="Hooks and decoders neither sleep nor print.",
    remedy="what has to wait belongs into the transport; use logging, as standard output is the program's",
)
def no_waiting(subject: Subject) -> Iterable[str]:
    calls = _every_hook(subject)
    for case in subject.cases:
        calls[f"reading {case.label}"] = partial(subject.decoded, case)
    for name, call in calls.items():
        with watch_waiting() as seen:
            try:
                call()
            except JackfieldError:
                pass
        if seen:
            yield f"{name} {seen[0]}"


@check(
    "purity.same_answer",
    law="A hook gives the same answer to the same question.",
    remedy="keep no state between calls, and no clock and no random numbers in what is sent",
)
def same_answer(subject: Subject) -> Iterable[str]:
    for name, call in _every_hook(subject).items():
        if name.startswith(
            ("jackfield_decoder", "jackfield_transport", "jackfield_discover", "jackfield_error")
        ):
            continue
        try:
            first = copy.deepcopy(_comparable(call()))
            second = _comparable(call())
        except JackfieldError:
            continue
        if first != second:
            yield f"{name} gives two answers"


def _comparable(value: Any) -> Any:
    if attrs.has(type(value)) and hasattr(value, "wire") and hasattr(value, "report"):
        wire = value.wire
        return (wire.path, wire.body, dict(wire.headers), dict(wire.query), wire.stream, value.report)
    return value


def _probes(subject: Subject) -> Iterable[tuple[Probe, CaseKind]]:
    return ((probe, probe.kind) for probe in subject.probes_of())


@check(
    "purity.input_unchanged",
    law="Translation leaves the request and the capabilities as they were.",
    remedy="copy what you change: `{**schema, ...}`, never `schema[...] = ...`",
)
def input_unchanged(subject: Subject) -> Iterable[str]:
    for probe, kind in _probes(subject):
        for make in (rich_request, plain_request):
            request = make(kind)
            before, capabilities = copy.deepcopy(request), copy.deepcopy(probe.capabilities)
            try:
                subject.translate(probe.model, request, probe.capabilities)
            except UnsupportedError:
                pass
            if request != before:
                yield f"{probe.label}: the request is not what it was"
            if probe.capabilities != capabilities:
                yield f"{probe.label}: the capabilities are not what they were"


@check(
    "purity.own_wire",
    law="Every translation gives a wire of its own: changing one changes no other.",
    remedy="build the body anew in each call; do not hand out a module's dict",
)
def own_wire(subject: Subject) -> Iterable[str]:
    for probe, kind in _probes(subject):
        first = subject.translate(probe.model, plain_request(kind), probe.capabilities).wire
        kept = copy.deepcopy(first.body)
        _spoil(first.body)
        if subject.translate(probe.model, plain_request(kind), probe.capabilities).wire.body != kept:
            yield f"{probe.label}: a changed body shows up in the next wire"


def _spoil(value: Any) -> None:
    if isinstance(value, dict):
        for entry in value.values():
            _spoil(entry)
        value["spoilt"] = True
    elif isinstance(value, list):
        for entry in value:
            _spoil(entry)
        value.append("spoilt")


@check(
    "purity.quick",
    law="Translating a plain request takes well under 20 ms of CPU time.",
    remedy="make tables and patterns once, at import",
    gentle=True,
)
def quick(subject: Subject) -> Iterable[str]:
    for probe in subject.probes_of():
        best = min(_seconds(subject, probe) for _ in range(5))
        if best > 0.02:
            yield f"{probe.label} takes {best * 1000:.0f} ms"


def _seconds(subject: Subject, probe: Probe) -> float:
    began = time.thread_time()
    subject.translate(probe.model, plain_request(probe.kind), probe.capabilities)
    return time.thread_time() - began
