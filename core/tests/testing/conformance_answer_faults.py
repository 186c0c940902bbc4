"""Broken providers, one fault each, by the check that has to catch it: what is made of answers."""

from __future__ import annotations

import asyncio
import itertools
import threading
from decimal import Decimal

import attrs
import orjson
from conformance_acme import Acme, Decoder

from jackfield import (
    AuthenticationError,
    Cost,
    Finish,
    ProviderError,
    RateLimitError,
    ServerError,
    Started,
    TextDelta,
    Usage,
    UsageUpdate,
)
from jackfield._types.cost import Rate, RateCard
from jackfield.plugin import HttpAccess, NoAuth, hookimpl

FAULTS = []


def caught_by(*names):
    """Return which checks have to catch a fault; the first is the one that is meant for it."""

    def add(cls):
        FAULTS.append((cls, names))
        return cls

    return add


def decodes(cls):
    """Make a provider of a decoder."""
    return type(f"{cls.__name__}Acme", (Acme,), {"decoder": cls, "__module__": __name__})


# Streams

NUMBERS = itertools.count()


@caught_by("stream.cuts")
@decodes
class CountsReads(Decoder):
    def feed(self, frame):
        events = super().feed(frame)
        for event in events:
            if isinstance(event, TextDelta):
                event.text += str(next(NUMBERS))
        return events


@caught_by("stream.characters", "answers.text")
@decodes
class Latin(Decoder):
    def parse(self, data):
        return orjson.loads(data.decode("latin-1"))


@caught_by("stream.spellings")
@decodes
class KnowsJsonByItsLooks(Decoder):
    def feed(self, frame):
        return super().feed(frame) if frame.data[1:2] in b'"D' else []


@caught_by("stream.start")
@decodes
class SpeaksBeforeTheService(Decoder):
    def start(self, head):
        return [*super().start(head), TextDelta("")]


@caught_by("stream.finish_once")
@decodes
class FinishesTwice(Decoder):
    def finish(self):
        return [*super().finish(), Finish("stop")] if self.wire.stream else super().finish()


@caught_by("stream.finish_once")
@decodes
class NeverFinishes(Decoder):
    def feed(self, frame):
        return [event for event in super().feed(frame) if not isinstance(event, Finish)]


@caught_by("stream.unknown_events")
@decodes
class LosesStrangers(Decoder):
    def unknown(self, kind, data):
        return []


@caught_by("stream.unknown_events")
@decodes
class ChokesOnStrangers(Decoder):
    def unknown(self, kind, data):
        raise KeyError(kind)


@caught_by("stream.truncated", "stream.empty")
@decodes
class SwallowsTheCut(Decoder):
    def finish(self):
        return []


@caught_by("stream.truncated")
@decodes
class MakesAnEnd(Decoder):
    def finish(self):
        return [] if self.is_whole else [Finish("stop")]


@caught_by("stream.equals_whole")
@decodes
class LosesStreamedThinking(Decoder):
    def event(self, data):
        return [] if data.get("type") == "thought" else super().event(data)


@caught_by("stream.usage_is_total")
@decodes
class Increments(Decoder):
    def event(self, data):
        events = super().event(data)
        if data.get("type") == "usage":
            return [UsageUpdate(Usage(9, 4, 3)), UsageUpdate(Usage(1, 1))]
        return events


@caught_by("stream.ended")
@decodes
class WaitsForTheBody(Decoder):
    def feed(self, frame):
        events = super().feed(frame)
        self.ended = False
        return events


@caught_by("stream.ended", "stream.whole_when_cut")
class ForgetsTheInnerEnd(Acme):
    @hookimpl
    def jackfield_decoder(self, wire):
        inner = Decoder(wire)

        class Outer:
            start, feed, finish = inner.start, inner.feed, inner.finish

        return Outer()


@caught_by("stream.whole_when_cut")
@decodes
class IsWholeTooEarly(Decoder):
    def event(self, data):
        self.is_whole = self.is_whole or data.get("type") == "text"
        return super().event(data)


@caught_by("stream.heartbeats", "stream.error_event", "stream.halves")
@decodes
class ReadsStrictly(Decoder):
    def feed(self, frame):
        if frame.data == b"[DONE]":
            return super().feed(frame)
        data = orjson.loads(frame.data)
        return self.event(data) if self.wire.stream else self.whole(data)


@caught_by("answers.odd_counts")
@decodes
class CalculatesWithWhatCame(Decoder):
    def usage(self, data):
        usage = super().usage(data)
        return (
            Usage(data["input"] + 0, usage.output_tokens, usage.cached_input_tokens)
            if data.get("input")
            else usage
        )


# Answers


@caught_by("answers.decode")
@decodes
class NeedsThoughts(Decoder):
    def whole(self, data):
        return super().whole({**data, "thought": data["thought"]})


@caught_by("answers.tool_calls")
@decodes
class LosesArguments(Decoder):
    def call(self, data):
        return super().call({**data, "arguments": "{}"})


@caught_by("answers.finish")
@decodes
class AlwaysStops(Decoder):
    def end(self, reason):
        return Finish("stop", raw=reason)


@caught_by("answers.usage", "answers.usage_unknown")
@decodes
class ZeroForUnknown(Decoder):
    def usage(self, data):
        return Usage(data.get("input", 0), data.get("output", 0), data.get("cached"))


@caught_by("answers.usage_parts")
@decodes
class CachedBeside(Decoder):
    def usage(self, data):
        cached = data.get("cached")
        return Usage(1, data.get("output"), cached)


@caught_by("answers.embeddings")
@decodes
class ListsForVectors(Decoder):
    def whole(self, data):
        events = super().whole(data)
        for event in events:
            if hasattr(event, "vector"):
                event.vector = list(event.vector)
        return events


