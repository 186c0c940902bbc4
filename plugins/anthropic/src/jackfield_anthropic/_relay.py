"""Hand a client's request for messages on as it came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from jackfield import ConfigurationError
from jackfield.plugin import ModelRef, Wire, is_at_hosts, pass_headers, read_json, replace_model, swap_model

from ._dialect import Dialect
from ._settings import NEW_VERSION, OLD_VERSION

__all__ = ["relay"]

_HEADERS: Final = ("anthropic-beta", "anthropic-dangerous-direct-browser-access")
_CLAUDE_CODE: Final = ("x-app", "x-claude-code-session-id")
"""What Claude Code tells its own vendor: nobody else gets it."""
_VENDOR: Final = "anthropic"
_HOST: Final = "api.anthropic.com"
_VERSIONS: Final = (OLD_VERSION, NEW_VERSION)


def relay(
    dialect: Dialect, model: ModelRef, surface: str, headers: Mapping[str, str], body: bytes
) -> Wire | None:
    """Return the wire that hands a request on; None if it must be translated.

    Where the model stands in the path and a version of the service's own in the body (Vertex AI), that version takes the
    place of the model in the body; everything else is as it came. A service that streams in another form than the client
    reads (Bedrock) is not relayed. Anthropic itself takes each of its versions, so the client's own goes with its request. Who
    else speaks the API may know the connection's version alone: what is valid in one may not be in the other. Nor does another vendor get the ids of
    device and account that Claude Code puts into the body.
    """
    if surface != "anthropic.messages" or dialect.framing != "sse" or not dialect.send_stream:
        return None
    if not dialect.send_model and dialect.body_version is None:
        return None
    version = next((value for name, value in headers.items() if name.lower() == "anthropic-version"), None)
    own = {}
    if version is not None and version != dialect.version_of(model):
        if version not in _VERSIONS or not _takes_every_version(dialect, model):
            return None
        own = {"anthropic-version": version}
    try:
        asked = read_json(body)
        changed = _for_service(dialect, model, body)
    except (ValueError, ConfigurationError):
        return None
    is_vendor = dialect.id == _VENDOR and dialect.body_version is None
    if "anthropic_version" in asked or (not is_vendor and _describes_device(asked)):
        return None
    stream = asked.get("stream") is True
    path, _ = dialect.start(model, (dialect.stream_path if stream else None) or dialect.messages_path)
    wire = dialect.wire(model, path, {}, stream=stream, meta={"api": "messages"})
    passed = pass_headers(headers, (*_HEADERS, *_CLAUDE_CODE) if is_vendor else _HEADERS)
    standing = getattr(model.settings, "standing_betas", ())
    beta = next((name for name in passed if name.lower() == "anthropic-beta"), None)
    if beta is not None and standing:
        passed[beta] = ",".join((*standing, passed[beta]))
    return attrs.evolve(wire, body=changed, headers={"content-type": "application/json", **own, **passed})


def _takes_every_version(dialect: Dialect, model: ModelRef) -> bool:
    """Return whether a connection leads to Anthropic's own address. Source: its reference of versions, October 2026."""
    address = getattr(model.settings, "base_url", "")
    return dialect.id == _VENDOR and dialect.api_version is None and is_at_hosts(address, (_HOST,))


def _for_service(dialect: Dialect, model: ModelRef, body: bytes) -> bytes:
    if dialect.body_version is None:
        return replace_model(body, model.id)
    return swap_model(body, "anthropic_version", dialect.body_version)


def _describes_device(asked: Mapping[str, Any]) -> bool:
    """Return whether a body names its user as Claude Code does: by a JSON text with ids of the device and the account."""
    metadata = asked.get("metadata")
    user = metadata.get("user_id") if isinstance(metadata, Mapping) else None
    return isinstance(user, str) and "{" in user
