"""Hand a client's request on as it came, if the client speaks the dialect itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from jackfield import ConfigurationError
from jackfield.plugin import (
    ModelRef,
    Wire,
    is_at_hosts,
    may_carry_secrets,
    pass_headers,
    quote_segment,
    read_json,
    replace_model,
)

from ._dialect import OPENAI, Dialect
from ._models import only_responses

__all__ = ["relay"]

_HEADERS: Final = ("openai-beta", "x-client-request-id", "x-openai-*")
"""Those that change an answer or name a request. Not the organization and the project, which choose who pays."""
_CODEX: Final = ("originator", "session-id", "thread-id", "x-codex-*")
"""What Codex tells its own vendor, workspace paths included: nobody else gets it."""
_OWN_HOSTS: Final = ("openai.com",)


def relay(
    dialect: Dialect,
    model: ModelRef,
    surface: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    accepts: Callable[[Mapping[str, Any]], bool] | None = None,
) -> Wire | None:
    """Return the wire that hands a request on; None if it must be translated.

    Translated is what the service would not answer as the client expects: another route is declared for the model, a stream
    would not report its usage, without which nobody knows the cost, or the service has other names for what the client asks.

    Args:
        dialect: How the service uses the dialect.
        model: The model.
        surface: The client's API.
        headers: The client's headers.
        body: The client's body.
        accepts: Returns whether the service takes a body as it is, where it does not take all that OpenAI does.
    """
    api = _find_api(dialect, model, surface)
    if api is None or not dialect.send_model:
        return None
    name, path = api
    try:
        asked = read_json(body)
        changed = replace_model(body, model.id)
    except (ValueError, ConfigurationError):
        return None
    own = _is_openai(dialect, model)
    if not own and "client_metadata" in asked:
        return None  # what Codex tells its own vendor in the body; a translation leaves it out
    if not _is_understood(dialect, surface, asked) or (accepts is not None and not accepts(asked)):
        return None
    stream = asked.get("stream") is True
    if stream and dialect.usage_option and surface != "openai.responses" and not _reports_usage(asked):
        return None
    return Wire(
        path.replace("{model}", quote_segment(model.id)),
        changed,
        headers={
            "content-type": "application/json",
            **pass_headers(headers, (*_HEADERS, *_CODEX) if own else _HEADERS),
        },
        stream=stream,
        framing="sse" if stream else None,
        meta={"api": name},
    )


def _find_api(dialect: Dialect, model: ModelRef, surface: str) -> tuple[str, str] | None:
    """Return the decoder's name of the API that a surface is, and its path; None if the model is not served there."""
    route = model.declared.get("route")
    if surface == "openai.responses":
        if dialect.responses_path is None or route not in (None, "responses"):
            return None
        return "responses", dialect.responses_path
    if surface == "openai.chat" and route in (None, "chat") and not _needs_responses(dialect, model):
        return "chat", dialect.chat_path
    return ("completion", dialect.completion_path) if surface == "openai.completions" else None


def _is_openai(dialect: Dialect, model: ModelRef) -> bool:
    """Return whether a request goes to OpenAI itself, or stays on this machine; any vendor may be behind a `base_url`."""
    return dialect.id == OPENAI.id and _is_own(str(getattr(model.settings, "base_url", "")))


@lru_cache(maxsize=256)
def _is_own(address: str) -> bool:
    here = address.startswith("http:") and may_carry_secrets(address)
    return here or is_at_hosts(address, _OWN_HOSTS)


def _needs_responses(dialect: Dialect, model: ModelRef) -> bool:
    return dialect.responses_path is not None and only_responses(model.known_as)


def _is_understood(dialect: Dialect, surface: str, asked: Mapping[str, Any]) -> bool:
    """Return whether a service takes the fields of a body by OpenAI's names, as far as its dialect tells."""
    if dialect.narrow_strict and _has_strict_schema(asked):
        return False
    if dialect.id == OPENAI.id or surface == "openai.responses":
        return True
    names = set(dialect.renamed)
    if dialect.max_tokens == "max_tokens":
        names.add("max_completion_tokens")
    if dialect.effort != "reasoning_effort":
        names.add("reasoning_effort")
    if not dialect.usage_option:
        names.add("stream_options")
    return names.isdisjoint(asked)


def _has_strict_schema(asked: Mapping[str, Any]) -> bool:
    """Return whether a body has a strict schema, of which some services take a part alone."""
    found: list[Any] = [asked.get("response_format"), asked.get("text")]
    tools = asked.get("tools")
    found += tools if isinstance(tools, list) else []
    return any(_is_strict(one) for one in found)


def _is_strict(value: Any) -> bool:
    return isinstance(value, Mapping) and (
        value.get("strict") is True
        or any(_is_strict(value.get(name)) for name in ("function", "json_schema", "format"))
    )


def _reports_usage(asked: Mapping[str, Any]) -> bool:
    options = asked.get("stream_options")
    return isinstance(options, Mapping) and options.get("include_usage") is True
