"""OpenTelemetry for Jackfield: a span and metrics for each call, by the GenAI semantic conventions.

Install it beside an OpenTelemetry SDK, and every mesh of the process reports; without an SDK nothing happens.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from jackfield.plugin import Call, Outcome, hookimpl

if TYPE_CHECKING:
    from ._signals import Telemetry

__all__ = ["jackfield_call_finished", "jackfield_call_started"]


@cache
def _telemetry() -> Telemetry:
    # The API is imported when there is a call, and not when plugins are looked through.
    from ._signals import Telemetry

    return Telemetry()


@hookimpl
def jackfield_call_started(call: Call) -> None:
    """Begin the span of a call, below the caller's."""
    _telemetry().started(call)


@hookimpl
def jackfield_call_finished(call: Call, outcome: Outcome) -> None:
    """End it, and count what was used."""
    _telemetry().finished(call, outcome)
