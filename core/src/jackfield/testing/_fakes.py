"""A provider without key and network, for the tests of programs that use Jackfield."""

from __future__ import annotations

import asyncio
import copy
import json
from array import array
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import attrs
import orjson

from jackfield._contract.hookspecs import hookimpl
from jackfield._contract.protocols import CostContext, Exchange, Listing, ProviderInfo
from jackfield._types.capabilities import FEATURES, KINDS, Capabilities, Limits, ModelCard, ModelRef
from jackfield._types.cost import Cost, RateCard
from jackfield._types.errors import JackfieldError
from jackfield._types.failures import Failure
from jackfield._types.parameters import Translation
from jackfield._types.requests import Request
from jackfield._types.usage import Usage
from jackfield._types.wire import Frame, Head, Headers, Wire

from ._fake_answers import DIMENSIONS, FakeAnswer, answer_frames
from ._fake_wire import FakeDecoder, translate

__all__ = ["FakeProvider", "FakeSettings"]

AnswerLike: TypeAlias = FakeAnswer | str | BaseException | int
Script: TypeAlias = Callable[[Request], AnswerLike | None]


@attrs.frozen
class FakeSettings:
    """Config keys of a fake connection.

    Attributes:
        delay: Seconds before each answer.
    """

    delay: float = 0.0


class FakeProvider:
    """A provider plugin that answers in this process.

    Every call takes the next of `answers`; when they are used up, or if there are none, it answers what
    can be foreseen: chat and completion say "You said: ..." word by word, embeddings come from a hash of
    the text, a rerank counts common words, a forced tool call and a JSON answer follow the schema. Tokens
    are words. A retry is a call, too: `answers=[503, "hello"]` fails once and then says hello.

    Args:
        id: The provider's id.
        answers: What to answer, in order: a text, a `FakeAnswer`, an exception, an HTTP status; or a
            function of the request that gives one of these, or None for the default.
        models: The ids that its listing shows; any other id works, too.
        capabilities: What its models can do: one for all, or by model id. Everything unless given.
        price: The rates of its models; None for unknown.

    Attributes:
        wires: The wires it got, in order.
        requests: The requests it answered, in order.
        opened: How often a transport of it was opened.
        closed: How often one was closed.
        cancelled: How many answers were left before their end.
    """

    def __init__(
        self,
        id: str = "fake",
        answers: Sequence[AnswerLike] | AnswerLike | Script = (),
        *,
        models: Sequence[str] = ("echo",),
        capabilities: Capabilities | Mapping[str, Capabilities] | None = None,
        price: RateCard | None = None,
    ) -> None:
        self.id = id
        self.models = tuple(models)
        self.capabilities = capabilities
        self.price = price
        self.wires: list[Wire] = []
        self.requests: list[Request] = []
        self.opened = 0
        self.closed = 0
        self.cancelled = 0
        self._script = answers if callable(answers) else None
        self._answers = [] if callable(answers) else _as_list(answers)

    def script(self, *answers: AnswerLike) -> None:
        """Add answers for the calls to come."""
        self._answers.extend(answers)

    def next_answer(self, request: Request) -> FakeAnswer | None:
        """Take the next answer of the script; None where the default is to answer."""
        if self._script is not None:
            answer = self._script(request)
        else:
            answer = self._answers.pop(0) if self._answers else None
        return None if answer is None else _as_answer(answer)

    @hookimpl
    def jackfield_provider(self) -> ProviderInfo:
        """Return the provider's info."""
        return ProviderInfo(
            id=self.id, title="Fake, for tests", settings=FakeSettings, kinds=frozenset(KINDS)
        )

    @hookimpl
    def jackfield_capabilities(self, model: ModelRef) -> Capabilities:
        """Return the capabilities that the test declared; by default, all of them."""
        declared = self.capabilities
        if isinstance(declared, Mapping):
            declared = declared.get(model.known_as)
        if declared is not None:
            return declared
        return attrs.evolve(EVERYTHING, known=model.known_as in self.models)

    @hookimpl
    def jackfield_discover(self) -> Listing:
        """List the models given to the constructor."""
        return Listing(Wire("models", method="GET"), self._parse_listing)

    @hookimpl
    def jackfield_translate(
        self, model: ModelRef, request: Request, capabilities: Capabilities
    ) -> Translation:
        """Write everything that was given to the wire, or refuse what the test's capabilities deny."""
        return translate(self.id, model, request, capabilities)

    @hookimpl
    def jackfield_decoder(self, model: ModelRef) -> FakeDecoder:
        """Read the frames of a fake answer."""
        return FakeDecoder(model.id)

    @hookimpl
    def jackfield_error(self, model: ModelRef | None, failure: Failure) -> JackfieldError | None:
        """Return a scripted error as it is; leave others to the core."""
        del model
        exception = failure.exception
        return exception if isinstance(exception, JackfieldError) else None

    @hookimpl
    def jackfield_cost(self, model: ModelRef, usage: Usage, context: CostContext) -> RateCard | Cost | None:
        """Return the price that the test declared."""
        del model, usage, context
        return self.price

    @hookimpl
    def jackfield_transport(self, settings: FakeSettings) -> FakeTransport:
        """Answer in this process."""
        return FakeTransport(self, settings.delay)

    def _parse_listing(self, head: Head, body: bytes) -> tuple[Sequence[ModelCard], Wire | None]:
        del head
        cards = [
            ModelCard(
                id=name, kinds=frozenset(KINDS), capabilities=self.jackfield_capabilities(ModelRef(name))
            )
            for name in orjson.loads(body)["models"]
        ]
        return cards, None


