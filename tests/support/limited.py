"""Allowances of a service: those of fixed windows, and those that grow back all the time."""

from __future__ import annotations

import math

__all__ = ["FixedWindow", "Growing"]


class FixedWindow:
    """So much in each window of so many seconds; what is left at its end is lost."""

    def __init__(self, limit, window):
        self.limit, self.window = limit, window
        self.used, self.number = 0, None

    def _begin(self, now):
        number = math.floor(now / self.window)
        if number != self.number:
            self.number, self.used = number, 0

    def take(self, now, amount=1):
        """Take an amount; return whether there was so much."""
        self._begin(now)
        if self.used + amount > self.limit:
            return False
        self.used += amount
        return True

    def remaining(self, now):
        self._begin(now)
        return self.limit - self.used

    def reset(self, now):
        """Return the seconds until all of it is back."""
        return self.window - now % self.window

    def wait(self, now, amount=1):
        """Return the seconds after which an amount may be taken."""
        return self.reset(now)

    def total(self, began, ended):
        """Return what could be taken in a span of time."""
        return self.limit * (math.ceil(ended / self.window) - math.floor(began / self.window))


class Growing:
    """A bucket that holds so much and is filled in so many seconds, all the time."""

    def __init__(self, limit, window):
        self.limit, self.rate = limit, limit / window
        self.left, self.at = float(limit), None

    def _grow(self, now):
        if self.at is not None:
            self.left = min(self.limit, self.left + (now - self.at) * self.rate)
        self.at = now

    def take(self, now, amount=1):
        self._grow(now)
        if self.left < amount:
            return False
        self.left -= amount
        return True

    def remaining(self, now):
        self._grow(now)
        return math.floor(self.left)

    def reset(self, now):
        self._grow(now)
        return (self.limit - self.left) / self.rate

    def wait(self, now, amount=1):
        self._grow(now)
        return max(0.0, amount - self.left) / self.rate

    def total(self, began, ended):
        return self.limit + (ended - began) * self.rate
