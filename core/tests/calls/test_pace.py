"""What holds attempts back, by itself: on an event loop that never waits and a service that is two numbers."""

import asyncio
import builtins
import itertools
import random
import selectors
import time

import pytest
from hypothesis import given, settings, strategies as st
from limited import FixedWindow, Growing

from jackfield import ConnectionConfig, RetryPolicy, TimeoutError, Usage
from jackfield._calls.pace import Pacer
from jackfield._calls.pace_window import Need, PaceWindow
from jackfield._calls.watchdog import Watchdog
from jackfield._types.allowances import find_allowance_headers
from jackfield._types.capabilities import ModelEntry
from jackfield._types.policies import PACE_PERIODS
from jackfield.plugin import PacePolicy


class _Clock(selectors.DefaultSelector):
    now = 1000.0

    def select(self, timeout=None):
        events = super().select(0)
        if timeout and not events:
            self.now += timeout
        return events


class QuickLoop(asyncio.SelectorEventLoop):
    """Jumps from timer to timer; there is no I/O on it."""

    def __init__(self):
        self._clock = _Clock()
        super().__init__(self._clock)

    def time(self):
        return self._clock.now


def quickly(program):
    """Run a coroutine function on a loop of its own."""
    with asyncio.Runner(loop_factory=QuickLoop) as runner:
        return runner.run(program())


def pacer_of(pace=None, *, retry=None, **entries):
    models = tuple(ModelEntry(id=name, pace=one) for name, one in entries.items())
    config = ConnectionConfig(
        name="c", provider_id="x", pace=pace, retry=retry or RetryPolicy(), models=models or None
    )
    return Pacer(config), {entry.id: entry for entry in models}


PACES = st.builds(
    PacePolicy,
    requests=st.none() | st.integers(1, 6),
    tokens=st.none() | st.integers(20, 60),
    per=st.sampled_from(["second", "minute", "hour"]),
)
# Periods to wait, model, tokens, periods after which it gives up (or None), what it used (or None).
CALLS = st.lists(
    st.tuples(
        st.floats(0, 0.6),
        st.sampled_from("ab"),
        st.integers(0, 30),
        st.none() | st.floats(0.001, 2),
        st.none() | st.integers(0, 30),
    ),
    min_size=1,
    max_size=40,
)


@settings(deadline=None, max_examples=150)
@given(PACES, CALLS)
def test_no_period_has_more_than_the_pace_allows_and_everybody_has_a_turn_in_order(pace, calls):
    period = PACE_PERIODS[pace.per]

    async def program():
        pacer, entries = pacer_of(pace, a=PacePolicy(requests=4, per=pace.per))
        started = []

        async def call(number, model, need, patience):
            remaining = None if patience is None else patience * period
            lane = pacer.lane(model, entries.get(model))
            began = asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(remaining):
                    permit = await pacer.enter(lane, Need(need), float(number), Watchdog(None))
            except builtins.TimeoutError:
                return "gone"
            now = asyncio.get_running_loop().time()
            assert permit.waited == pytest.approx(now - began)
            # Nobody of the same model who came before is still waiting.
            assert not [one for one in lane.waiters if one.before < number and not one.future.done()]
            started.append((now, model, need))
            used = calls[number][4]
            if used is not None:
                await asyncio.sleep(period / 10)
                permit.settle(Usage(input_tokens=min(used, need), output_tokens=0), Need(need), "reserved")
            return "done"

        tasks = []
        for number, (pause, model, need, patience, _) in enumerate(calls):
            await asyncio.sleep(pause * period)
            tasks.append(asyncio.create_task(call(number, model, need, patience)))
        ended = await asyncio.gather(*tasks)
        assert all(end == "done" for end, one in zip(ended, calls, strict=True) if one[3] is None)
        assert not pacer._busy
        assert pacer._timer is None or pacer._timer.cancelled()
        return started

    started = quickly(program)
    for index, (at, _, _) in enumerate(started):
        within = [one for one in started[index:] if one[0] < at + period]
        assert pace.requests is None or len(within) <= pace.requests
        assert len([one for one in within if one[1] == "a"]) <= 4


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 50), st.lists(st.tuples(st.floats(0, 0.4), st.integers(0, 40)), max_size=60))
def test_no_period_has_more_tokens_than_allowed(most, asked):
    window = PaceWindow(PacePolicy(tokens=most, per="second"), "c")
    now, started = 0.0, []
    for pause, tokens in asked:
        now = max(now + pause, window.ready_at(now + pause, Need(tokens)))
        window.take(now, Need(tokens))
        started.append((now, min(tokens, most)))
    for at, _ in started:
        assert sum(tokens for when, tokens in started if at <= when < at + 1) <= most


