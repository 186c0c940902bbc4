"""Hand a client's request on as it came, if the client speaks the dialect itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jackfield import ConfigurationError
from jackfield.plugin import ModelRef, Wire, pass_headers, quote_segment, read_json, replace_model

from ._dialect import Dialect
from ._models import only_responses

__all__ = ["relay"]

_HEADERS: Final = ("openai-beta", "x-client-request-id", "x-openai-*")
"""Those that change an answer or name a request. Not the organization and the project, which choose who pays."""
_CODEX: Final = ("originator", "session-id", "thread-id", "x-codex-*")
"""What Codex tells its own vendor, workspace paths included: nobody else gets it."""


def relay(
    dialect: Dialect, model: ModelRef, surface: str, headers: Mapping[str, str], body: bytes
) -> Wire | None:
    """Return the wire that hands a request on; None if it must be translated.

    Translated is what the service would not answer as the client expects: another route is declared for the model, or a
    stream would not report its usage, without which nobody knows the cost.
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
    stream = asked.get("stream") is True
    if stream and dialect.usage_option and surface != "openai.responses" and not _reports_usage(asked):
        return None
    return Wire(
        path.replace("{model}", quote_segment(model.id)),
        changed,
        headers={
            "content-type": "application/json",
            **pass_headers(headers, (*_HEADERS, *_CODEX) if dialect.id == "openai" else _HEADERS),
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


def _needs_responses(dialect: Dialect, model: ModelRef) -> bool:
    return dialect.responses_path is not None and only_responses(model.known_as)


def _reports_usage(asked: Mapping[str, Any]) -> bool:
    options = asked.get("stream_options")
    return isinstance(options, Mapping) and options.get("include_usage") is True
