"""Checks of what the cases' answers mean."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson

from jackfield._calls.fold import Folded
from jackfield._types.capabilities import ModelCard
from jackfield._types.content import Thinking
from jackfield._types.errors import MalformedResponseError
from jackfield._types.events import Event
from jackfield._types.option_rules import UNSET
from jackfield._types.replies import Choice
from jackfield._types.usage import Usage

from ._case import Case, call_pairs
from ._check import Applies, check
from ._findings import SkipCheck
from ._subject import Subject

_COUNTS = ("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens", "reasoning_tokens")


def _with(look: Callable[[Case], Any], what: str) -> Applies:
    def applies(subject: Subject) -> str | None:
        return None if any(look(case) for case in subject.cases) else f"no case says {what}"

    return applies


def _answers(subject: Subject, look: Callable[[Case], Any]) -> Iterator[tuple[Case, Folded]]:
    """Return the cases that hold an answer, decoded."""
    for case in subject.good_cases():
        if look(case):
            decoded = subject.decoded(case)
            if decoded.error is None:  # else `answers.decode` tells of it
                yield case, decoded.folded


def _any(case: Case) -> bool:
    del case
    return True


def _first(folded: Folded) -> Choice | None:
    return folded.choices[0] if folded.choices else None


@check(
    "answers.decode",
    law="Every good answer can be read.",
    remedy="see the exception; a decoder raises only our own errors",
    applies=_with(lambda case: case.error is None, "what a good answer is"),
)
def decode(subject: Subject) -> Iterable[str]:
    for case in subject.good_cases():
        decoded = subject.decoded(case)
        if decoded.error is not None:
            yield f"{case.label}: {type(decoded.error).__name__}: {decoded.error}"
        elif not all(isinstance(event, Event) for event in decoded.events):
            yield f"{case.label}: the decoder gives something that is no event"


@check(
    "answers.text",
    law="The text is the case's.",
    remedy="compare the recorded bytes with what the decoder makes of them",
    applies=_with(lambda case: case.text is not None, "what the text is"),
)
def text(subject: Subject) -> Iterable[str]:
    for case, folded in _answers(subject, lambda case: case.text is not None):
        choice = _first(folded)
        found = "" if choice is None else choice.text
        if found != case.text:
            yield f"{case.label}: it is {found!r}, not {case.text!r}"


@check(
    "answers.thinking",
    law="The thinking is the case's, and is tied to the provider.",
    remedy="give ThinkingDelta events for it",
    applies=_with(lambda case: case.thinking is not None, "what the thinking is"),
)
def thinking(subject: Subject) -> Iterable[str]:
    for case, folded in _answers(subject, lambda case: case.thinking is not None):
        choice = _first(folded)
        parts = () if choice is None else choice.message.parts
        found = "".join(part.text for part in parts if isinstance(part, Thinking))
        if found != case.thinking:
            yield f"{case.label}: it is {found!r}, not {case.thinking!r}"


@check(
    "answers.tool_calls",
    law="Tool calls have the case's names and arguments, and ids.",
    remedy="give ToolCallStart with id and name, then the arguments as JSON text, whole or in pieces",
    applies=_with(lambda case: case.expected_calls is not None, "which tools are called"),
)
def tool_calls(subject: Subject) -> Iterable[str]:
    for case, folded in _answers(subject, lambda case: case.expected_calls is not None):
        choice = _first(folded)
        calls = () if choice is None else choice.message.tool_calls
        found, wanted = call_pairs(calls), [(name, dict(args)) for name, args in case.expected_calls or ()]
        if found != wanted:
            yield f"{case.label}: they are {found!r}, not {wanted!r}"
        ids: list[Any] = [call.id for call in calls]
        if len(set(ids)) != len(ids) or not all(isinstance(one, str) and one for one in ids):
            yield f"{case.label}: their ids are {ids!r}; want one for each, no two the same"


@check(
    "answers.finish",
    law="The finish reason is the case's, in our words.",
    remedy="map the provider's word, and keep it in Finish.raw",
    applies=_with(lambda case: case.finish is not None, "why it ended"),
)
def finish(subject: Subject) -> Iterable[str]:
    for case, folded in _answers(subject, lambda case: case.finish is not None):
        choice = _first(folded)
        found = None if choice is None else choice.finish_reason
        if found != case.finish:
            yield f"{case.label}: it is {found!r}, not {case.finish!r}"


@check(
    "answers.usage",
    law="Usage is the case's; what the service does not say is None.",
    remedy="use .get() without a default: None is unknown, 0 is a count",
    applies=_with(lambda case: case.usage is not UNSET, "what was used"),
)
def usage(subject: Subject) -> Iterable[str]:
    for case, folded in _answers(subject, lambda case: case.usage is not UNSET):
        wanted = case.expected_usage or Usage()
        names = ("input_tokens", "output_tokens") if isinstance(case.usage, tuple) else _COUNTS
        for name in names:
            found = getattr(folded.usage, name)
            if found != getattr(wanted, name):
                yield f"{case.label}: {name} is {found!r}, not {getattr(wanted, name)!r}"


@check(
    "answers.usage_parts",
    law="Cached and written input are parts of the input, thinking is a part of the output.",
    remedy="add the cached counts to input_tokens where the service counts them apart",
)
def usage_parts(subject: Subject) -> Iterable[str]:
    subject.some_cases()
    for case, folded in _answers(subject, _any):
        used = folded.usage
        parts = (used.cached_input_tokens or 0) + (used.cache_write_tokens or 0)
        if used.input_tokens is not None and parts > used.input_tokens:
            yield f"{case.label}: {parts} tokens of {used.input_tokens} come from or go to a cache"
        if used.output_tokens is not None and (used.reasoning_tokens or 0) > used.output_tokens:
            yield f"{case.label}: {used.reasoning_tokens} tokens of {used.output_tokens} are thinking"
        wrong = [name for name in _COUNTS if not isinstance(getattr(used, name), int | None)]
        if wrong:
            yield f"{case.label}: {wrong[0]} is {getattr(used, wrong[0])!r}, which is no count"


_USAGE_KEYS = frozenset({"usage", "usage_metadata", "usagemetadata", "token_usage", "billed_units", "tokens"})


def _without_usage(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_usage(v) for k, v in value.items() if k.lower() not in _USAGE_KEYS}
    return [_without_usage(entry) for entry in value] if isinstance(value, list) else value


@check(
    "answers.usage_unknown",
    law="An answer that does not say what was used has no usage: None, never 0.",
    remedy="use .get() without a default, and give no UsageUpdate if there is nothing to say",
)
def usage_unknown(subject: Subject) -> Iterable[str]:
    tried = False
    for case in subject.some_cases(stream=False):
        if case.in_process:
            continue
        try:
            value = orjson.loads(subject.body(case))
        except orjson.JSONDecodeError:
            continue
        stripped = _without_usage(value)
        if stripped == value:
            continue
        decoded = subject.decoded(case, orjson.dumps(stripped))
        if decoded.error is not None:
            continue
        tried = True
        for name in ("input_tokens", "output_tokens"):
            found = getattr(decoded.folded.usage, name)
            if found == 0:
                yield f"{case.label}: without its usage, {name} is 0"
    if not tried:
        raise SkipCheck("no whole case has a usage that could be taken out")


@check(
    "answers.embeddings",
    law="Embeddings are the case's: float32, in order.",
    remedy="give EmbeddingData(index, vector) with a numpy array or array('f')",
    applies=_with(lambda case: case.embedding is not None, "what the embeddings are"),
)
def embeddings(subject: Subject) -> Iterable[str]:
    for case, folded in _answers(subject, lambda case: case.embedding is not None):
        vectors = [folded.vectors.get(index) for index in range(len(folded.vectors))]
        wanted: Any = case.embedding
        is_shape = len(wanted) == 2 and all(isinstance(entry, int) for entry in wanted)
        shape = tuple(wanted) if is_shape else (len(wanted), len(wanted[0]) if wanted else 0)
        found = (len(vectors), len(vectors[0]) if vectors and vectors[0] is not None else 0)
        if found != shape:
            yield f"{case.label}: there are {found[0]} of length {found[1]}, not {shape[0]} of length {shape[1]}"
            continue
        if not is_shape and any(
            abs(a - b) > 1e-5 * max(1.0, abs(b))
            for mine, theirs in zip(vectors, wanted, strict=True)
            for a, b in zip(() if mine is None else mine, theirs, strict=True)
        ):
            yield f"{case.label}: the values are others"
        wrong = [vector for vector in vectors if not _is_float32(vector)]
        if wrong:
            yield f"{case.label}: a vector is a {type(wrong[0]).__name__}, not float32"


def _is_float32(vector: Any) -> bool:
    return getattr(vector, "typecode", None) == "f" or str(getattr(vector, "dtype", "")) == "float32"


@check(
    "answers.scores",
    law="A rerank's scores are the case's.",
    remedy="give RerankScore(index, score) for each document that came back",
    applies=_with(lambda case: case.scores is not None, "what the scores are"),
)
def scores(subject: Subject) -> Iterable[str]:
    for case, folded in _answers(subject, lambda case: case.scores is not None):
        found, wanted = list(folded.scores), [tuple(pair) for pair in case.scores or ()]
        if [index for index, _ in found] != [index for index, _ in wanted] or any(
            abs(a[1] - b[1]) > 1e-9 for a, b in zip(found, wanted, strict=True)
        ):
            yield f"{case.label}: they are {found!r}, not {wanted!r}"


@check(
    "answers.count",
    law="A token count is the case's.",
    remedy="give TokensCounted(input_tokens)",
    applies=_with(lambda case: case.count is not None, "how many tokens are counted"),
)
def count(subject: Subject) -> Iterable[str]:
    for case, folded in _answers(subject, lambda case: case.count is not None):
        if folded.counted != case.count:
            yield f"{case.label}: it is {folded.counted!r}, not {case.count!r}"


@check(
    "answers.listing",
    law="A page of the list of models is read: its ids, and whether another page follows.",
    remedy="compare the recorded page with what the `parse` of jackfield_discover looks for",
    applies=lambda subject: None if subject.listings else "no case is a listing",
    gentle=True,
)
def listing(subject: Subject) -> Iterable[str]:
    found = subject.hooks.discover(subject.settings)
    if found is None:
        yield "jackfield_discover gives no listing"
        return
    for case in subject.listings:
        body = subject.body(case)
        read: Any = found.parse(case.head(body), body)
        cards, page = read
        stranger = next((card for card in cards if not isinstance(card, ModelCard)), None)
        if stranger is not None:
            yield f"{case.label}: it gives a {type(stranger).__name__}, not a ModelCard"
        elif case.models is not None and [card.id for card in cards] != list(case.models):
            yield f"{case.label}: it is {[card.id for card in cards]}"
        if page is not None and page == found.wire:
            yield f"{case.label}: the page that follows is the first one again"


@check(
    "answers.broken_body",
    law="A body that is cut or is no JSON is an error, never an answer.",
    remedy="parse with orjson and let it raise: the core makes MalformedResponseError of it",
)
def broken_body(subject: Subject) -> Iterable[str]:
    for case in subject.some_cases(stream=False):
        if case.in_process:
            continue
        body = subject.body(case)
        for what, broken in (
            ("cut", body[: len(body) // 2]),
            ("empty", b""),
            ("a page", b"<html>Sorry</html>"),
        ):
            if subject.decoded(case, broken).error is None:
                yield f"{case.label}: a body that is {what} counts as an answer"


@check(
    "answers.odd_body",
    law="JSON of a shape that the service does not document is MalformedResponseError, or keeps what is known.",
    remedy="index what must be there (data['choices']); KeyError and TypeError become MalformedResponseError",
    gentle=True,
)
def odd_body(subject: Subject) -> Iterable[str]:
    for case in subject.some_cases(stream=False):
        if case.in_process or case.kind not in {"chat", "completion", "summarization"}:
            continue
        for odd in (b"{}", b"[]", b"null", b'"text"'):
            decoded = subject.decoded(case, odd)
            if decoded.error is None and case.text and not decoded.finishes():
                yield f"{case.label}: {odd.decode()} counts as an answer that is complete"
            elif decoded.error is not None and not isinstance(decoded.error, MalformedResponseError):
                continue


@check(
    "answers.travel",
    law="What an answer is made of can be pickled.",
    remedy="keep plain data in provider_data, Finish.detail and RawEvent",
    gentle=True,
)
def travel(subject: Subject) -> Iterable[str]:
    subject.some_cases()
    for case, folded in _answers(subject, _any):
        try:
            pickle.loads(pickle.dumps((folded.choices, folded.usage, folded.raw)))  # noqa: S301 -- our own bytes
        except Exception as error:
            yield f"{case.label}: {type(error).__name__}: {error}"
