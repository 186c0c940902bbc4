"""Checks that what a plugin says of its models is what it does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from jackfield._types.capabilities import FEATURES, KINDS, Capabilities, Capability, ModelRef
from jackfield._types.content import Audio, Document, Image, Message
from jackfield._types.options import PARAMETER_NAMES, Reasoning
from jackfield._types.requests import EMBED_OPTIONS, RERANK_OPTIONS, ChatRequest, EmbedRequest, Request

from ._case import Case, CaseKind, plain_request
from ._check import check
from ._findings import SkipCheck, Warn
from ._rich_requests import PNG, TOOL, schema, with_options
from ._subject import Subject, refused


def _chat(**options: Any) -> Request:
    return with_options(plain_request("chat"), **options)


def _with_part(part: Any) -> Request:
    return ChatRequest((Message("user", (part,)),))


def _thinking(capabilities: Capabilities) -> Iterator[Request]:
    """Return requests for thinking in each way that a model may support: by the efforts that its rule allows, and by a budget."""
    rule = capabilities.parameters.get("reasoning")
    choices = rule.choices if rule is not None and rule.choices is not None else ("low", "medium", "high")
    for word in choices:
        if isinstance(word, str) and word != "none":
            yield _chat(reasoning=Reasoning(effort=word))
    yield _chat(reasoning=Reasoning(budget_tokens=2048))
    yield _chat(reasoning=Reasoning(budget_tokens=2048), max_tokens=4096)


def _asking(name: str, capabilities: Capabilities) -> Iterable[Request]:
    """Return the requests that ask for a feature; one that a model takes is enough to honour a claim."""
    return _thinking(capabilities) if name == "reasoning" else (_ASKING[name][1](),)


def _nothing() -> Request:
    raise NotImplementedError


_ASKING: Mapping[str, tuple[CaseKind, Callable[[], Request]]] = {
    "streaming": ("chat", lambda: plain_request("chat", stream=True)),
    "system": ("chat", lambda: _chat(system="Be brief.")),
    "tools": ("chat", lambda: _chat(tools=(TOOL(),))),
    "tool_choice": ("chat", lambda: _chat(tools=(TOOL(),), tool_choice="required")),
    "parallel_tool_calls": ("chat", lambda: _chat(tools=(TOOL(),), parallel_tool_calls=True)),
    "json": ("chat", lambda: _chat(response_format="json")),
    "json_schema": ("chat", lambda: _chat(response_format=schema())),
    "images": ("chat", lambda: _with_part(Image(data=PNG, media_type="image/png"))),
    "documents": (
        "chat",
        lambda: _with_part(Document(data=b"%PDF-1.4", media_type="application/pdf", name="a.pdf")),
    ),
    "audio": ("chat", lambda: _with_part(Audio(data=b"RIFF", media_type="audio/wav"))),
    "reasoning": ("chat", _nothing),  # depends on the model: see `_thinking`
    "dimensions": ("embedding", lambda: EmbedRequest(inputs=("a",), dimensions=256)),
    "count_tokens": ("count", lambda: plain_request("count")),
}
"""How each feature is asked for."""

# These are not wishes that can be refused: without them an answer is merely less.
_NOT_REFUSED = frozenset({"parallel_tool_calls", "count_tokens"})


@check(
    "claims.shape",
    law="Capabilities speak of features, parameters and kinds that exist, and say where they know it from.",
    remedy="correct the name; give each Capability its source, such as 'table 2026-11-22'",
)
def shape(subject: Subject) -> Iterable[str]:
    for model, kind in subject.models:
        where = f"{kind} with {model.id}"
        known: Any = subject.capabilities(model)
        if not isinstance(known, Capabilities):
            yield f"{where}: they are a {type(known).__name__}"
            continue
        yield from (f"{where}: unknown feature {name!r}" for name in known.features if name not in FEATURES)
        parameters = {*PARAMETER_NAMES, *EMBED_OPTIONS, *RERANK_OPTIONS}
        yield from (
            f"{where}: unknown parameter {name!r}" for name in known.parameters if name not in parameters
        )
        yield from (f"{where}: unknown kind {name!r}" for name in known.kinds if name not in KINDS)
        features: Mapping[str, Any] = known.features
        for name, capability in features.items():
            if not isinstance(capability, Capability):
                yield f"{where}: {name} is a {type(capability).__name__}"
            elif capability.value is not None and capability.source in {"", "unknown"}:
                yield f"{where}: nobody says how {name} is known"


@check(
    "claims.kinds",
    law="A model serves no kind of request that its provider does not.",
    remedy="add the kind to ProviderInfo.kinds, or take it from the model",
)
def kinds(subject: Subject) -> Iterable[str]:
    for model, _ in subject.models:
        more = subject.capabilities(model).kinds - subject.hooks.info.kinds
        if more:
            yield f"{model.id} serves {', '.join(sorted(more))}; the provider does not"


@check(
    "claims.unknown_model",
    law="A model that no table knows gets an answer, and the answer does not claim to know it.",
    remedy="return Capabilities() or what follows from the kind of service, with known=False",
    applies=lambda subject: (
        "its models are the customer's own"
        if subject.provider and subject.hooks.info.requires_models
        else None
    ),
)
def unknown_model(subject: Subject) -> Iterable[str]:
    for model, kind in subject.models:
        if model.id.startswith("jackfield-conformance") and subject.capabilities(model).known:
            yield f"{kind} with {model.id}: it claims to know it"


@check(
    "claims.true_is_honoured",
    law="A feature that is claimed can be asked for.",
    remedy="translate it, or say False or None in the capabilities",
)
def true_is_honoured(subject: Subject) -> Iterable[str]:
    for probe in subject.probes_of():
        for name, (kind, _) in _ASKING.items():
            if kind == probe.kind and probe.capabilities.feature(name).value is True:
                errors = [
                    refused(subject.translate, probe.model, request, probe.capabilities)
                    for request in _asking(name, probe.capabilities)
                ]
                if None not in errors:
                    yield f"{probe.label}: it says {name}, but refuses it: {errors[0]}"


@check(
    "claims.false_is_refused",
    law='A feature that is denied is refused before anything is sent, under unsupported="error".',
    remedy="call writer.refuse(...), or say True or None in the capabilities",
)
def false_is_refused(subject: Subject) -> Iterable[str]:
    denied = False
    for probe in subject.probes_of():
        for name, (kind, _) in _ASKING.items():
            if kind == probe.kind and probe.capabilities.lacks(name) and name not in _NOT_REFUSED:
                denied = True
                requests = _asking(name, probe.capabilities)
                if any(
                    refused(subject.translate, probe.model, one, probe.capabilities) is None
                    for one in requests
                ):
                    yield f"{probe.label}: it denies {name}, but sends it"
    if not denied:
        raise SkipCheck("it denies nothing that could be asked for")


@check(
    "claims.table",
    law="The table of models names each once, by ids of which the capabilities say that they are known.",
    remedy="give the ids under which the models are called; leave out what is only a pattern or an alias",
    applies=lambda subject: (
        "it names no table (jackfield_table)"
        if subject.provider and subject.hooks.table(subject.settings) == ()
        else None
    ),
    gentle=True,
)
def table(subject: Subject) -> Iterable[str]:
    names: Any = subject.hooks.table(subject.settings)
    if isinstance(names, str) or not isinstance(names, Sequence):
        yield f"it is a {type(names).__name__}, not a sequence of ids"
        return
    for name, times in Counter(names).items():
        if not isinstance(name, str):
            yield f"{name!r} is not text"
        elif times > 1:
            yield f"{name} stands {times} times"
        elif not subject.capabilities(ModelRef(name, "conformance", settings=subject.settings)).known:
            yield f"{name}: its capabilities do not say that it is known"


def _shown(subject: Subject, case: Case) -> set[str]:
    """Return which features a case exercises."""
    shown = set(case.shows)
    if case.error is None and case.is_stream(subject.body(case)):
        shown.add("streaming")
    if case.thinking:
        shown.add("reasoning")
    calls = case.expected_calls
    if calls:
        shown.add("tools")
        shown |= {"parallel_tool_calls"} if len(calls) > 1 else set()
    if case.kind == "count":
        shown.add("count_tokens")
    given = case.request.given() if isinstance(case.request, EmbedRequest) else _given(case.request)
    for name in given:
        shown |= {"json" if given[name] == "json" else "json_schema"} if name == "response_format" else {name}
    for message in getattr(case.request, "messages", ()):
        for part in message.parts:
            shown |= {name for name, kind in _PARTS.items() if isinstance(part, kind)}
            shown |= {"prompt_cache"} if getattr(part, "cache", None) else set()
    return shown


_PARTS: Mapping[str, type] = {"images": Image, "documents": Document, "audio": Audio}


def _given(request: Any) -> dict[str, Any]:
    options = getattr(request, "options", None)
    return {} if options is None else options.given()


@check(
    "claims.exercised",
    law="For each feature that is claimed there is a case that shows it.",
    remedy="record an answer that uses it, or name it in the case's `shows`",
)
def exercised(subject: Subject) -> Iterable[str]:
    if not subject.cases:
        raise SkipCheck("there are no cases")
    claimed: set[str] = set()
    shown: set[str] = set()
    for case in subject.cases:
        known = subject.capabilities(subject.ref(case))
        claimed |= {name for name in known.features if known.feature(name).value is True}
        shown |= _shown(subject, case)
    for name in sorted(claimed - shown):
        yield Warn(f"it says {name} ({FEATURES.get(name, '?')}); no case shows it")
