"""What a request asks for that its price depends on: services do not always report the tier that they served."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jackfield._types.wire import Wire

__all__ = ["requested_body", "requested_tier"]

_NAMES: Final = ("service_tier", "serviceTier")
_USUAL: Final = frozenset({"", "auto", "default", "standard", "standard_only"})
"""Words that ask for nothing else than what a request without them gets."""


def requested_body(wire: Wire) -> Mapping[str, Any]:
    """Return the body of a request; {} if it is not an object."""
    return wire.body if isinstance(wire.body, Mapping) else {}


def requested_tier(body: Mapping[str, Any]) -> str | None:
    """Return the tier that a request asks for; None for the usual one."""
    for name in _NAMES:
        tier = body.get(name)
        if isinstance(tier, Mapping):
            tier = tier.get("type")
        if isinstance(tier, str) and tier.lower() not in _USUAL:
            return tier
    return None
