"""Deliver items from the scheduler's thread to event loops, once per step and loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import attrs

__all__ = ["Mailbox", "Outbox"]


@attrs.frozen(eq=False)
class Mailbox:
    """The receiver of one reply.

    Args:
        loop: The event loop of the receiver.
        put: Receives an item; called in that loop.
        lost: Called from the scheduler's thread if the loop was closed, so that nobody receives items.
    """

    loop: asyncio.AbstractEventLoop
    put: Callable[[Any], None]
    lost: Callable[[], None]


class Outbox:
    """Collects the items of a step and wakes each event loop once. Belongs to one thread."""

    def __init__(self) -> None:
        self._posts: dict[asyncio.AbstractEventLoop, list[tuple[Mailbox, Any]]] = {}

    def add(self, mailbox: Mailbox, item: object) -> None:
        """Add an item to be delivered."""
        self._posts.setdefault(mailbox.loop, []).append((mailbox, item))

    def flush(self) -> None:
        """Deliver all items. Does not block."""
        posts, self._posts = self._posts, {}
        for loop, items in posts.items():
            try:
                loop.call_soon_threadsafe(_deliver, items)
            except RuntimeError:  # the loop was closed in the meantime
                for mailbox, _ in items:
                    mailbox.lost()


def _deliver(items: list[tuple[Mailbox, Any]]) -> None:
    for mailbox, item in items:
        mailbox.put(item)
