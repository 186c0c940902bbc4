"""Hand a client's request for messages on as it came.

Chats in OpenAI's API are translated always: their answers have no finish reasons (recorded 2026), without which a client's loop
of tools ends.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from jackfield.plugin import ModelRef, Wire

from ._dialect import claude
from ._models import route_of
from ._names import family_of

__all__ = ["relay"]


def relay(model: ModelRef, surface: str, headers: Mapping[str, str], body: bytes) -> Wire | None:
    """Return the wire that hands a request on; None if it must be translated."""
    if (
        surface != "anthropic.messages"
        or route_of(model) != "messages"
        or family_of(model.known_as) != "claude"
    ):
        return None
    from jackfield_anthropic.dialect import relay as relay_claude

    wire = relay_claude(claude(), model, surface, headers, body)
    if wire is None:
        return None
    return attrs.evolve(wire, headers={"anthropic-version": "2023-06-01", **wire.headers})
