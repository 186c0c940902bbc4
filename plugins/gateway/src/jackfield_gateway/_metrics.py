"""What `/metrics` shows, in Prometheus' format. No labels that clients choose, and no owners or keys."""

from __future__ import annotations

from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from ._exchange import Visit
from ._spend import Ledger

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class Metrics:
    """Counts calls; one registry for each gateway of a process."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._children: dict[tuple[object, ...], Any] = {}
        labels = ("surface", "connection", "status")
        self._calls = Counter("jackfield_calls", "Calls that have ended", labels, registry=registry)
        self._seconds = Histogram(
            "jackfield_call_seconds",
            "Seconds until the end of a call",
            ("surface",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._first = Histogram(
            "jackfield_first_event_seconds",
            "Seconds until the first event of a stream",
            ("surface",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._tokens = Counter(
            "jackfield_tokens", "Tokens used", ("connection", "direction"), registry=registry
        )
        self._cost = Counter("jackfield_cost", "Known cost", ("connection", "currency"), registry=registry)
        self._unknown = Counter(
            "jackfield_cost_not_complete",
            "Calls whose cost is partial or unknown",
            ("connection",),
            registry=registry,
        )
        self._refused = Counter(
            "jackfield_refused", "Requests refused before a call", ("reason",), registry=registry
        )
        self.running = Gauge("jackfield_calls_running", "Calls that run now", registry=registry)

    def watch(self, ledger: Ledger) -> None:
        """Show a ledger's rows that are not written yet, and those that are lost."""
        pending = Gauge("jackfield_spend_pending", "Rows of spend not written yet", registry=self._registry)
        pending.set_function(lambda: ledger.pending)
        lost = Gauge("jackfield_spend_lost", "Rows of spend given up", registry=self._registry)
        lost.set_function(lambda: ledger.lost)

    def refuse(self, reason: str) -> None:
        """Count a request that never became a call."""
        self._refused.labels(reason).inc()

    def record(self, visit: Visit, duration: float) -> None:
        """Count a call that has ended."""
        place = visit.place
        connection = "" if place is None else place[0]
        self._child(self._calls, visit.surface, connection, visit.status).inc()
        self._child(self._seconds, visit.surface).observe(duration)
        if visit.first_event is not None:
            self._child(self._first, visit.surface).observe(visit.first_event)
        usage, cost = getattr(visit.reply, "usage", None), getattr(visit.reply, "cost", None)
        if usage is not None:
            self._child(self._tokens, connection, "input").inc(usage.input_tokens or 0)
            self._child(self._tokens, connection, "output").inc(usage.output_tokens or 0)
        if cost is None:
            return
        if cost.amount is not None:
            self._child(self._cost, connection, cost.currency).inc(float(cost.amount))
        if cost.status != "complete":
            self._child(self._unknown, connection).inc()

    def _child(self, metric: Any, *labels: str) -> Any:
        """Return a metric with labels; prometheus_client's own lookup takes a lock and checks them each time."""
        key = (metric, *labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = metric.labels(*labels)
        return child

    def render(self) -> bytes:
        """Return what Prometheus reads."""
        return generate_latest(self._registry)
