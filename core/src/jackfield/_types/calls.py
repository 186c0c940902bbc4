"""What middlewares and observers see of a call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, Final, Literal, Protocol

from jackfield._faces import show_in
from jackfield._values import Value, field, frozen

from .capabilities import Kind, ModelRef
from .cost import Cost
from .policies import TimeoutPolicy
from .replies import Attempt, Replay
from .requests import Request
from .usage import Usage

__all__ = ["NO_LABELS", "OWNER", "Call", "Fingerprint", "Forecast", "Outcome", "Timings"]

_NO_COST: Final = Cost()
NO_LABELS: Final[Mapping[str, str]] = MappingProxyType({})

OWNER: Final[ContextVar[str]] = ContextVar("jackfield_owner", default="")
"""The owner of calls that name none: "" or a path such as "org/team/app". Tasks that are started afterwards inherit it."""


class Forecast(Protocol):
    """What a call may use, before it is made. Computed when it is first read."""

    @property
    def input_tokens(self) -> int:
        """An estimate of the input, as `mesh.explain` makes it."""

    @property
    def most_input_tokens(self) -> int:
        """The most that the input can be, whatever the tokenizer: a token is at least a byte."""

    @property
    def most_output_tokens(self) -> int | None:
        """The most that all choices together can be: from the options, or else from the model's limits; None if unknown."""

    @property
    def choices(self) -> int:
        """How many answers are asked for."""

    @property
    def most_seconds(self) -> float | None:
        """The call's total time limit; None without one."""

    def price(self, input_tokens: int, output_tokens: int) -> Cost:
        """Return what so many tokens cost at most: if input can be written to a cache at a higher rate, at that."""

    @property
    def most_cost(self) -> Cost | None:
        """The most that the call can cost; None if the output or the price is unknown."""


class Fingerprint(Protocol):
    """What a call does not show: where it goes, under which identity, and what stands in between."""

    async def digest(self, model_id: str, *, inside: object = None, secrets: bool = True) -> str:
        """Return a digest that is another one as soon as somebody else might answer, or answer otherwise.

        In it are the provider, its settings with secrets resolved, the identity, the address, headers and proxy, the model's
        entry, what these objects return from `fingerprint_parts`, and the middlewares that stand within. It is the same in every process, unless an object that a program brings
        says nothing about itself: then it holds for the mesh alone. It is slow to compute, and is computed once.

        Args:
            model_id: The model, whose entry in `models` counts.
            inside: The middleware that asks: only those behind it count. None counts all.
            secrets: Calls under another key, token or password are told apart.
        """
        ...

    def relevant_extra(self, extra: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
        """Return what `extra` says to this provider, to those whose dialects it speaks, and to middlewares."""
        ...


# One a call: without slots it is made in half the time.
@frozen(kw_only=True, slots=False)
class Call(Value):
    """One call of the mesh, before it is translated. Frozen: a middleware passes on `attrs.evolve(call, ...)`.

    Attributes:
        id: Unique in this process.
        kind: The kind of request.
        target: As the caller wrote it.
        connection: The connection's name.
        provider: Provider id.
        model: The model.
        request: What is asked.
        stream: The caller reads a stream.
        metadata: For middlewares, to talk to each other.
        earlier: Attempts that failed on other targets of the alias before this one was tried.
        relayed: The surface whose bytes are handed through, such as "openai.chat": the request then holds no content.
        timeout: Its time limits, for a middleware that waits for something else; None for a call that no mesh made.
        owner: Who it is made for: a path, such as "org/team/app"; "" if nobody was named.
        labels: What else the caller says of it, by name.
        fingerprint: Tells apart the services, identities and configurations that a call of this connection may go to;
            None for a call that no mesh made.
        forecaster: Makes `forecast`.
    """

    id: str
    kind: Kind
    target: str
    connection: str
    provider: str
    model: ModelRef
    request: Request = field(repr=False)
    stream: bool = False
    metadata: Mapping[str, Any] = field(factory=dict)
    earlier: tuple[Attempt, ...] = field(default=(), repr=False)
    relayed: str | None = None
    timeout: TimeoutPolicy | None = field(default=None, repr=False)
    owner: str = ""
    labels: Mapping[str, str] = NO_LABELS
    fingerprint: Fingerprint | None = field(default=None, repr=False, eq=False)
    forecaster: Callable[[Call], Forecast] | None = field(default=None, repr=False, eq=False)

    @property
    def forecast(self) -> Forecast | None:
        """What the call may use at most; computed when it is first read. None for a call that no mesh made."""
        if self.forecaster is None:
            return None
        known: Forecast | None = self.__dict__.get("_forecast")
        if known is None:
            known = self.__dict__["_forecast"] = self.forecaster(self)
        return known


# One an observed call, as is `Outcome`: without slots they are made in half the time.
@frozen(kw_only=True, slots=False)
class Timings(Value):
    """Moments of a call, in seconds of `time.perf_counter()`; None if it did not come so far.

    Attributes:
        queued: The call was made.
        sent: The last attempt began to send.
        first_event: The first event was read.
        finished: The call ended.
    """

    queued: float
    sent: float | None = None
    first_event: float | None = None
    finished: float | None = None


@frozen(kw_only=True, slots=False)
class Outcome(Value):
    """How a call ended.

    Attributes:
        status: ok, error or cancelled.
        error: The error, for status "error".
        usage: What was used, also of a broken stream.
        attempts: Every attempt.
        timings: When what happened.
        model: The model that the service says answered.
        finish_reasons: One per choice.
        response_id: The service's name for the answer.
        replay: Where the answer is from if the service was not asked.
        reply: The answer as far as it came: what `proceed` gives, of a broken stream its part. Private to its reader:
            write it nowhere unless that is wished.
    """

    status: Literal["ok", "error", "cancelled"]
    error: BaseException | None = None
    usage: Usage = field(factory=Usage)
    _cost: Cost | None = field(default=None, repr=False)
    attempts: tuple[Attempt, ...] = ()
    timings: Timings | None = None
    model: str | None = None
    finish_reasons: tuple[str, ...] = ()
    response_id: str | None = None
    replay: Replay | None = None
    reply: object = field(default=None, repr=False)

    @property
    def cost(self) -> Cost:
        """What the usage cost; computed when it is first read, at the prices of the time of the call."""
        if self._cost is None:
            cost = getattr(self.reply, "cost", None)
            return cost if isinstance(cost, Cost) else _NO_COST
        return self._cost


show_in("jackfield.plugin", Call, Fingerprint, Forecast, Outcome, Timings)
