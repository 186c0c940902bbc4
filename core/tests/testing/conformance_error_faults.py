"""Broken providers, one fault each, by the check that has to catch it: errors in the words of the service itself.

Each reads the service's own form of an error wrongly, and leaves OpenAI's form to the core.
"""

from __future__ import annotations

from conformance_acme import Acme, collect_into

from jackfield import ContextLengthExceededError, RateLimitError
from jackfield.plugin import hookimpl

FAULTS = []
caught_by = collect_into(FAULTS)


class OwnForm(Acme):
    @hookimpl
    def jackfield_error(self, model, failure):
        value = failure.json()
        error = value.get("error") if isinstance(value, dict) else None
        if isinstance(error, dict) and isinstance(error.get("kind"), str) and error["kind"] != "too_long":
            return self.named(failure, error)
        return super().jackfield_error(model, failure)


@caught_by("errors.statuses")
class AllAreRateLimits(OwnForm):
    def named(self, failure, error):
        return failure.error(RateLimitError, error["message"])


@caught_by("errors.retryable")
class AllAreRetryable(OwnForm):
    def named(self, failure, error):
        return failure.error(message=error["message"], retryable=True)


@caught_by("errors.retryable")
class NoneIsRetryable(OwnForm):
    def named(self, failure, error):
        return failure.error(message=error["message"], retryable=False)


@caught_by("errors.context")
class ForgetsTheFailure(OwnForm):
    def named(self, failure, error):
        return type(failure.error())(error["message"])


@caught_by("errors.retry_after")
class ForgetsToWait(OwnForm):
    def named(self, failure, error):
        made = failure.error(message=error["message"])
        made.retry_after = None
        return made


@caught_by("errors.say_what")
class SaysLittle(OwnForm):
    def named(self, failure, error):
        return failure.error(message="acme failed")


@caught_by("errors.case_retryable")
class TooLongAgainAndAgain(Acme):
    @hookimpl
    def jackfield_error(self, model, failure):
        error = super().jackfield_error(model, failure)
        if isinstance(error, ContextLengthExceededError):
            return failure.error(ContextLengthExceededError, "too long", retryable=True)
        return error
