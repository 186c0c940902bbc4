"""Book what became of a request: metrics, and a row of spend for a call."""

from __future__ import annotations

import time

from ._content import log_content
from ._exchange import Visit
from ._state import State

__all__ = ["book"]


def book(state: State, visit: Visit, began: float, *, is_call: bool) -> None:
    """Book a request that has ended.

    Args:
        state: The gateway's state.
        visit: The request.
        began: When it came, of `time.perf_counter()`.
        is_call: It was a call of a model, not one that was refused before.
    """
    if is_call:
        if state.settings.log_content:
            log_content(visit)
        state.metrics.record(visit, time.perf_counter() - began)
        if state.ledger is not None:
            state.ledger.add(visit.row())
    elif visit.error is not None:
        state.metrics.refuse("request")