@caught_by("answers.broken_body")
@decodes
class ForgivesAll(Decoder):
    def parse(self, data):
        try:
            return super().parse(data)
        except orjson.JSONDecodeError:
            return {"id": None, "model": None, "text": "", "end": "done"}


# Errors


class Errors(Acme):
    @hookimpl
    def jackfield_error(self, model, failure):
        known = super().jackfield_error(model, failure)
        return self.changed(model, failure) if known is None else known


@caught_by("errors.statuses", "errors.retryable")
class EverythingIsServerError(Errors):
    def changed(self, model, failure):
        return ServerError("no", status=failure.status, body=failure.body, headers=failure.headers)


@caught_by("errors.context")
class LosesTheBody(Errors):
    def changed(self, model, failure):
        return ProviderError("no", status=failure.status) if failure.status == 400 else None


@caught_by("errors.retry_after")
class Milliseconds(Acme):
    def wait(self, failure, seconds):
        return None if seconds is None else seconds * 1000


@caught_by("errors.retry_after")
class ReadsNumbersOnly(Acme):
    def wait(self, failure, seconds):
        value = failure.headers.get("retry-after", "")
        return float(value) if value.isdigit() else None


@caught_by("errors.odd_bodies")
class TrustsBodies(Errors):
    def changed(self, model, failure):
        if failure.status == 400 and failure.body:
            failure.json()["error"]["message"].lower()


@caught_by("errors.exceptions")
class TrustsModels(Errors):
    def changed(self, model, failure):
        _ = model.id


class AcmeError(RateLimitError):
    def __init__(self, message, code, **context):
        super().__init__(message, **context)
        self.lock = threading.Lock()


@caught_by("errors.picklable")
class OwnError(Acme):
    def rate_limit(self, failure):
        return AcmeError("no", 5, status=429, body=failure.body, headers=failure.headers)


@caught_by("errors.no_secret")
class KeyInError(Errors):
    def changed(self, model, failure):
        if model is None or failure.status != 401:
            return None
        key = model.settings.api_key.reveal()
        return AuthenticationError(
            f"{key} is no good", status=401, body=failure.body, headers=failure.headers
        )


@caught_by("errors.cases")
class MissesTheWindow(Acme):
    @hookimpl
    def jackfield_error(self, model, failure):
        return None


# Transport


@caught_by("transport.gives")
class GivesAddress(Acme):
    @hookimpl
    def jackfield_transport(self, settings):
        return settings.base_url


@caught_by("transport.base_url")
class OwnAddress(Acme):
    @hookimpl
    def jackfield_transport(self, settings):
        return attrs.evolve(super().jackfield_transport(settings), base_url="http://127.0.0.1:1/v1")


@caught_by("transport.sends_wire")
class KeyInAddress(Acme):
    @hookimpl
    def jackfield_translate(self, model, request, capabilities):
        made = super().jackfield_translate(model, request, capabilities)
        query = {"key": model.settings.api_key.reveal()}
        return attrs.evolve(made, wire=attrs.evolve(made.wire, query=query))


@caught_by("transport.missing_key")
class SendsWithoutKey(Acme):
    @hookimpl
    def jackfield_transport(self, settings):
        try:
            settings.api_key.reveal()
        except Exception:
            return HttpAccess(base_url=settings.base_url, auth=NoAuth())
        return super().jackfield_transport(settings)


class ClosesOnce:
    async def open(self):
        pass

    def exchange(self, wire):
        raise NotImplementedError

    async def aclose(self):
        await asyncio.sleep(0)
        del self.exchange_pool

    def __init__(self):
        self.exchange_pool = object()


@caught_by("transport.closes")
class OneClose(Acme):
    @hookimpl
    def jackfield_transport(self, settings):
        return ClosesOnce()


# Cost


class Costs(Acme):
    @hookimpl
    def jackfield_cost(self, model, usage, context):
        return self.price(usage) if model.id == "acme-1" else None


@caught_by("cost.answers")
class GivesNumber(Costs):
    def price(self, usage):
        return 0.5


@caught_by("cost.unknown_is_not_zero")
class UnknownIsFree(Acme):
    @hookimpl
    def jackfield_cost(self, model, usage, context):
        known = super().jackfield_cost(model, usage, context)
        return Cost("complete", Decimal(0), "USD") if known is None else known


@caught_by("cost.decimal")
class Floats(Costs):
    def price(self, usage):
        return RateCard({"input": Rate("input", 2.5)})


@caught_by("cost.tiers")
@decodes
class AnyTierCostsTheSame(Decoder):
    def feed(self, frame):
        events = super().feed(frame)
        for event in events:
            if isinstance(event, Started):
                event.service_tier = "default"
        return events


@caught_by("cost.monotone")
class Cheaper(Costs):
    def price(self, usage):
        rate = 8 if (usage.input_tokens or 0) < 1000 else "0.001"
        return RateCard.of(source="x", as_of="2026-11-22", input=rate, output=rate)


@caught_by("cost.once")
class CachedTwice(Costs):
    def price(self, usage):
        count = (usage.input_tokens or 0) + (usage.cached_input_tokens or 0)
        return Cost("complete", Decimal(count) / 1000, "USD")


@caught_by("cost.once")
class ThinkingTwice(Costs):
    def price(self, usage):
        count = (usage.output_tokens or 0) * 2 + (usage.reasoning_tokens or 0) * 8 + (usage.input_tokens or 0)
        return Cost("complete", Decimal(count), "USD")


@caught_by("cost.adds_up")
class Rounds(Costs):
    def price(self, usage):
        count = (usage.input_tokens or 0) * 3 + (usage.output_tokens or 0) * 7
        return Cost("complete", Decimal(-(-count // 1000)), "USD")
