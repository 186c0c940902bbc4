"""What `/metrics` shows, in Prometheus' format. No labels that clients choose, and no owners or keys.

Calls are counted in plain objects, by the event loop alone; prometheus_client, whose counters take a lock each, makes its
samples of them when somebody looks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from ._exchange import Visit
from ._spend import Ledger

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

__all__ = ["CONTENT_TYPE", "Metrics", "Running"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)


class Running:
    """How many calls run now.

    Attributes:
        count: The number.
    """

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def inc(self) -> None:
        """Count a call that begins."""
        self.count += 1

    def dec(self) -> None:
        """Count a call that has ended."""
        self.count -= 1


class _Histogram:
    """Seconds, by bucket."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(_SECONDS) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(_SECONDS, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Return the cumulated counts by upper bound."""
        so_far, found = 0, []
        for bound, count in zip((*map(str, _SECONDS), "+Inf"), self.counts, strict=True):
            so_far += count
            found.append((bound, float(so_far)))
        return found


class _Used:
    """What the calls of a connection have used."""

    __slots__ = ("costs", "inputs", "not_complete", "outputs")

    def __init__(self) -> None:
        self.inputs = self.outputs = 0
        self.costs: dict[str, float] = {}
        self.not_complete = 0


class Metrics:
    """Counts calls; one for each gateway of a process.

    Attributes:
        running: How many calls run now.
    """

    def __init__(self) -> None:
        self.running = Running()
        self._calls: dict[tuple[str, str, str], int] = {}
        self._seconds: dict[str, _Histogram] = {}
        self._first: dict[str, _Histogram] = {}
        self._used: dict[str, _Used] = {}
        self._refused: dict[str, int] = {}
        self._ledger: Ledger | None = None

    def watch(self, ledger: Ledger) -> None:
        """Show a ledger's rows that are not written yet, and those that are lost."""
        self._ledger = ledger

    def refuse(self, reason: str) -> None:
        """Count a request that never became a call."""
        self._refused[reason] = self._refused.get(reason, 0) + 1

    def record(self, visit: Visit, duration: float) -> None:
        """Count a call that has ended."""
        surface, place = visit.surface, visit.place
        connection = "" if place is None else place[0]
        key = (surface, connection, visit.status)
        self._calls[key] = self._calls.get(key, 0) + 1
        _of(self._seconds, surface, _Histogram).observe(duration)
        if visit.first_event is not None:
            _of(self._first, surface, _Histogram).observe(visit.first_event)
        usage, cost = getattr(visit.reply, "usage", None), visit.cost
        used = _of(self._used, connection, _Used)
        if usage is not None:
            used.inputs += usage.input_tokens or 0
            used.outputs += usage.output_tokens or 0
        if cost is None:
            return
        if cost.amount is not None:
            used.costs[cost.currency] = used.costs.get(cost.currency, 0.0) + float(cost.amount)
        used.not_complete += cost.status != "complete"

    def render(self) -> bytes:
        """Return what Prometheus reads."""
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterator[Metric]:
        """Yield the samples, for prometheus_client."""
        yield _counter(
            "jackfield_calls",
            "Calls that have ended",
            ("surface", "connection", "status"),
            self._calls.items(),
        )
        yield _histogram("jackfield_call_seconds", "Seconds until the end of a call", self._seconds)
        yield _histogram(
            "jackfield_first_event_seconds", "Seconds until the first event of a stream", self._first
        )
        used = self._used.items()
        tokens = [
            ((name, direction), count)
            for name, one in used
            for direction, count in (("input", one.inputs), ("output", one.outputs))
        ]
        yield _counter("jackfield_tokens", "Tokens used", ("connection", "direction"), tokens)
        costs = [((name, currency), sum_) for name, one in used for currency, sum_ in one.costs.items()]
        yield _counter("jackfield_cost", "Known cost", ("connection", "currency"), costs)
        yield _counter(
            "jackfield_cost_not_complete",
            "Calls whose cost is partial or unknown",
            ("connection",),
            [((name,), one.not_complete) for name, one in used],
        )
        yield _counter(
            "jackfield_refused",
            "Requests refused before a call",
            ("reason",),
            [((reason,), count) for reason, count in self._refused.items()],
        )
        yield _gauge("jackfield_calls_running", "Calls that run now", self.running.count)
        if self._ledger is not None:
            yield _gauge("jackfield_spend_pending", "Rows of spend not written yet", self._ledger.pending)
            yield _gauge("jackfield_spend_lost", "Rows of spend given up", self._ledger.lost)


def _of(known: dict[str, Any], name: str, make: Any) -> Any:
    found = known.get(name)
    if found is None:
        found = known[name] = make()
    return found


def _counter(
    name: str, words: str, labels: tuple[str, ...], samples: Iterable[tuple[tuple[str, ...], float]]
) -> Metric:
    from prometheus_client.core import CounterMetricFamily

    family = CounterMetricFamily(name, words, labels=labels)
    for values, count in samples:
        family.add_metric(values, count)
    return family


def _gauge(name: str, words: str, value: float) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    return GaugeMetricFamily(name, words, value=value)


def _histogram(name: str, words: str, by_surface: dict[str, _Histogram]) -> Metric:
    from prometheus_client.core import HistogramMetricFamily

    family = HistogramMetricFamily(name, words, labels=("surface",))
    for surface, one in by_surface.items():
        family.add_metric((surface,), one.buckets(), one.total)
    return family
