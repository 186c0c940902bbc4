"""Hand a client's request on as it came: chats for OpenAI's v1, messages for Claude."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from jackfield.plugin import ModelRef, Wire, read_json
from jackfield_anthropic.dialect import relay as relay_claude
from jackfield_azure_openai.dialect import as_openai
from jackfield_openai.dialect import relay as relay_openai

from ._dialect import claude_for, dialect_for
from ._routes import COMMON
from ._settings import AzureLLMSettings
from ._target import Target

__all__ = ["relay"]


def relay(model: ModelRef, surface: str, headers: Mapping[str, str], body: bytes) -> Wire | None:
    """Return the wire that hands a request on to an endpoint; None if it must be translated.

    An endpoint that wants no name of a model in the body does not take a client's body as it is.
    """
    settings = model.settings
    name = model.declared.get("model_name")
    if not isinstance(settings, AzureLLMSettings) or name == "":
        return None
    target = settings.target(model.declared)
    named = model if name is None else attrs.evolve(model, id=name)
    if target.messages:
        wire = _relay_claude(named, surface, headers, body, target, settings)
    else:
        wire = _relay_chat(named, surface, headers, body, target, settings)
    if wire is None:
        return None
    more = (
        {"azureml-model-deployment": model.declared["deployment"]} if "deployment" in model.declared else {}
    )
    auth = settings.auth_name(model, target)
    return attrs.evolve(wire, headers={**wire.headers, **more}, query=target.query, auth=auth)


def _relay_claude(
    model: ModelRef,
    surface: str,
    headers: Mapping[str, str],
    body: bytes,
    target: Target,
    settings: AzureLLMSettings,
) -> Wire | None:
    start = target.path if settings.base_url is not None else target.origin + target.path
    dialect = claude_for(start, settings.anthropic_version)
    wire = relay_claude(dialect, model, surface, headers, body)
    if wire is None:
        return None
    told = {"anthropic-version": settings.anthropic_version, **wire.headers}
    return attrs.evolve(wire, headers=told, meta={**wire.meta, "route": "messages"})


def _relay_chat(
    model: ModelRef,
    surface: str,
    headers: Mapping[str, str],
    body: bytes,
    target: Target,
    settings: AzureLLMSettings,
) -> Wire | None:
    known = as_openai(model, "foundry")
    if surface != "openai.chat" or known.declared.get("route") == "responses":
        return None
    dialect = dialect_for(target, model.declared, relative=settings.base_url is not None)
    wire = relay_openai(dialect, attrs.evolve(known, declared={}), surface, headers, body)
    if wire is None or not target.inference or read_json(body).keys() <= COMMON:
        return wire
    return attrs.evolve(wire, headers={**wire.headers, "extra-parameters": "pass-through"})
