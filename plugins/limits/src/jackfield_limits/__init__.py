"""Budgets and limits for Jackfield.

    [defaults]
    middlewares = ["limits"]

    [[middleware.limits.limit]]
    name = "research-monthly"
    owner = "org/research"
    measure = "money"
    most = "250"
    currency = "USD"
    window = "month"

What a call may use at most is reserved before anything is sent, and settled with what it used.
"""

from __future__ import annotations

from jackfield.plugin import MiddlewareKind

from ._amounts import MOST_AMOUNT, SCALE
from ._budget import Budget, budget, owner
from ._error import LimitReachedError, describe_moment
from ._limits import Limits, describe_state
from ._live import find_store
from ._memory import MemoryStore
from ._rules import Rule
from ._settings import LimitSettings, LimitsSettings
from ._slices import SlicedStore
from ._store import Answer, Counter, Grant, Refusal, State, Store, StoreAwayError, Take
from ._stores import open_store
from ._windows import Window

__all__ = [
    "LIMITS",
    "MOST_AMOUNT",
    "SCALE",
    "Answer",
    "Budget",
    "Counter",
    "Grant",
    "LimitReachedError",
    "LimitSettings",
    "Limits",
    "LimitsSettings",
    "MemoryStore",
    "Refusal",
    "Rule",
    "SlicedStore",
    "State",
    "Store",
    "StoreAwayError",
    "Take",
    "Window",
    "budget",
    "describe_moment",
    "describe_state",
    "find_store",
    "open_store",
    "owner",
]

LIMITS = MiddlewareKind(LimitsSettings, Limits)
"""The middleware kind that the entry point names."""
