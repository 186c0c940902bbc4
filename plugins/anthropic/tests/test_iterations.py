"""Read `usage.iterations`. Invoices are worked out by hand from the table of prices, November 2026.

The advisor's and the fallback's entries have the shape of recorded answers (2026), compactions that of Anthropic's SDKs.
"""

from datetime import UTC, datetime
from decimal import Decimal

import orjson
import pytest

import jackfield_anthropic
from jackfield.plugin import CostContext, Frame, Wire
from jackfield.testing import cost_of, reply_of
from jackfield_anthropic import ANTHROPIC, decoder

NOW = datetime(2026, 11, 22, tzinfo=UTC).timestamp()
MILLION = 1_000_000
OPUS, FABLE = "claude-opus-4-8", "claude-fable-5"


def entry(kind, plain=0, output=0, model=None, **more):
    named = {} if model is None else {"model": model}
    return {"type": kind, **named, "input_tokens": plain, "output_tokens": output, **more}


def top(plain, output, *iterations, **more):
    return {"input_tokens": plain, "output_tokens": output, "iterations": list(iterations), **more}


def whole(usage, model=OPUS):
    message = {"type": "message", "id": "m", "role": "assistant", "model": model, "content": [], "usage": usage,
               "stop_reason": "end_turn"}  # fmt: skip
    decode = decoder(ANTHROPIC, Wire("/", meta={"api": "messages"}))
    return reply_of(decode.feed(Frame(orjson.dumps(message))) + decode.finish())


def streamed(usage, model=OPUS):
    start = {"type": "message", "id": "m", "model": model, "content": [], "usage": {"input_tokens": 1}}
    events = [
        {"type": "message_start", "message": start},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage},
        {"type": "message_stop"},
    ]
    decode = decoder(ANTHROPIC, Wire("/", stream=True, meta={"api": "messages"}))
    return reply_of(
        [e for event in events for e in decode.feed(Frame(orjson.dumps(event)))] + decode.finish()
    )


def bill(reply, model=OPUS, usage=None):
    context = CostContext(when=NOW, reported_model=reply.model, raw_usage=usage)
    return cost_of(jackfield_anthropic, model, reply.usage, context)


CASES = {
    # name: (model, usage, all input, all output, amount)
    "turns of a server's tools are counted": (
        OPUS, top(MILLION, 0, entry("message", 400_000), entry("message", 600_000)), MILLION, 0, "5",
    ),
    "a compaction is not": (
        OPUS, top(MILLION, 100_000, entry("compaction", MILLION, 100_000), entry("message", MILLION, 100_000)),
        2 * MILLION, 200_000, "15",
    ),
    "an advisor is another model": (
        "claude-haiku-4-5",
        top(MILLION, 0, entry("message", 600_000), entry("advisor_message", MILLION, 100_000, OPUS), entry("message", 400_000)),
        2 * MILLION, 100_000, "8.5",
    ),
    "an advisor may be the same model": (
        OPUS, top(MILLION, 0, entry("message", MILLION), entry("advisor_message", MILLION, 100_000, OPUS)),
        2 * MILLION, 100_000, "12.5",
    ),
    "a model that declined": (
        OPUS, top(MILLION, 0, entry("message", MILLION, 100_000, FABLE), entry("fallback_message", MILLION, 0, OPUS)),
        2 * MILLION, 100_000, "20",
    ),
    "turns of the model that answered in the end": (
        OPUS,
        top(MILLION, 0, entry("message", MILLION, 0, FABLE), entry("message", 300_000, 0, OPUS),
            entry("fallback_message", 700_000, 0, OPUS)),
        2 * MILLION, 0, "15",
    ),
}  # fmt: skip


@pytest.mark.parametrize("read", [whole, streamed])
@pytest.mark.parametrize("name", CASES)
def test_what_the_counts_leave_out_is_added_and_priced(name, read):
    model, usage, plain, output, amount = CASES[name]
    reply = read(usage, model)
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (plain, output)
    cost = bill(reply, model, usage)
    assert (cost.status, cost.amount) == ("complete", Decimal(amount))


