"""What a 404 may come from: an address that somebody declared."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from jackfield._types.capabilities import Kind
    from jackfield._types.errors import JackfieldError
    from jackfield._types.wire import Wire

__all__ = ["add_address"]


def add_address(error: JackfieldError, settings: Any, transport: Any, wire: Wire, kind: Kind | None) -> None:
    """Add to a 404 where it was asked, if somebody declared the address: it may be the one that is wrong.

    The address is shown without its query and user, which may be secrets.

    Args:
        error: Is changed.
        settings: The connection's.
        transport: The connection's, if it is open.
        wire: What was sent.
        kind: The kind of call; None for a listing.
    """
    base = getattr(settings, "base_url", None)
    field = attrs.fields_dict(type(settings)).get("base_url") if attrs.has(type(settings)) else None
    address = getattr(transport, "address", None)
    if error.status not in (404, 405) or field is None or base in (None, field.default) or address is None:
        return
    asked = re.sub(r"//[^/@]*@", "//", address(wire).partition("?")[0])
    hint = f"asked at {asked}; check base_url"
    usual = field.default.partition("//")[2].partition("/")[2] if isinstance(field.default, str) else ""
    if usual and not base.rstrip("/").endswith(f"/{usual}"):
        hint += f", which ends in /{usual} as a rule"
    if kind == "completion":
        hint += '; a model that only chats is declared so: models = [{ id = "...", kind = "chat" }]'
    if hint not in error.message:
        error.message = f"{error.message} ({hint})"
        error.args = (error.message,)
