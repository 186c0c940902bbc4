"""Wait for a condition that a thread or another process makes true."""

import asyncio
import time

__all__ = ["until", "wait_until"]

# Real seconds after which a test gives up: no machine is so busy.
_MOST = 60.0


async def until(condition):
    """Wait in an event loop until a condition holds; fail after a minute."""
    ends = time.monotonic() + _MOST
    while not condition():
        assert time.monotonic() < ends, "what was waited for did not happen"
        await asyncio.sleep(0.002)


def wait_until(condition):
    """Wait in a thread until a condition holds; fail after a minute."""
    ends = time.monotonic() + _MOST
    while not condition():
        assert time.monotonic() < ends, "what was waited for did not happen"
        time.sleep(0.002)
