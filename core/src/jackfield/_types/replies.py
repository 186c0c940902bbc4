"""What a call returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jackfield._faces import show_in
from jackfield._values import Declared, Value, define, field, field_names, frozen

from .content import Message, Text, Thinking, ToolCall
from .cost import UNKNOWN_COST, Cost
from .errors import MalformedResponseError
from .events import Citation, FinishReason, TokenLogprob
from .parameters import ParameterReport
from .usage import Usage

__all__ = ["Attempt", "Choice", "EmbedReply", "Ranking", "Replay", "Reply", "RerankReply", "TokenCount"]


# One a call: without slots it is made in half the time.
@frozen(kw_only=True, slots=False)
class Attempt(Value):
    """One try to get an answer.

    Attributes:
        connection: The connection's name.
        model: The model's id.
        status: HTTP status, if the service answered.
        error: The name of the error's class; None if it went well.
        message: The error's message.
        retry_after: Seconds that the service asked for.
        waited: Seconds waited before this try.
        queued: Seconds that it was held back then: by the declared pace, or because the service refused other calls.
        duration: Seconds that the try took, until its first event or its failure.
        sent_at: When it began to send, in seconds of `time.perf_counter()`; None if it did not come so far.
        refreshed: It was sent again with fresh credentials; does not count against `attempts`.
        parameters: What became of every parameter.
    """

    connection: str
    model: str
    status: int | None = None
    error: str | None = None
    message: str | None = None
    retry_after: float | None = None
    waited: float = 0.0
    queued: float = 0.0
    duration: float = 0.0
    sent_at: float | None = field(default=None, repr=False)
    refreshed: bool = False
    parameters: ParameterReport = field(factory=ParameterReport, repr=False)


# One a call: without slots it is made in half the time.
@frozen(kw_only=True, slots=False)
class Choice(Value):
    """One of the answers to one request.

    Attributes:
        index: Its number.
        message: The assistant's turn; goes back into `messages` as it is.
        finish_reason: None if the answer was cut.
        finish_raw: The provider's own word.
        finish_detail: More that the provider says about the end.
        logprobs: By token; None if not asked for or not given.
        citations: Where statements come from.
    """

    index: int
    message: Message
    finish_reason: FinishReason | None = None
    finish_raw: str | None = None
    finish_detail: Any = None
    logprobs: tuple[TokenLogprob, ...] | None = None
    citations: tuple[Citation, ...] = ()

    @property
    def text(self) -> str:
        """The text; refusals left out."""
        return self.message.text


def _empty_choice() -> Choice:
    return Choice(index=0, message=Message("assistant", ()))


@frozen(kw_only=True)
class Replay(Value):
    """A recorded answer was given again, without asking the service.

    Attributes:
        by: The middleware that gave it, such as "cache".
        recorded_at: When it was recorded, in seconds of `time.time()`.
        usage: What the recorded answer used.
        cost: What the recorded answer cost: saved this time.
    """

    by: str
    recorded_at: float | None = None
    usage: Usage = field(factory=Usage)
    cost: Cost = field(default=UNKNOWN_COST)


@define(kw_only=True)
class _Answer(Declared):
    """What all replies share.

    Attributes:
        id: The service's name for the answer.
        model: The model that the service says answered, else the one asked for.
        connection: The connection's name.
        provider: Provider id.
        usage: What was used.
        parameters: What became of every parameter in the attempt that went well.
        attempts: Every attempt.
        complete: False for what had come before a stream was left or broke, and for a stream that ended before its service
            said why, where such an end is not an error.
        ended: True if everything that the service sent was read; False if a stream was left or broke before.
        replay: Where it is from if the service was not asked; None if it was.
    """

    id: str | None = None
    model: str | None = None
    connection: str | None = None
    provider: str | None = None
    usage: Usage = field(factory=Usage)
    parameters: ParameterReport = field(factory=ParameterReport, repr=False)
    attempts: tuple[Attempt, ...] = field(default=(), repr=False)
    complete: bool = True
    ended: bool = True
    replay: Replay | None = None
    _cost: Cost | Callable[[], Cost] = field(default=UNKNOWN_COST, repr=False)
    _raw: Any = field(default=None, repr=False)
    _metadata: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def metadata(self) -> dict[str, Any]:
        """What middlewares say of it, by their names."""
        if self._metadata is None:
            self._metadata = {}
        return self._metadata

    @property
    def cost(self) -> Cost:
        """What it cost; computed when first asked for."""
        if not isinstance(self._cost, Cost):
            self._cost = self._cost()
        return self._cost

    @property
    def raw(self) -> Any:
        """The answer as it came: a whole answer's JSON, or what a stream held that has no event of its own."""
        if isinstance(self._raw, bytes):
            from jackfield._json import read_json

            try:
                self._raw = read_json(self._raw)
            except ValueError:
                self._raw = self._raw.decode("utf-8", "replace")
        return self._raw

    def __getstate__(self) -> dict[str, Any]:
        _ = self.cost  # a closure does not travel
        return {name: getattr(self, name) for name in field_names(type(self))}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)


