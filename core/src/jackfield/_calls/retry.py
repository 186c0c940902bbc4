"""Try again, by policy. The only place that knows tenacity."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from jackfield._types.errors import AuthenticationError, JackfieldError
from jackfield._types.policies import RetryPolicy

if TYPE_CHECKING:
    import tenacity

__all__ = ["were_credentials_refused", "with_retries"]

T = TypeVar("T")

sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep
"""How a pause is made; `jackfield.testing` replaces it so that users' tests need not wait."""


async def with_retries(
    attempt: Callable[[float], Awaitable[T]],
    policy: RetryPolicy,
    remaining: Callable[[], float | None],
) -> T:
    """Make attempts until one goes well.

    Args:
        attempt: Makes one; is told the seconds waited before it.
        policy: How often, and how long between.
        remaining: Gives the seconds left of the whole call; a pause that is longer is not begun.

    Raises:
        JackfieldError: The last attempt's.
    """
    # A tenacity object costs 19 to 33 microseconds, so it is built only when there is something to retry.
    try:
        return await attempt(0.0)
    except JackfieldError as error:
        if policy.attempts <= 1 or not _may_retry(error, policy):
            raise
        failed: JackfieldError | None = error
    import tenacity

    waited = 0.0

    async def next_attempt() -> T:
        nonlocal failed
        if failed is not None:  # the first attempt is over; let tenacity count it and wait
            error, failed = failed, None
            raise error
        return await attempt(waited)

    def pause(state: tenacity.RetryCallState) -> float:
        nonlocal waited
        waited = _pause(state, policy)
        return waited

    def enough(state: tenacity.RetryCallState) -> bool:
        left = remaining()
        return state.attempt_number >= policy.attempts or (left is not None and waited >= left)

    async def rest(seconds: float) -> None:
        await sleep(seconds)

    # `wait` runs before `stop` since tenacity 9, so `enough` sees the pause that would come.
    retrying = tenacity.AsyncRetrying(
        sleep=rest,
        stop=enough,
        wait=pause,
        retry=tenacity.retry_if_exception(lambda error: _may_retry(error, policy)),
        reraise=True,
    )
    return await retrying(next_attempt)


def were_credentials_refused(error: JackfieldError) -> bool:
    """Say whether fresh credentials may help: a 401, or what the plugin says of a 403."""
    return error.refresh_credentials or (isinstance(error, AuthenticationError) and error.status == 401)


def _may_retry(error: BaseException, policy: RetryPolicy) -> bool:
    if not isinstance(error, JackfieldError) or not error.is_retryable:
        return False
    return error.retry_after is None or error.retry_after <= policy.retry_after_cap


def _pause(state: tenacity.RetryCallState, policy: RetryPolicy) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    asked = error.retry_after if isinstance(error, JackfieldError) else None
    ceiling = min(policy.max_delay, policy.initial_delay * 2 ** (state.attempt_number - 1))
    # A service that says "now" is still not asked at once by everybody.
    return asked or random.uniform(ceiling / 2, ceiling)