class FakeTransport:
    """Carries wires to a `FakeProvider`.

    Args:
        fake: Who answers.
        delay: Seconds before each answer.
    """

    def __init__(self, fake: FakeProvider, delay: float = 0.0) -> None:
        self._fake = fake
        self._delay = delay
        self._open = False

    async def open(self) -> None:
        """Count the opening."""
        self._open = True
        self._fake.opened += 1

    async def aclose(self) -> None:
        """Count the closing, once."""
        if self._open:
            self._open = False
            self._fake.closed += 1

    @asynccontextmanager
    async def exchange(self, wire: Wire) -> AsyncIterator[Exchange]:
        """Answer a wire with the next answer of the script."""
        self._fake.wires.append(wire)
        if "request" not in wire.meta:
            listing = orjson.dumps({"models": self._fake.models})
            yield Exchange(Head(None, Headers({"content-type": "application/json"})), _read_once(listing))
            return
        request: Request = wire.meta["request"]
        self._fake.requests.append(request)
        answer = self._fake.next_answer(request)
        try:
            await asyncio.sleep(self._delay + (answer.delay if answer is not None else 0.0))
        except asyncio.CancelledError:
            self._fake.cancelled += 1
            raise
        if answer is not None and answer.error is not None and answer.after is None:
            if not isinstance(answer.error, int):
                raise _copied(answer.error)
            yield _refusal(answer.error, answer.retry_after)
            return
        run = _Run(wire, request, answer)
        try:
            yield Exchange(Head(None), run.reads())
        finally:
            if not run.ended:
                self._fake.cancelled += 1


class _Run:
    """One answer on its way."""

    def __init__(self, wire: Wire, request: Request, answer: FakeAnswer | None) -> None:
        self.ended = False
        self._wire = wire
        self._answer = FakeAnswer() if answer is None else answer
        self._frames = answer_frames(answer, request, wire.meta["model"])

    async def reads(self) -> AsyncIterator[Sequence[Frame]]:
        """Yield a stream frame by frame, a whole answer at once."""
        answer = self._answer
        frames = [Frame(frame, frame["type"]) for frame in self._frames]
        if answer.error is not None and answer.after is not None:
            # `started` comes before the pieces
            frames = [*frames[: answer.after + 1], Frame(_error_frame(answer), "error")]
        if not self._wire.stream:
            self.ended = True
            yield frames if answer.error is not None else (Frame(_write_whole(self._frames)),)
            return
        for frame in frames:
            await asyncio.sleep(answer.chunk_delay)
            self.ended = frame is frames[-1]
            yield (frame,)


async def _read_once(body: bytes) -> AsyncIterator[Sequence[Frame]]:
    yield (Frame(body),)


def _error_frame(answer: FakeAnswer) -> dict[str, Any]:
    if isinstance(answer.error, int):
        return {"type": "error", "status": answer.error, "message": f"scripted status {answer.error}"}
    return {"type": "error", "exception": _copied(answer.error)}


def _refusal(status: int, retry_after: float | None) -> Exchange:
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    message = f"the fake provider answers with the scripted status {status}"
    return Exchange(Head(status, Headers(headers)), _read_once(orjson.dumps({"error": {"message": message}})))


def _copied(error: Any) -> BaseException:
    # The mesh writes attempts into what it raises; the test's own object stays as the test made it.
    return copy.copy(error) if isinstance(error, JackfieldError) else error


def _write_whole(frames: list[dict[str, Any]]) -> bytes:
    try:
        return orjson.dumps(frames, _as_json)
    except TypeError:  # half a character, as services write it
        return json.dumps(frames, default=_as_json).encode()


def _as_json(value: Any) -> Any:
    return value.tolist() if isinstance(value, array) else str(value)  # the rest are Decimals


def _as_list(answers: Any) -> list[AnswerLike]:
    if isinstance(answers, str | int | BaseException | FakeAnswer):
        return [answers]
    return list(answers)


def _as_answer(answer: AnswerLike) -> FakeAnswer:
    if isinstance(answer, FakeAnswer):
        return answer
    if isinstance(answer, str):
        return FakeAnswer(text=answer)
    return FakeAnswer(error=answer)


EVERYTHING = Capabilities(
    known=True,
    kinds=frozenset(KINDS),
    limits=Limits(context_window=100_000, max_output_tokens=10_000, dimensions=DIMENSIONS),
    source="fake",
).with_features("fake", **dict.fromkeys(FEATURES, True))
