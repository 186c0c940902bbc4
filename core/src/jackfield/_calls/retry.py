"""Retry by policy. The only module that uses tenacity."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from jackfield._types.errors import JackfieldError, TimeoutError
from jackfield._types.policies import RetryPolicy

if TYPE_CHECKING:
    import tenacity

__all__ = ["may_retry", "try_again"]

T = TypeVar("T")

_SPREAD = 0.1
"""The part of a pause that a service asks for by which calls spread out behind it."""

sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep
"""Waits between attempts; `jackfield.testing` replaces it so that users' tests need not wait."""


def may_retry(error: JackfieldError, policy: RetryPolicy) -> bool:
    """Return whether a policy allows another attempt after an error."""
    return policy.attempts > 1 and _is_worth_retrying(error, policy)


async def try_again(
    error: JackfieldError,
    attempt: Callable[[float], Awaitable[T]],
    policy: RetryPolicy,
    remaining: Callable[[], float | None],
) -> T:
    """Make further attempts, after pauses, until one goes well.

    Args:
        error: The first attempt's, after which `may_retry` is true.
        attempt: Makes one; its argument is the seconds waited before it.
        policy: How often, and how long between.
        remaining: Returns the seconds left of the whole call; a pause that is longer is not begun.

    Raises:
        JackfieldError: The last attempt's.
    """
    # A tenacity object costs 19 to 33 microseconds, so it is built only when there is something to retry.
    import tenacity

    waited = 0.0
    first: JackfieldError | None = error

    async def make_next_attempt() -> T:
        nonlocal first
        if first is not None:  # that attempt is over; tenacity counts it and waits
            raised, first = first, None
            raise raised
        return await attempt(waited)

    def choose_pause(state: tenacity.RetryCallState) -> float:
        nonlocal waited
        waited = _pause_after(state, policy)
        return waited

    def is_enough(state: tenacity.RetryCallState) -> bool:
        left = remaining()
        return state.attempt_number >= policy.attempts or (left is not None and waited >= left)

    async def pause(seconds: float) -> None:
        await sleep(seconds)

    # `wait` runs before `stop` since tenacity 9, so `is_enough` sees the pause that would come.
    retrying = tenacity.AsyncRetrying(
        sleep=pause,
        stop=is_enough,
        wait=choose_pause,
        retry=tenacity.retry_if_exception(lambda error: _is_worth_retrying(error, policy)),
        reraise=True,
    )
    return await retrying(make_next_attempt)


def _is_worth_retrying(error: BaseException, policy: RetryPolicy) -> bool:
    if not isinstance(error, JackfieldError) or not error.is_retryable:
        return False
    if isinstance(error, TimeoutError) and error.phase == "queue":
        return False  # the call has waited as long as it may, and nothing was sent
    return error.retry_after is None or error.retry_after <= policy.retry_after_cap


def _pause_after(state: tenacity.RetryCallState, policy: RetryPolicy) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    asked = error.retry_after if isinstance(error, JackfieldError) else None
    ceiling = min(policy.max_delay, policy.initial_delay * 2 ** (state.attempt_number - 1))
    if not asked:  # a service that says "now" is still not asked at once by everybody
        return random.uniform(ceiling / 2, ceiling)
    # Everybody who was refused in the same moment is told the same moment: never before it, but not all in it.
    return asked + random.uniform(0.0, max(ceiling / 2, asked * _SPREAD))
