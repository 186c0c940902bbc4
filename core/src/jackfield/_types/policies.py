"""How long, how often, how many: what a connection is held to."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from jackfield._faces import show_in
from jackfield._values import Value, frozen, resolve_types

__all__ = ["PACE_PERIODS", "PaceCounts", "PacePeriod", "PacePolicy", "RetryPolicy", "TimeoutPolicy"]

PacePeriod: TypeAlias = Literal["second", "minute", "hour", "day"]

PaceCounts: TypeAlias = Literal["used", "reserved", "asked", "larger"]
"""What a service counts against a limit of tokens; see `ProviderInfo.pace_counts`."""

PACE_PERIODS: Final[dict[PacePeriod, float]] = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
"""The seconds of each."""


_STREAM_FIRST_EVENT = 120.0


@frozen(kw_only=True)
class TimeoutPolicy(Value):
    """Seconds that each phase of a call may take; None is no limit.

    Attributes:
        connect: Until a connection to the service stands (name, TCP, TLS).
        first_event: Silence from sending to the first event, for each attempt: each byte that comes begins it again. Not
            given, it is 120 s for streams and unlimited for whole answers, which come when the model has said its last
            word.
        idle: Silence of a stream after its first event, likewise.
        total: The whole call: waiting in the queue, every attempt and the pauses between them.
    """

    connect: float | None = 10.0
    first_event: float | None = None
    idle: float | None = 60.0
    total: float | None = 600.0

    def until_first_event(self, *, stream: bool) -> float | None:
        """Return the limit of the phase first_event for a streamed or a whole answer."""
        if self.first_event is None and stream:
            return _STREAM_FIRST_EVENT
        return self.first_event


@frozen(kw_only=True)
class RetryPolicy(Value):
    """When to try again.

    Attributes:
        attempts: Most attempts in all; 1 never tries again.
        initial_delay: Seconds before the second attempt; doubled for each later one. A random part, up to
            half of it, is taken off.
        max_delay: Most seconds between two attempts, unless the service asks for more.
        retry_after_cap: A service that asks for more than this many seconds is not asked again.
    """

    attempts: int = 3
    initial_delay: float = 0.5
    max_delay: float = 30.0
    retry_after_cap: float = 120.0


@frozen(kw_only=True)
class PacePolicy(Value):
    """How fast a service may be asked. What would be more waits in the queue.

    Attributes:
        requests: Most requests in any such period; None is no limit.
        tokens: Most tokens in any such period, input and output together; None is no limit. They are estimated when a
            request is sent and corrected when the answer tells them.
        per: The period: "second", "minute", "hour" or "day".
    """

    requests: int | None = None
    tokens: int | None = None
    per: PacePeriod = "minute"


resolve_types(PacePolicy, globals())  # its public module does not know their names: forms are made of them
show_in("jackfield", RetryPolicy, TimeoutPolicy)
show_in("jackfield.plugin", PacePolicy)
