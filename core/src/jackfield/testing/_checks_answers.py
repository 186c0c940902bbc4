"""Checks of what the cases' answers mean."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson

from jackfield._calls.fold import Folded
from jackfield._types.capabilities import ModelCard
from jackfield._types.content import Thinking
from jackfield._types.errors import MalformedResponseError
from jackfield._types.events import Event, Finish
from jackfield._types.option_rules import UNSET
from jackfield._types.replies import Choice
from jackfield._types.usage import Usage

from ._case import Case, call_pairs
from ._check import Applies, check
from ._findings import SkipCheck
from ._subject import Subject

COUNTS = ("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens", "reasoning_tokens")


def with_facts(look: Callable[[Case], Any], what: str) -> Applies:
    def applies(subject: Subject) -> str | None:
        return None if any(look(case) for case in subject.cases) else f"no case says {what}"

    return applies


def read_answers(subject: Subject, look: Callable[[Case], Any]) -> Iterator[tuple[Case, Folded]]:
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
    applies=with_facts(lambda case: case.error is None, "what a good answer is"),
)
def decode(subject: Subject) -> Iterable[str]:
    for case in subject.good_cases():
        decoded = subject.decoded(case)
        if decoded.error is not None:
            yield f"{case.label}: {type(decoded.error).__name__}: {decoded.error}"
        elif not all(isinstance(event, Event) for event in decoded.events):
            yield f"{case.label}: the decoder gives something that is not an event"


@check(
    "answers.text",
    law="The text is the case's.",
    remedy="compare the recorded bytes with what the decoder makes of them",
    applies=with_facts(lambda case: case.text is not None, "what the text is"),
)
def text(subject: Subject) -> Iterable[str]:
    for case, folded in read_answers(subject, lambda case: case.text is not None):
        choice = _first(folded)
        found = "" if choice is None else choice.text
        if found != case.text:
            yield f"{case.label}: it is {found!r}, not {case.text!r}"


@check(
    "answers.thinking",
    law="The thinking is the case's, and is tied to the provider.",
    remedy="give ThinkingDelta events for it",
    applies=with_facts(lambda case: case.thinking is not None, "what the thinking is"),
)
def thinking(subject: Subject) -> Iterable[str]:
    for case, folded in read_answers(subject, lambda case: case.thinking is not None):
        choice = _first(folded)
        parts = () if choice is None else choice.message.parts
        found = "".join(part.text for part in parts if isinstance(part, Thinking))
        if found != case.thinking:
            yield f"{case.label}: it is {found!r}, not {case.thinking!r}"


@check(
    "answers.tool_calls",
    law="Tool calls have the case's names and arguments, and ids.",
    remedy="give ToolCallStart with id and name, then the arguments as JSON text, whole or in pieces",
    applies=with_facts(lambda case: case.expected_calls is not None, "which tools are called"),
)
def tool_calls(subject: Subject) -> Iterable[str]:
    for case, folded in read_answers(subject, lambda case: case.expected_calls is not None):
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
    applies=with_facts(lambda case: case.finish is not None, "why it ended"),
)
def finish(subject: Subject) -> Iterable[str]:
    for case, folded in read_answers(subject, lambda case: case.finish is not None):
        choice = _first(folded)
        found = None if choice is None else choice.finish_reason
        if found != case.finish:
            yield f"{case.label}: it is {found!r}, not {case.finish!r}"


@check(
    "answers.usage",
    law="Usage is the case's; what the service does not say is None.",
    remedy="use .get() without a default: None is unknown, 0 is a count",
    applies=with_facts(lambda case: case.usage is not UNSET, "what was used"),
)
def usage(subject: Subject) -> Iterable[str]:
    for case, folded in read_answers(subject, lambda case: case.usage is not UNSET):
        wanted = case.expected_usage or Usage()
        names = ("input_tokens", "output_tokens") if isinstance(case.usage, tuple) else COUNTS
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
    for case, folded in read_answers(subject, _any):
        used = folded.usage
        parts = (used.cached_input_tokens or 0) + (used.cache_write_tokens or 0)
        if used.input_tokens is not None and parts > used.input_tokens:
            yield f"{case.label}: {parts} tokens of {used.input_tokens} come from or go to a cache"
        if used.output_tokens is not None and (used.reasoning_tokens or 0) > used.output_tokens:
            yield f"{case.label}: {used.reasoning_tokens} tokens of {used.output_tokens} are thinking"
        wrong = [name for name in COUNTS if not isinstance(getattr(used, name), int | None)]
        if wrong:
            yield f"{case.label}: {wrong[0]} is {getattr(used, wrong[0])!r}, which is not a count"


USAGE_KEYS = frozenset({"usage", "usage_metadata", "usagemetadata", "token_usage", "billed_units", "tokens"})


_COUNT_NAME = re.compile("token|_count$|usage", re.IGNORECASE)


def is_count_name(name: str) -> bool:
    """Return whether a field of an answer is a count by its name."""
    return _COUNT_NAME.search(name) is not None


def _without_usage(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            k: _without_usage(v)
            for k, v in value.items()
            if k.lower() not in USAGE_KEYS and not (type(v) is int and is_count_name(k))
        }
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
    "answers.unknown_finish",
    law='A reason to end that the plugin does not know is "other", never "stop".',
    remedy='map the words that the service documents: `_REASONS.get(word, "other")`',
    gentle=True,
)
def unknown_finish(subject: Subject) -> Iterable[str]:
    tried = False
    for case in subject.some_cases():
        ends = [event for event in subject.decoded(case).events if isinstance(event, Finish)]
        # A reason of the decoder's own, because the service tells none, stands nowhere in the bytes.
        word = ends[0].raw if ends else None
        if case.in_process or not word:
            continue
        body = subject.body(case)
        changed = re.sub(rb"(:\s*)" + re.escape(orjson.dumps(word)), rb'\1"jackfield-end"', body)
        ends = [event for event in subject.decoded(case, changed).events if isinstance(event, Finish)]
        if changed == body or not ends or ends[0].raw != "jackfield-end":
            continue
        tried = True
        if ends[0].reason == "stop":
            yield f"{case.label}: with an end that nobody knows, it is 'stop'"
    if not tried:
        raise SkipCheck("no case has a word for its end that could be exchanged")


@check(
    "answers.count",
    law="A token count is the case's.",
    remedy="give TokensCounted(input_tokens)",
    applies=with_facts(lambda case: case.count is not None, "how many tokens are counted"),
)
def count(subject: Subject) -> Iterable[str]:
    for case, folded in read_answers(subject, lambda case: case.count is not None):
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
    "answers.listing_error",
    law="An error in place of a page of the list of models is not an empty list.",
    remedy="index the list (page['models']) where the service always sends one",
    applies=lambda subject: None if subject.listings else "no case is a listing",
    gentle=True,
)
def listing_error(subject: Subject) -> Iterable[str]:
    found = subject.hooks.discover(subject.settings)
    for case in subject.listings if found is not None else ():
        body = b'{"error": {"message": "jackfield-conformance"}}'
        try:
            found.parse(case.head(subject.body(case)), body)  # type: ignore[union-attr]
        except Exception:  # noqa: S112 -- it is read as what it is
            continue
        yield f"{case.label}: an error with status 200 is read as a list"


@check(
    "answers.broken_body",
    law="A body that is cut or is not JSON is an error, never an answer.",
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
    for case, folded in read_answers(subject, _any):
        try:
            pickle.loads(pickle.dumps((folded.choices, folded.usage, folded.raw)))  # noqa: S301 -- our own bytes
        except Exception as error:
            yield f"{case.label}: {type(error).__name__}: {error}"
