"""Checks of the wire that a request becomes."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from jackfield._types.content import Message, RawPart, Text, Thinking
from jackfield._types.errors import JackfieldError, UnsupportedError
from jackfield._types.options import Options
from jackfield._types.parameters import ParameterReport, Translation
from jackfield._types.requests import ChatRequest
from jackfield._types.wire import Wire

from ._bodies import holds_schema, holds_text, keys_of, pairs_of
from ._case import plain_request
from ._check import check
from ._findings import SkipCheck
from ._rich_requests import TOOL, conversation, rich_request, with_options
from ._subject import KEY, PROBE_MODEL, Probe, Subject, refused

_TEXTS = {
    "letters of all scripts": "Æther, ελληνικά, עברית, 日本語, 𝕄ath, e\u0301",
    "emoji with joiners": "👩🏽‍🚀 and 🏳️‍🌈",
    "quotes and backslashes": "\"quoted\" \\ 'single' {braces} %s $x <tag> &amp;",
    "line ends": "one\ntwo\r\nthree\u2028four\x85five",
    "a NUL byte": "before\x00after",
    "blanks at both ends": " \n\t jackfield \t\n ",
}
_LONG = 300_000


def _http(subject: Subject) -> str | None:
    return None if subject.speaks_http else "its transport is its own"


@check(
    "translate.gives",
    law="Translation gives a Translation: one Wire and a ParameterReport.",
    remedy="return Translation(Wire(...), writer.finish())",
)
def gives(subject: Subject) -> Iterable[str]:
    for model, kind in subject.models:
        where = f"{kind} with {model.id}"
        try:
            made: Any = subject.translate(model, plain_request(kind))
        except JackfieldError as error:
            # A plugin may know all its models and refuse others; those of the cases it must know.
            if model.id != PROBE_MODEL or type(error).__name__ == "PluginError":
                yield f"{where}: a plain request is refused: {error}"
            continue
        if not isinstance(made.wire, Wire):
            yield f"{where}: the wire is a {type(made.wire).__name__}"
        if not isinstance(made.report, ParameterReport):
            yield f"{where}: the report is a {type(made.report).__name__}"


@check(
    "translate.sendable",
    law="A wire is data: JSON-able body, text in path, headers and query.",
    remedy="convert enums, decimals, bytes and dates when you write them into the body",
    applies=_http,
)
def sendable(subject: Subject) -> Iterable[str]:
    for probe in subject.probes_of():
        for made in _translations(subject, probe):
            wire = made.wire
            texts = {
                "path": [wire.path, wire.method],
                "headers": _items(wire.headers),
                "query": _items(wire.query),
            }
            for place, values in texts.items():
                wrong = [value for value in values if not isinstance(value, str)]
                if wrong:
                    yield f"{probe.label}: {place} holds {wrong[0]!r}, which is not text"
            if not isinstance(wire.body, bytes | None):
                try:
                    orjson.dumps(wire.body, option=orjson.OPT_NON_STR_KEYS)
                except TypeError as error:
                    yield f"{probe.label}: the body is not JSON-able: {error}"


def _items(mapping: Mapping[str, str]) -> list[Any]:
    return [value for pair in mapping.items() for value in pair]


def _translations(subject: Subject, probe: Probe) -> Iterable[Translation]:
    yield probe.plain
    try:
        yield subject.translate(probe.model, rich_request(probe.kind), probe.capabilities)
    except UnsupportedError:
        pass


@check(
    "translate.no_secret",
    law="No secret shows in a wire, a report, a setting or a transport when it is printed.",
    remedy="leave secrets in Secret objects and give them to the core as `auth`",
)
def no_secret(subject: Subject) -> Iterable[str]:
    shown: dict[str, object] = {
        "the settings": subject.settings,
        "what jackfield_transport gives": subject.hooks.transport(subject.settings),
        "what jackfield_discover gives": subject.hooks.discover(subject.settings),
    }
    for probe in subject.probes:
        shown[f"the model reference of {probe.label}"] = probe.model
        for number, made in enumerate(_translations(subject, probe)):
            what = "a rich" if number else "a plain"
            shown[f"the translation of {what} request for {probe.label}"] = made
            wire = made.wire
            shown[f"the wire of {what} request for {probe.label}"] = (
                wire.body,
                wire.headers,
                wire.query,
                wire.meta,
            )
    for what, value in shown.items():
        if KEY in repr(value) or KEY in str(value):
            yield f"{what} shows the key"


@check(
    "translate.streams",
    law="A wire asks for a stream if, and only if, the request does.",
    remedy="pass stream=request.stream to Wire, and say so in the body where the service wants it",
)
def streams(subject: Subject) -> Iterable[str]:
    for probe in subject.probes_of("chat", "completion"):
        if probe.plain.wire.stream:
            yield f"{probe.label}: the wire of a whole answer asks for a stream"
        if ("stream", True) in pairs_of(probe.plain.wire.body):
            yield f"{probe.label}: the body of a whole answer asks for a stream"
        request = plain_request(probe.kind, stream=True)
        try:
            wire = subject.translate(probe.model, request, probe.capabilities).wire
        except UnsupportedError:
            continue
        if not wire.stream:
            yield f"{probe.label}: the wire of a streamed answer does not say so"
        if ("stream", False) in pairs_of(wire.body):
            yield f"{probe.label}: the body of a streamed answer asks for a whole one"


@check(
    "translate.texts",
    law="Every text arrives as it was written.",
    remedy="put the string into the body as it is; the core serialises it",
)
def texts(subject: Subject) -> Iterable[str]:
    for probe in subject.probes_of():
        for what, text in {**_TEXTS, "a very long text": "x" * _LONG + "end"}.items():
            try:
                made = subject.translate(
                    probe.model, plain_request(probe.kind, text=text), probe.capabilities
                )
            except JackfieldError as error:
                if type(error).__name__ == "PluginError":
                    yield f"{probe.label}: {what}: {error}"
                continue
            if not holds_text(made.wire.body, text):
                yield f"{probe.label}: {what} did not arrive"


@check(
    "translate.empty_text",
    law="An empty text is translated or refused, not tripped over.",
    remedy="do not index into parts or texts that may be empty",
)
def empty_text(subject: Subject) -> Iterable[str]:
    for probe in subject.probes_of():
        try:
            subject.translate(probe.model, plain_request(probe.kind, text=""), probe.capabilities)
        except JackfieldError as error:
            if type(error).__name__ == "PluginError":
                yield f"{probe.label}: {error}"


_WIRE_NAMES = frozenset(
    [
        "temperature",
        "topp",
        "p",
        "topk",
        "k",
        "stop",
        "stopsequences",
        "maxtokens",
        "maxcompletiontokens",
        "maxoutputtokens",
        "maxnewtokens",
        "maxtokenstosample",
        "seed",
        "randomseed",
        "presencepenalty",
        "frequencypenalty",
        "logitbias",
        "logprobs",
        "toplogprobs",
        "responselogprobs",
        "n",
        "numgenerations",
        "candidatecount",
        "tools",
        "toolconfig",
        "toolchoice",
        "paralleltoolcalls",
        "responseformat",
        "responseschema",
        "reasoning",
        "reasoningeffort",
        "thinking",
        "thinkingconfig",
        "user",
        "suffix",
        "dimensions",
        "inputtype",
        "topn",
        "repetitionpenalty",
        "dosample",
        "safetysettings",
        "store",
        "metadata",
    ]
)


@check(
    "translate.nothing_added",
    law="What was not given is not sent, unless the service requires it, and then it is reported as defaulted.",
    remedy="leave the service its own defaults; use writer.default(...) where it has none",
)
def nothing_added(subject: Subject) -> Iterable[str]:
    for probe in subject.probes_of():
        noted = {
            (note.wire or "").rpartition(".")[2]
            for note in probe.plain.report
            if note.fate in {"defaulted", "emulated"}
        }
        for key in dict.fromkeys(keys_of(probe.plain.wire.body)):
            if key.replace("_", "").replace("-", "").lower() in _WIRE_NAMES and key not in noted:
                yield f"{probe.label}: {key} is sent, though nobody asked for it and the report does not say so"


@check(
    "translate.foreign_extra",
    law="`extra` of other providers is not sent.",
    remedy="merge only your own id: writer.merge_extra(request.options.extra, PROVIDER_ID)",
)
def foreign_extra(subject: Subject) -> Iterable[str]:
    for probe in subject.probes_of():
        request = with_options(plain_request(probe.kind), extra={"jackfield-nobody": {"jackfield_probe": 1}})
        made = subject.translate(probe.model, request, probe.capabilities)
        if "jackfield_probe" in set(keys_of(made.wire.body)):
            yield f"{probe.label}: the extra of jackfield-nobody is in the body"


@check(
    "translate.own_extra",
    law="`extra` of this provider is merged into the body.",
    remedy="call writer.merge_extra(request.options.extra, PROVIDER_ID) for every kind of request",
    applies=_http,
)
def own_extra(subject: Subject) -> Iterable[str]:
    for probe in subject.probes_of():
        extra = {subject.hooks.info.id: {"jackfield_probe": {"deep": 1}}}
        made = subject.translate(
            probe.model, with_options(plain_request(probe.kind), extra=extra), probe.capabilities
        )
        if not {"jackfield_probe", "deep"} <= set(keys_of(made.wire.body)):
            yield f"{probe.label}: the provider's own extra is not in the body"


@check(
    "translate.tools",
    law="A tool's name, description and schema arrive whole, or the tools are refused or reported.",
    remedy="hand the schema on as it is; report what the service cannot take",
)
def tools(subject: Subject) -> Iterable[str]:
    for probe in subject.probes_of("chat"):
        tool = TOOL()
        request = with_options(plain_request("chat"), tools=(tool,))
        if refused(subject.translate, probe.model, request, probe.capabilities):
            continue
        made = subject.translate(probe.model, request, probe.capabilities)
        if any(
            note.name.startswith("tools") and note.fate in {"dropped", "emulated"} for note in made.report
        ):
            continue
        missing = [
            text for text in (tool.name, str(tool.description)) if not holds_text(made.wire.body, text)
        ]
        if missing:
            yield f"{probe.label}: {missing[0]!r} is not in the body"
        if not holds_schema(made.wire.body, tool.parameters):
            yield f"{probe.label}: the schema is not in the body"


@check(
    "translate.conversation",
    law="A conversation with a tool call and its result arrives whole.",
    remedy="translate ToolCall and ToolResult parts: name, arguments, and the result's text",
)
def arrives_whole(subject: Subject) -> Iterable[str]:
    for probe in subject.probes_of("chat"):
        request = ChatRequest(conversation(), Options(tools=(TOOL(),)))
        if refused(subject.translate, probe.model, request, probe.capabilities):
            continue
        body = subject.translate(probe.model, request, probe.capabilities).wire.body
        for text in (
            "What will the weather be?",
            "jackfield_weather",
            "Åre",
            "jackfield-snow-tomorrow",
            "day after",
        ):
            if not holds_text(body, text):
                yield f"{probe.label}: {text!r} is not in the body"


@check(
    "translate.foreign_thinking",
    law="Thinking and raw parts of another provider are dropped, and the report says so.",
    remedy="compare part.provider with your own id, and call writer.drop(...)",
)
def foreign_thinking(subject: Subject) -> Iterable[str]:
    for probe in subject.probes_of("chat"):
        parts = (
            Thinking(
                "jackfield-foreign-thought", "jackfield-nobody", "m", {"signature": "jackfield-signature"}
            ),
            RawPart("jackfield-nobody", {"jackfield_raw": 1}),
            Text("An answer."),
        )
        messages = (Message("user", "Hm?"), Message("assistant", parts), Message("user", "And?"))
        made = subject.translate(probe.model, ChatRequest(messages), probe.capabilities)
        body = made.wire.body
        if holds_text(body, "jackfield-signature") or holds_text(body, "jackfield-foreign-thought"):
            yield f"{probe.label}: the thinking of another provider is sent"
        if "jackfield_raw" in set(keys_of(body)):
            yield f"{probe.label}: a raw part of another provider is sent"
        if not any(note.fate == "dropped" for note in made.report):
            yield f"{probe.label}: the report does not say that parts were dropped"


@check(
    "translate.report_travels",
    law="A report can be pickled and printed.",
    remedy="put plain values into the report",
    gentle=True,
)
def report_travels(subject: Subject) -> Iterable[str]:
    for probe in subject.probes_of():
        for made in _translations(subject, probe):
            try:
                pickle.loads(pickle.dumps(made.report))  # noqa: S301 -- our own bytes
            except Exception as error:
                yield f"{probe.label}: {type(error).__name__}: {error}"
            repr(made)


@check(
    "translate.refusals_name",
    law="A refusal says which parameter it is about.",
    remedy="raise UnsupportedError(..., parameter=name), or use writer.refuse",
    gentle=True,
)
def refusals_name(subject: Subject) -> Iterable[str]:
    found = False
    for probe in subject.probes_of():
        request = with_options(rich_request(probe.kind), unsupported="error")
        error = refused(subject.translate, probe.model, request, probe.capabilities)
        if error is not None:
            found = True
            if error.parameter is None:
                yield f"{probe.label}: {error}"
    if not found:
        raise SkipCheck("it refuses nothing")