def test_a_stream_that_another_model_answers_is_priced_as_its():
    usage = top(MILLION, 0, entry("message", 0, 0, FABLE), entry("fallback_message", MILLION, 0, OPUS))
    reply = streamed(usage, FABLE)
    assert reply.model == OPUS
    assert bill(reply, FABLE, usage).amount == Decimal(5)


@pytest.mark.parametrize(
    "left_out",
    [
        entry("advisor_message", MILLION, 0, "claude-of-tomorrow"),
        entry("advisor_message", MILLION, 0),
        entry("of_tomorrow", MILLION, 0),
        entry("of_tomorrow", MILLION, 0, "claude-of-tomorrow"),
    ],
)
def test_a_cost_without_the_rates_of_a_model_that_took_part_is_partial(left_out):
    usage = top(MILLION, 0, entry("message", MILLION), left_out)
    reply = whole(usage)
    assert reply.usage.input_tokens == 2 * MILLION
    cost = bill(reply, OPUS, usage)
    assert (cost.status, cost.amount) == ("partial", Decimal(5))
    assert cost.missing[0].startswith("input@")


def test_turns_without_a_model_are_not_of_the_one_that_answered_if_they_are_too_many():
    usage = top(412, 264, entry("message", 408, 0), entry("fallback_message", 412, 264, OPUS))
    reply = whole(usage)
    assert reply.usage.input_tokens == 820
    assert bill(reply, OPUS, usage).status == "partial"


def test_counts_of_the_cache_are_added_by_model_and_lifetime():
    cached = {"cache_read_input_tokens": 1000, "cache_creation_input_tokens": 300,
              "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200}}  # fmt: skip
    usage = top(
        1,
        2,
        entry("compaction", 10, 20, **cached),
        entry("advisor_message", 10, 20, OPUS, **cached),
        **cached,
    )
    counted = whole(usage, "claude-haiku-4-5").usage
    assert (counted.input_tokens, counted.output_tokens) == (1301 + 1310 + 1310, 42)
    assert (counted.cached_input_tokens, counted.cache_write_tokens) == (3000, 900)
    assert counted.details == {
        "cache_write_5m_tokens": 200,
        "cache_write_1h_tokens": 400,
        f"input@{OPUS}_tokens": 10,
        f"cache_read@{OPUS}_tokens": 1000,
        f"cache_write@{OPUS}_tokens": 100,
        f"cache_write_1h@{OPUS}_tokens": 200,
        f"output@{OPUS}_tokens": 20,
    }
    # Haiku: 11 plain, 2000 read, 200 and 400 written, 22 out; Opus: 10, 1000, 100 and 200, 20.
    haiku = 11 + 200 + 200 * Decimal("1.25") + 800 + 110
    opus = 50 + 500 + 625 + 2000 + 500
    cost = bill(whole(usage, "claude-haiku-4-5"), "claude-haiku-4-5", usage)
    assert (cost.status, cost.amount * MILLION) == ("complete", haiku + opus)


def test_each_request_is_short_though_all_together_are_long():
    usage = top(160_000, 0, entry("message", 80_000), entry("message", 80_000))
    assert bill(whole(usage, "claude-haiku-5-5"), "claude-haiku-5-5", usage).amount == Decimal("0.016")
    usage = top(160_000, 0, entry("message", 40_000), entry("message", 120_000))
    assert bill(whole(usage, "claude-haiku-5-5"), "claude-haiku-5-5", usage).amount == Decimal("0.08")


@pytest.mark.parametrize("odd", [None, [], {}, "x", [None], [{"type": "message", "input_tokens": None}]])
def test_odd_iterations_change_nothing(odd):
    usage = {"input_tokens": 5, "output_tokens": 3, "iterations": odd}
    assert (whole(usage).usage.input_tokens, whole(usage).usage.details) == (5, {})
