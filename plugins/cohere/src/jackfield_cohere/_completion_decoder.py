"""Legacy text completion (`generate`): the decoder of answers, streamed as JSON lines or whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jackfield import Event, Finish, LogprobsDelta, Started, TextDelta, TokenLogprob

from ._decoder import AnswerDecoder, as_word, fail_by_reason, read_meta, reason_of

__all__ = ["GenerateDecoder"]


class GenerateDecoder(AnswerDecoder):
    """Decodes one answer of `generate`; every generation is a choice.

    A stream ends with `stream-end`, or with a line in which `is_finished` is true (Bedrock).
    """

    def __init__(self, *, stream: bool) -> None:
        super().__init__(stream=stream)
        self._choices: set[int] = set()
        self._finished: set[int] = set()

    def _read(self, value: dict[str, Any], data: bytes) -> Iterator[Event]:
        return self._whole(value) if "generations" in value else self._line(value)

    def _line(self, event: dict[str, Any]) -> Iterator[Event]:
        raw = as_word(event.get("finish_reason"))
        fail_by_reason(raw, event, event.get("err"))
        is_last = event.get("is_finished") or event.get("event_type") == self.marker
        if event.get("text") not in (None, ""):
            index = event.get("index") or 0
            self._choices.add(index)
            yield TextDelta(event["text"], index)
        elif not is_last and event.get("event_type") != "text-generation":
            yield from self._unknown(event.get("event_type"), event, "generations")
        if is_last:
            yield from self._end(event, raw)

    def _end(self, event: Mapping[str, Any], raw: str | None) -> Iterator[Event]:
        response = event.get("response")
        if response:
            yield from self._whole({"finish_reason": raw, **response})
            return
        own = event.get("index")
        for index in sorted(self._choices or {0}) if own is None else (own,):
            if index not in self._finished:
                self._finished.add(index)
                yield Finish(reason_of(raw, calls=False), index, raw)
        self._complete = self._choices <= self._finished
        self.ended = own is None  # else another choice may still begin

    def _whole(self, body: Mapping[str, Any]) -> Iterator[Event]:
        yield Started(body.get("id"))
        generations: Sequence[Mapping[str, Any]] = body.get("generations") or ()
        for position, generation in enumerate(generations):
            yield from self._generation(generation, position, body.get("finish_reason"))
        yield from read_meta(body)
        self._complete = self.ended = True

    def _generation(
        self, generation: Mapping[str, Any], position: int, overall: str | None
    ) -> Iterator[Event]:
        index = generation.get("index")
        index = position if index is None else index
        raw = as_word(generation.get("finish_reason")) or as_word(overall)
        fail_by_reason(raw, {})
        if generation.get("text") and index not in self._choices:
            yield TextDelta(generation["text"], index)
        likelihoods = generation.get("token_likelihoods")
        if likelihoods:
            yield LogprobsDelta([_token(one) for one in likelihoods], index)
        if index not in self._finished:
            yield Finish(reason_of(raw, calls=False), index, raw)


def _token(one: Mapping[str, Any]) -> TokenLogprob:
    # The first token of an echoed prompt has no likelihood.
    likelihood = one.get("likelihood")
    return TokenLogprob(one.get("token") or "", float("nan") if likelihood is None else likelihood)