@settings(deadline=None, max_examples=60)
@given(st.randoms(use_true_random=False), st.sampled_from([FixedWindow, Growing]), st.booleans())
def test_whatever_is_refused_or_cancelled_nobody_is_forgotten(source, kind, tells):
    async def program():
        loop = asyncio.get_running_loop()
        pacer, _ = pacer_of(retry=RetryPolicy(max_delay=5))
        service = kind(source.randint(2, 12), 10.0)
        ended = []

        async def call(number):
            lane = pacer.lane("m", None)
            while True:
                permit = None
                if lane.learnt is not None:
                    permit = await pacer.enter(lane, Need(), float(number), Watchdog(None))
                if service.take(loop.time()):
                    ended.append(number)
                    return
                wait = service.wait(loop.time()) if tells else None
                pacer.heed_refusal(lane, permit, wait, 0.01)

        tasks = []
        for number in range(source.randint(1, 40)):
            await asyncio.sleep(source.random() * 0.5)
            tasks.append(asyncio.create_task(call(number)))
            if source.random() < 0.2:
                source.choice(tasks).cancel()
        done, _ = await asyncio.wait(tasks, timeout=3000)
        assert len(done) == len(tasks)
        assert {n for n, task in enumerate(tasks) if not task.cancelled()} == set(ended)
        assert not pacer._busy

    quickly(program)


async def worked(pacer, service, *, headers, tells, workers, span, latency=0.2, work=2.0, seed=1):
    """Let workers ask a service all the time; gives when each request came and whether it was taken."""
    loop, source, log = asyncio.get_running_loop(), random.Random(seed), []
    ends = loop.time() + span

    async def worker():
        while True:
            lane, permit = pacer.lane("m", None), None
            if lane.limits:
                permit = await pacer.enter(lane, Need(), None, Watchdog(None))
            await asyncio.sleep(latency * source.uniform(0.4, 0.6))
            now = loop.time()
            if now >= ends:
                return
            taken = service.take(now)
            log.append((now, taken))
            told = {
                "x-ratelimit-limit-requests": str(service.limit),
                "x-ratelimit-remaining-requests": str(service.remaining(now)),
                "x-ratelimit-reset-requests": f"{service.reset(now):.3f}s",
                # A limit that is far away and whole again after each request.
                "x-ratelimit-limit-tokens": "1000000",
                "x-ratelimit-remaining-tokens": "999600",
                "x-ratelimit-reset-tokens": "24ms",
            }
            wait = service.wait(now)
            await asyncio.sleep(latency / 2 + (source.uniform(0.5, 1.5) * work if taken else 0))
            if not taken:
                pacer.heed_refusal(lane, permit, wait if tells else None, latency)
            if headers:
                names = find_allowance_headers(told)
                if lane.learnt is not None or any(one.is_low(told) for one in names):
                    pacer.heed_headers(lane, permit, names, told)

    await asyncio.gather(*(worker() for _ in range(workers)))
    return log


@pytest.mark.parametrize("kind", [FixedWindow, Growing])
@pytest.mark.parametrize("by", ["declared", "headers", "refusals"])
def test_the_allowance_is_used_and_hardly_anything_is_refused(kind, by):
    """500 a minute, 200 workers: of ten minutes, all but the first two are counted, in which the limit is learnt."""

    async def program():
        pacer, _ = pacer_of(PacePolicy(requests=500) if by == "declared" else None)
        service = kind(500, 60.0)
        return await worked(
            pacer, service, headers=by == "headers", tells=True, workers=200, span=600, work=0.3
        )

    log = quickly(program)
    began = log[0][0]
    later = [taken for at, taken in log if began + 120 <= at < began + 600]
    assert later.count(True) >= 0.95 * 8 * 500
    assert later.count(False) < 0.01 * len(later)
    if by == "declared":
        assert all(taken for _, taken in log)


def test_after_a_refusal_one_goes_then_more_and_more():
    async def program():
        loop = asyncio.get_running_loop()
        pacer, _ = pacer_of()
        lane, began, started = pacer.lane("m", None), loop.time(), []
        pacer.heed_refusal(lane, None, 5.0, 0.1)

        async def call():
            await pacer.enter(lane, Need(), None, Watchdog(None))
            started.append(loop.time() - began)

        await asyncio.gather(*(call() for _ in range(100)))
        return started

    started = quickly(program)
    pauses = [b - a for a, b in itertools.pairwise(started)]
    assert started[0] == pytest.approx(5.0)
    assert pauses[0] >= 0.1
    assert pauses == sorted(pauses, reverse=True) or max(pauses[1:]) <= pauses[0]
    assert started[-1] < 10


def test_refused_ones_that_were_under_way_do_not_make_the_pause_longer():
    async def program():
        pacer, _ = pacer_of()
        lane = pacer.lane("m", None)
        for _ in range(500):
            pacer.heed_refusal(lane, None, None, 0.1)
        return lane.learnt.opens - asyncio.get_running_loop().time()

    assert quickly(program) <= 0.5


