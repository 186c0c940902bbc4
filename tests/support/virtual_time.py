"""An event loop whose clock stands still while anything happens, and jumps to the next timer when nothing does.

On it a time limit, a pause or a sleep means an order of events and not a span of real time: a sleep ends after everything
that could happen before it has happened, on a busy machine as well as on a quiet one, and nobody waits for it.

Servers and clients of a test share the loop, so what one has sent is there for the other at once. Work in a thread of an
executor is waited for in real time, which then counts. Threads of other kinds, and other processes, are not known here: what
talks to them is marked `real_time` and runs on the ordinary loop.
"""

import asyncio
import selectors
import time

__all__ = ["VirtualTimeLoop", "pytest_asyncio_loop_factories"]

_QUIET = 0.01


class _Selector(selectors.DefaultSelector):
    """Waits for events; where none comes before a timer is due, sets the clock of its loop instead."""

    def __init__(self, quiet):
        super().__init__()
        self.quiet = quiet
        self.now = 0.0
        self.jobs = 0

    def select(self, timeout=None):
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        if self.jobs:
            began = time.monotonic()
            events = super().select(timeout)
            self.now += min(timeout, time.monotonic() - began) if events else timeout
            return events
        # Asked twice: what came while this process waited for a processor is here now.
        events = super().select(min(self.quiet, timeout)) or super().select(0)
        if not events:
            self.now += timeout
        return events


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop with virtual time; see the module.

    Args:
        quiet: Real seconds without any event after which nothing more is expected before the next timer.
    """

    def __init__(self, quiet=_QUIET):
        self._clock = _Selector(quiet)
        super().__init__(self._clock)

    def time(self):
        return self._clock.now

    def run_in_executor(self, executor, func, *args):
        future = super().run_in_executor(executor, func, *args)
        self._clock.jobs += 1
        future.add_done_callback(self._job_done)
        return future

    def _job_done(self, _):
        self._clock.jobs -= 1


def pytest_asyncio_loop_factories(config, item):
    """Run async tests in virtual time, but those that are marked `real_time`."""
    if item.get_closest_marker("real_time"):
        return {"real time": asyncio.new_event_loop}
    return {"virtual time": VirtualTimeLoop}
