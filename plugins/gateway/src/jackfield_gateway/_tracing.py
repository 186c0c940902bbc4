"""Take over a client's trace: what the mesh does for a request becomes a child of the client's span (W3C `traceparent`)."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

__all__ = ["in_trace_of"]


@contextmanager
def in_trace_of(headers: Mapping[str, str]) -> Iterator[None]:
    """Make the client's span the current one, if there is one, and if somebody in this process traces at all.

    Baggage of clients is not taken over: it would go on to whatever the mesh calls.

    Args:
        headers: The client's headers.
    """
    if "opentelemetry.trace" not in sys.modules or "traceparent" not in headers:
        yield
        return
    from opentelemetry import context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier = {
        name: headers[name] for name in ("traceparent", "tracestate") if name in headers
    }  # two headers, whatever else a client sends
    token = context.attach(TraceContextTextMapPropagator().extract(carrier))
    try:
        yield
    finally:
        context.detach(token)