def test_a_refusal_of_one_model_holds_no_other_back():
    async def program():
        pacer, _ = pacer_of(PacePolicy(requests=100))
        pacer.heed_refusal(pacer.lane("m", None), None, 50.0, 0.1)
        held = asyncio.create_task(pacer.enter(pacer.lane("m", None), Need(), None, Watchdog(None)))
        await asyncio.sleep(0)
        permit = await pacer.enter(pacer.lane("n", None), Need(), None, Watchdog(None))
        assert not held.done()
        await held
        return permit.waited

    assert quickly(program) == 0


def test_what_was_asked_for_first_goes_first_also_after_a_refusal():
    """A call that was refused keeps its place before those that came while it paused."""

    async def program():
        pacer, _ = pacer_of()
        lane, order = pacer.lane("m", None), []
        pacer.heed_refusal(lane, None, 5.0, 0.1)

        async def call(name, before):
            await pacer.enter(lane, Need(), before, Watchdog(None))
            order.append(name)

        new = asyncio.create_task(call("new", None))
        await asyncio.sleep(0.1)
        await asyncio.gather(new, call("refused", time.perf_counter() - 60))
        return order

    assert quickly(program) == ["refused", "new"]


def test_a_call_that_is_let_go_and_cancelled_in_one_moment_gives_its_place_back():
    async def program():
        pacer, _ = pacer_of(PacePolicy(requests=1, per="second"))
        lane, loop = pacer.lane("m", None), asyncio.get_running_loop()
        await pacer.enter(lane, Need(), None, Watchdog(None))
        waiting = asyncio.create_task(pacer.enter(lane, Need(), None, Watchdog(None)))
        await asyncio.sleep(0)
        # Runs behind the timer that lets the call go, and before its task does.
        loop.call_at(pacer._timer.when(), waiting.cancel)
        began = loop.time()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await pacer.enter(lane, Need(), None, Watchdog(None))
        return loop.time() - began

    assert quickly(program) <= 1.1


def test_what_is_certainly_too_late_fails_at_once():
    async def program():
        pacer, _ = pacer_of(PacePolicy(requests=1, per="hour"))
        lane, loop = pacer.lane("m", None), asyncio.get_running_loop()
        await pacer.enter(lane, Need(), None, Watchdog(None))
        began = loop.time()
        with pytest.raises(TimeoutError, match="the pace of connection c .1 requests per hour.") as caught:
            await pacer.enter(lane, Need(), None, Watchdog(600.0))
        assert loop.time() == began
        assert (caught.value.phase, caught.value.is_retryable) == ("queue", True)
        assert 3000 < caught.value.retry_after < 3700

    quickly(program)


def test_waiting_calls_that_a_refusal_leaves_no_time_fail_at_once():
    async def program():
        pacer, _ = pacer_of(PacePolicy(requests=1, per="second"))
        lane, loop = pacer.lane("m", None), asyncio.get_running_loop()
        permit = await pacer.enter(lane, Need(), None, Watchdog(None))
        waiting = asyncio.create_task(pacer.enter(lane, Need(), None, Watchdog(10.0)))
        await asyncio.sleep(0)
        pacer.heed_refusal(lane, permit, 60.0, 0.1)
        began = loop.time()
        with pytest.raises(TimeoutError, match="limit of the service for c:m"):
            await waiting
        return loop.time() - began

    assert quickly(program) == 0


def test_a_service_that_wants_peace_for_longer_than_the_cap_is_asked_once_in_a_while():
    async def program():
        pacer, _ = pacer_of(retry=RetryPolicy(retry_after_cap=30))
        lane = pacer.lane("m", None)
        pacer.heed_refusal(lane, None, 3600.0, 0.1)
        with pytest.raises(TimeoutError, match="retry_after_cap"):
            await pacer.enter(lane, Need(), None, Watchdog(None))
        await asyncio.sleep(30)
        return (await pacer.enter(lane, Need(), None, Watchdog(None))).waited

    assert quickly(program) == 0


def test_what_a_request_used_corrects_what_the_next_ones_are_thought_to_need():
    async def program():
        pacer, _ = pacer_of(PacePolicy(tokens=1000, per="second"))
        lane = pacer.lane("m", None)
        estimate = Need(100, 800)
        permit = await pacer.enter(lane, lane.expect(estimate, "used"), None, Watchdog(None))
        permit.settle(Usage(input_tokens=100, output_tokens=80), estimate, "used")
        return (
            lane.expect(estimate, "used"),
            lane.expect(estimate, "reserved"),
            lane.expect(estimate, "asked"),
        )

    assert quickly(program) == (Need(100, 80), Need(100, 800), Need(100, 800))


def test_a_request_larger_than_the_pace_goes_alone():
    window = PaceWindow(PacePolicy(tokens=10, per="second"), "c")
    assert window.ready_at(0.0, Need(50)) <= 0.0
    window.take(0.0, Need(50))
    assert window.ready_at(0.1, Need(1)) == pytest.approx(1.01)


def test_a_period_of_many_requests_keeps_few_of_them():
    window = PaceWindow(PacePolicy(requests=10_000_000, per="day"), "c")
    for number in range(20_000):
        window.take(number * 4.0, Need())
    assert len(window._bookings) <= 101