@define(kw_only=True)  # inherited: a cost may be a closure
class Reply(_Answer):
    """The answer to a chat, a completion or a summary. `text` and its siblings mean choice 0.

    Attributes:
        choices: The answers.
        stored: Whether the service keeps the answer, so that `continue_from` can continue it; None if it did not say.
    """

    choices: tuple[Choice, ...] = ()
    stored: bool | None = None
    _schema: Any = field(default=None, repr=False)

    @property
    def _first(self) -> Choice:
        return self.choices[0] if self.choices else _empty_choice()

    @property
    def text(self) -> str:
        """The text; "" if there is none. A refusal's text is in `refusal`."""
        return self._first.message.text

    @property
    def refusal(self) -> str | None:
        """Why the model declined, if it said so."""
        pieces = [part.text for part in self._first.message.parts if isinstance(part, Text) and part.refusal]
        return "".join(pieces) if pieces else None

    @property
    def thinking(self) -> str:
        """The thinking that may be read; "" if there is none."""
        return "".join(part.text for part in self._first.message.parts if isinstance(part, Thinking))

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tools that the model wants called."""
        return self._first.message.tool_calls

    @property
    def citations(self) -> tuple[Citation, ...]:
        """Where statements come from."""
        return self._first.citations

    @property
    def logprobs(self) -> tuple[TokenLogprob, ...] | None:
        """Log probabilities by token; None if not asked for or not given."""
        return self._first.logprobs

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why it ended; None if it was cut."""
        return self._first.finish_reason

    @property
    def message(self) -> Message:
        """The assistant's turn; goes back into `messages` as it is."""
        return self._first.message

    @property
    def parsed(self) -> Any:
        """The answer as JSON if `response_format` was given, else None.

        Raises:
            MalformedResponseError: The text is not JSON (cut by max_tokens, say).
        """
        if self._schema is None:
            return None
        from jackfield._json import read_exactly

        if self.finish_reason == "refusal":
            return None
        try:
            return read_exactly(self.text)
        except ValueError as error:
            raise MalformedResponseError(
                f"the answer is not JSON ({error}); it ended with finish reason {self.finish_reason}",
                provider=self.provider,
                connection=self.connection,
                model=self.model,
                partial=self,
            ) from error


@define(kw_only=True)  # inherited: a cost may be a closure
class EmbedReply(_Answer):
    """Embeddings.

    Attributes:
        embeddings: One vector per input, in order: float32, a numpy array of shape (dimensions,) if numpy is
            installed, else `array("f")`.
    """

    embeddings: Sequence[Any] = field(default=(), repr=False)

    def lists(self) -> list[list[float]]:
        """Return the embeddings as lists of floats."""
        return [vector.tolist() for vector in self.embeddings]


@frozen
class Ranking(Value):
    """How well one document fits: its index among the documents, and its score (more is better)."""

    index: int
    score: float


@define(kw_only=True)  # inherited: a cost may be a closure
class RerankReply(_Answer):
    """Documents by how well they fit.

    Attributes:
        results: Best first.
    """

    results: tuple[Ranking, ...] = ()


@frozen(kw_only=True)
class TokenCount(Value):
    """How many tokens an input has.

    Attributes:
        input_tokens: The count.
        exact: The service or its own tokenizer counted.
        source: Who counted: "service", "tokenizer NAME", "characters / 4".
    """

    input_tokens: int
    exact: bool
    source: str
    data: Mapping[str, Any] = field(factory=dict, repr=False)


show_in("jackfield", Attempt, Choice, EmbedReply, Ranking, Reply, RerankReply, TokenCount)
show_in("jackfield.plugin", Replay)
