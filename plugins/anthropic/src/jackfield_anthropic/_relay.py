"""Hand a client's request for messages on as it came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from jackfield import ConfigurationError
from jackfield.plugin import ModelRef, Wire, pass_headers, read_json, replace_model

from ._dialect import Dialect

__all__ = ["relay"]

_HEADERS: Final = ("anthropic-beta", "anthropic-dangerous-direct-browser-access")
_CLAUDE_CODE: Final = ("x-app", "x-claude-code-session-id")
"""What Claude Code tells its own vendor: nobody else gets it."""
_VENDOR: Final = "anthropic"


def relay(
    dialect: Dialect, model: ModelRef, surface: str, headers: Mapping[str, str], body: bytes
) -> Wire | None:
    """Return the wire that hands a request on; None if it must be translated.

    A service that wants the model in the path and another version in the body (Bedrock, Vertex AI) does not take a
    client's body as it is. Neither does a connection with another version of the API than the client's: what is valid in one
    may not be in the other, and the answer would not be as the client expects. Nor does another vendor get the ids of device
    and account that Claude Code puts into the body.
    """
    if surface != "anthropic.messages" or not dialect.send_model or dialect.body_version is not None:
        return None
    version = next((value for name, value in headers.items() if name.lower() == "anthropic-version"), None)
    if version is not None and version != dialect.version_of(model):
        return None
    try:
        asked = read_json(body)
        changed = replace_model(body, model.id)
    except (ValueError, ConfigurationError):
        return None
    if dialect.id != _VENDOR and _describes_device(asked):
        return None
    stream = asked.get("stream") is True
    path, _ = dialect.start(model, (dialect.stream_path if stream else None) or dialect.messages_path)
    wire = dialect.wire(model, path, {}, stream=stream, meta={"api": "messages"})
    passed = pass_headers(headers, (*_HEADERS, *_CLAUDE_CODE) if dialect.id == _VENDOR else _HEADERS)
    standing = getattr(model.settings, "standing_betas", ())
    beta = next((name for name in passed if name.lower() == "anthropic-beta"), None)
    if beta is not None and standing:
        passed[beta] = ",".join((*standing, passed[beta]))
    return attrs.evolve(wire, body=changed, headers={"content-type": "application/json", **passed})


def _describes_device(asked: Mapping[str, Any]) -> bool:
    """Return whether a body names its user as Claude Code does: by a JSON text with ids of the device and the account."""
    metadata = asked.get("metadata")
    user = metadata.get("user_id") if isinstance(metadata, Mapping) else None
    return isinstance(user, str) and "{" in user
