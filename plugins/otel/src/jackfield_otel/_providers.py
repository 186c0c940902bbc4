"""Whether anything in this process exports spans or metrics."""

from __future__ import annotations

import os
import sys
from typing import Final

__all__ = ["has_provider"]

_STAND_INS: Final = ("opentelemetry.trace", "opentelemetry.metrics")
"""The API's own providers drop everything. They stand in until another one is set."""

# With these, OpenTelemetry's API itself loads the provider that the environment names.
_IS_NAMED: Final = any(map(os.environ.get, ("OTEL_PYTHON_TRACER_PROVIDER", "OTEL_PYTHON_METER_PROVIDER")))


def has_provider() -> bool:
    """Return whether a provider of spans or of metrics is set.

    One may be set at any time. None can be set before somebody imports OpenTelemetry's API, so this does not import
    it earlier: a process without telemetry does not wait for it.
    """
    modules = sys.modules
    if "opentelemetry.trace" not in modules and "opentelemetry.metrics" not in modules and not _IS_NAMED:
        return False
    from opentelemetry import metrics, trace

    return _exports(trace.get_tracer_provider()) or _exports(metrics.get_meter_provider())


def _exports(provider: object) -> bool:
    return not provider.__class__.__module__.startswith(_STAND_INS)
