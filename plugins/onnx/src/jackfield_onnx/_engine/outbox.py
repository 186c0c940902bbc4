"""Take what the scheduler's thread makes to the event loops that wait for it, once a step for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import attrs

__all__ = ["Mailbox", "Outbox"]


@attrs.frozen(eq=False)
class Mailbox:
    """Where one answer goes.

    Args:
        loop: The event loop that waits for it.
        put: Takes an item; called in that loop.
        lost: Called, from the scheduler's thread, when the loop was closed: nobody is left to read.
    """

    loop: asyncio.AbstractEventLoop
    put: Callable[[Any], None]
    lost: Callable[[], None]


class Outbox:
    """Collects items of a step, and wakes each event loop once. Belongs to one thread."""

    def __init__(self) -> None:
        self._posts: dict[asyncio.AbstractEventLoop, list[tuple[Mailbox, Any]]] = {}

    def add(self, mailbox: Mailbox, item: object) -> None:
        """Take an item to be delivered."""
        self._posts.setdefault(mailbox.loop, []).append((mailbox, item))

    def flush(self) -> None:
        """Deliver everything. Does not block."""
        posts, self._posts = self._posts, {}
        for loop, items in posts.items():
            try:
                loop.call_soon_threadsafe(_deliver, items)
            except RuntimeError:  # the loop was closed under us
                for mailbox, _ in items:
                    mailbox.lost()


def _deliver(items: list[tuple[Mailbox, Any]]) -> None:
    for mailbox, item in items:
        mailbox.put(item)
