"""One timer for all the waits of a call."""

import asyncio

import pytest

from jackfield import TimeoutError
from jackfield._calls.watchdog import Timers, Watchdog


async def test_a_wait_within_its_limit_is_left_alone():
    watchdog = Watchdog(None, Timers())
    with watchdog("idle", 1):
        await asyncio.sleep(0.01)
    watchdog.stop()


@pytest.mark.parametrize("phase", ["first_event", "idle", "connect"])
async def test_a_wait_over_its_limit_is_a_time_out_of_its_phase(phase):
    watchdog = Watchdog(10, Timers())
    with pytest.raises(TimeoutError, match="0.02 seconds") as caught, watchdog(phase, 0.02):
        await asyncio.sleep(1)
    assert caught.value.phase == phase
    watchdog.stop()


async def test_the_whole_calls_limit_is_total_whatever_is_waited_for():
    watchdog = Watchdog(0.05, Timers())
    with pytest.raises(TimeoutError) as caught:
        while True:
            with watchdog("idle", 10):
                await asyncio.sleep(0.01)
    assert caught.value.phase == "total"


async def test_in_the_queue_it_is_the_queue():
    watchdog = Watchdog(0.02, Timers())
    with pytest.raises(TimeoutError, match="no slot") as caught, watchdog("queue", None):
        await asyncio.sleep(1)
    assert caught.value.phase == "queue"


async def test_a_limit_that_is_over_already_ends_the_next_wait():
    watchdog = Watchdog(0.0, Timers())
    await asyncio.sleep(0.01)
    with pytest.raises(TimeoutError), watchdog("idle", 10):
        await asyncio.sleep(1)


@pytest.fixture
async def made(monkeypatch):
    """The timers of watchdogs, as the event loop knows them."""
    loop = asyncio.get_running_loop()
    handles = []
    call_at = loop.call_at

    def record(*args, **options):
        handle = call_at(*args, **options)
        if args[1].__name__ == "_fire":
            handles.append(handle)
        return handle

    monkeypatch.setattr(loop, "call_at", record)
    return handles


async def test_one_timer_serves_many_waits(made):
    timers = Timers()
    watchdog = Watchdog(100, timers)
    for _ in range(50):
        with watchdog("idle", 10):
            await asyncio.sleep(0)
    assert len(made) == 1
    watchdog.stop()
    timers.close()
    assert made[0].cancelled()


async def wait(timers, total, seconds):
    watchdog = Watchdog(total, timers)
    try:
        with watchdog("first_event", None):
            await asyncio.sleep(seconds)
    finally:
        watchdog.stop()


async def test_one_timer_serves_calls_one_after_another(made):
    timers = Timers()
    for _ in range(10):
        await wait(timers, 100, 0.01)
    assert len(made) == 1
    await asyncio.gather(*(wait(timers, 100, 0.01) for _ in range(3)))
    assert len(made) == 3
    timers.close()
    assert all(handle.cancelled() for handle in made)


async def test_a_timer_of_an_earlier_call_keeps_the_limit_of_the_present_one(made):
    loop, timers = asyncio.get_running_loop(), Timers()
    await wait(timers, 10, 0)
    await asyncio.sleep(8)
    began = loop.time()
    with pytest.raises(TimeoutError):
        await wait(timers, 10, 60)
    assert loop.time() - began == pytest.approx(10)
    await wait(timers, 100, 0)
    with pytest.raises(TimeoutError):  # the timer that is there fires too late for this
        await wait(timers, 0.5, 60)
    await wait(timers, 0.5, 0)
    timers.close()


async def test_calls_with_a_shorter_limit_leave_the_timers_of_longer_ones_alone(made):
    timers = Timers()
    for _ in range(5):
        await wait(timers, 100, 0)
        await wait(timers, 1, 0)
    assert len(made) == 2
    assert not any(handle.cancelled() for handle in made)
    timers.close()


async def test_a_timer_that_fires_while_nobody_uses_it_does_nothing(made):
    timers = Timers()
    await wait(timers, 1, 0)
    await asyncio.sleep(5)
    await wait(timers, 1, 0.5)
    assert len(made) == 2
    timers.close()


async def test_a_call_that_ends_after_its_connection_was_closed_leaves_no_timer(made):
    timers = Timers()
    task = asyncio.create_task(wait(timers, 100, 1))
    await asyncio.sleep(0)
    timers.close()
    await task
    assert made[0].cancelled()


@pytest.mark.real_time
def test_another_event_loop_gets_timers_of_its_own():
    timers = Timers()
    for _ in range(2):
        with asyncio.Runner() as runner:
            runner.run(wait(timers, 10, 0.001))
            with pytest.raises(TimeoutError):
                runner.run(wait(timers, 0.01, 10))


async def test_a_shorter_limit_after_a_longer_one_is_kept():
    watchdog = Watchdog(100, Timers())
    with watchdog("first_event", 50):
        await asyncio.sleep(0)
    with pytest.raises(TimeoutError), watchdog("idle", 0.02):
        await asyncio.sleep(1)


async def test_a_longer_limit_after_a_shorter_one_is_not_cut_short():
    watchdog = Watchdog(100, Timers())
    with watchdog("first_event", 0.05):
        await asyncio.sleep(0.03)
    with watchdog("idle", 1):
        await asyncio.sleep(0.1)
    watchdog.stop()


async def test_time_between_waits_does_not_count():
    watchdog = Watchdog(None, Timers())
    for _ in range(3):
        with watchdog("idle", 0.05):
            await asyncio.sleep(0)
        await asyncio.sleep(0.08)
    watchdog.stop()


async def test_no_limit_is_no_timer():
    watchdog = Watchdog(None, Timers())
    with watchdog("idle", None):
        await asyncio.sleep(0.01)
    assert watchdog._timer is None
    assert watchdog.remaining is None


async def test_waits_may_be_made_by_one_task_after_another():
    watchdog = Watchdog(None, Timers())

    async def wait(seconds):
        with watchdog("idle", 0.05):
            await asyncio.sleep(seconds)

    await asyncio.create_task(wait(0))
    with pytest.raises(TimeoutError):
        await asyncio.create_task(wait(1))
    await asyncio.create_task(wait(0))
    watchdog.stop()


async def test_a_cancellation_that_became_another_error_is_still_the_time_out():
    watchdog = Watchdog(None, Timers())

    async def library():
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            raise OSError("interrupted") from None

    with pytest.raises(TimeoutError), watchdog("idle", 0.02):
        await library()
    assert asyncio.current_task().cancelling() == 0


async def test_an_error_inside_comes_out_as_it_is():
    watchdog = Watchdog(1, Timers())
    with pytest.raises(ZeroDivisionError), watchdog("idle", 1):
        raise ZeroDivisionError
    watchdog.stop()


async def test_a_cancel_from_outside_stays_a_cancel():
    watchdog = Watchdog(None, Timers())

    async def wait():
        with watchdog("idle", 10):
            await asyncio.sleep(10)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel("from outside")
    with pytest.raises(asyncio.CancelledError, match="from outside"):
        await task
    assert task.cancelling() == 1
    watchdog.stop()


async def test_remaining_counts_down():
    watchdog = Watchdog(1, Timers())
    await asyncio.sleep(0.02)
    assert 0.5 < watchdog.remaining < 0.99
