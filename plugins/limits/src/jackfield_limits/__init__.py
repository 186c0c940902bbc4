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

from ._amounts import MOST_AMOUNT, SCALE
from ._memory import MemoryStore
from ._settings import LimitSettings, LimitsSettings
from ._slices import SlicedStore
from ._store import Answer, Counter, Grant, Refusal, State, Store, StoreAwayError, Take
from ._stores import open_store
from ._windows import Window

__all__ = [
    "MOST_AMOUNT",
    "SCALE",
    "Answer",
    "Counter",
    "Grant",
    "LimitSettings",
    "LimitsSettings",
    "MemoryStore",
    "Refusal",
    "SlicedStore",
    "State",
    "Store",
    "StoreAwayError",
    "Take",
    "Window",
    "open_store",
]
