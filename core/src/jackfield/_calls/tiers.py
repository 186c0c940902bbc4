"""What a request asks for that its price depends on: services do not always report the tier that they served."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from jackfield._types.wire import Wire

__all__ = ["requested_choices", "requested_tier"]

_NAMES: Final = ("service_tier", "serviceTier")
_HEADER: Final = r"(?i:\b(service-tier|request-type)\Z)"
"""Headers by which services are asked for a tier: `X-Amzn-Bedrock-Service-Tier`, `X-Vertex-AI-LLM-Shared-Request-Type`."""
_LONGEST_WORD: Final = 100
_USUAL: Final = frozenset({"", "auto", "default", "standard", "standard_only", "shared"})
"""Words that ask for nothing else than what a request without them gets."""


def requested_choices(wire: Wire) -> Mapping[str, Any]:
    """Return what a request chooses by words and objects at the top of its body, {} if that is not an object.

    Not the texts and files themselves: a reply must not keep its request in memory.
    """
    body = wire.body
    if body.__class__ is not dict and not isinstance(body, Mapping):
        return {}
    return {
        name: value
        for name, value in body.items()
        if (type(value) is str and len(value) <= _LONGEST_WORD) or type(value) is dict
    }


def requested_tier(body: Mapping[str, Any], *headers: Mapping[str, object]) -> str | None:
    """Return the tier that a request asks for; None for the usual one.

    Args:
        body: The choices of its body.
        headers: Those of the request, and those of its connection.
    """
    for name in _NAMES:
        tier = body.get(name)
        if isinstance(tier, Mapping):
            tier = tier.get("type")
        if isinstance(tier, str) and tier.lower() not in _USUAL:
            return tier
    for name, value in (pair for some in headers for pair in some.items()):
        if isinstance(value, str) and value.lower() not in _USUAL and re.search(_HEADER, name):
            return value
    return None
