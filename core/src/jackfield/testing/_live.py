"""Repeat the cases at the service itself, with a key: does it still answer as the recordings say?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from jackfield._config.connections import ConnectionConfig, MeshConfig
from jackfield._mesh import Mesh
from jackfield._plugins.registry import Registry
from jackfield._types.capabilities import ModelEntry
from jackfield._types.errors import JackfieldError
from jackfield._types.option_rules import UNSET
from jackfield._types.requests import EmbedRequest, RerankRequest

from ._case import Case
from ._check import Result
from ._serving import run
from ._subject import Subject

__all__ = ["check_live"]

_LAW = "The service answers a case as its recording says: in kind, not in words."
_REMEDY = "record the answer again, and see what has changed"


def check_live(subject: Subject) -> list[Result]:
    """Send the cases' requests to the real service, which charges for them.

    Keys come from where the plugin's settings say, mostly the environment; other keys of the settings from the
    kit's `settings`.
    """
    return [result for case in (*subject.listings, *subject.cases) for result in _results(subject, case)]


def _results(subject: Subject, case: Case) -> Iterator[Result]:
    check = f"live {case.label}"
    if case.error is not None:
        yield _result(check, "skipped", "errors are not asked for")
    elif case.in_process:
        yield _result(check, "skipped", "the engine runs in this process")
    else:
        try:
            faults = list(dict.fromkeys(run(lambda: _ask(subject, case))))
        except JackfieldError as error:
            faults = [f"{type(error).__name__}: {error}"]
        yield _result(check, "failed" if faults else "passed", "; ".join(faults) or None)


def _result(check: str, outcome: Any, reason: str | None) -> Result:
    return Result(check=check, outcome=outcome, reason=reason, law=_LAW, remedy=_REMEDY)


def _connection(subject: Subject, case: Case) -> ConnectionConfig:
    """Declare a connection as a user does: secrets from where the settings class says."""
    info = subject.hooks.info
    known = attrs.fields_dict(info.settings)
    given = {name.lstrip("_"): value for name, value in subject.given_settings.items() if name in known}
    entry = ModelEntry(id=case.model, underlying=case.underlying, raw=case.declared)
    return ConnectionConfig(
        name="live",
        provider=subject.hooks,
        provider_id=info.id,
        settings=info.settings(**given),
        models=(entry,) if case.model and (info.requires_models or case.declared) else None,
    )


async def _ask(subject: Subject, case: Case) -> list[str]:
    plugins = Registry.of(subject.plugin) if case.underlying is None else Registry.installed()
    config = MeshConfig(connections={"live": _connection(subject, case)})
    async with Mesh(config, plugins) as mesh:
        if case.kind == "listing":
            return [] if await mesh.models("live", refresh=True) else ["the list of models is empty"]
        return list(_compared(subject, case, await _reply(subject, mesh, case)))


async def _reply(subject: Subject, mesh: Mesh, case: Case) -> Any:
    """Make the call that a case's request describes."""
    target = f"live:{case.model}"
    request: Any = case.asked(subject.body(case))
    if isinstance(request, EmbedRequest):
        return await mesh.embed(target, request.inputs, **_options(request, "inputs"))
    if isinstance(request, RerankRequest):
        return await mesh.rerank(
            target, request.query, request.documents, **_options(request, "query", "documents")
        )
    options = request.options.given()
    if case.kind == "count":
        return await mesh.count_tokens(target, request.messages, **options)
    prompt = next(getattr(request, name) for name in ("messages", "prompt", "text") if hasattr(request, name))
    if case.is_stream(subject.body(case)) and case.kind != "summarization":
        streams: Any = {"chat": mesh.stream_chat, "completion": mesh.stream_complete}
        async with streams[case.kind](target, prompt, **options) as stream:
            async for _ in stream:
                pass
        return stream.response
    calls: Any = {"chat": mesh.chat, "completion": mesh.complete, "summarization": mesh.summarize}
    return await calls[case.kind](target, prompt, **options)


def _options(request: Any, *but: str) -> Any:
    given = {name: getattr(request, name) for name in attrs.fields_dict(type(request)) if name not in but}
    return {name: value for name, value in given.items() if value is not UNSET and name != "stream"}


def _compared(subject: Subject, case: Case, reply: Any) -> Iterable[str]:
    """Compare in kind: a model says other words every time."""
    if case.count is not None and not reply.input_tokens:
        yield "no tokens are counted"
    if case.text and not reply.text:
        yield "there is no text"
    if case.thinking and not reply.thinking:
        yield "there is no thinking"
    if case.expected_calls and "tools" in _given(subject, case):
        names = {name for name, _ in case.expected_calls}
        if not names & {call.name for call in reply.tool_calls}:
            yield f"none of {', '.join(sorted(names))} is called"
    if case.usage is not UNSET and case.usage is not None and reply.usage is None:
        yield "it does not say what was used"
    if case.embedding is not None and not reply.embeddings:
        yield "there is no vector"
    if case.scores is not None and not reply.results:
        yield "nothing is ranked"


def _given(subject: Subject, case: Case) -> dict[str, Any]:
    options = getattr(case.asked(subject.body(case)), "options", None)
    return {} if options is None else options.given()
