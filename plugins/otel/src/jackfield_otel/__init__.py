"""OpenTelemetry for Jackfield: a span and metrics for each call, by the GenAI semantic conventions.

Install it beside an OpenTelemetry SDK, and every mesh of the process reports. Without a provider of spans or metrics
nothing happens, and a call costs what it costs without this package.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from jackfield.plugin import Call, Outcome, hookimpl

from ._providers import has_provider

if TYPE_CHECKING:
    from ._signals import Telemetry

__all__ = ["jackfield_call_finished", "jackfield_call_started"]


@cache
def _telemetry() -> Telemetry:
    # The API is imported when something exports, and not when plugins are loaded.
    from ._signals import Telemetry

    return Telemetry()


@hookimpl
def jackfield_call_started(call: Call) -> bool:
    """Start the span of a call as a child of the caller's; without a provider, decline to know the end of the call."""
    if not has_provider():
        return False
    _telemetry().start(call)
    return True


@hookimpl
def jackfield_call_finished(call: Call, outcome: Outcome) -> None:
    """End the span, and record duration, tokens and cost."""
    _telemetry().finish(call, outcome)
