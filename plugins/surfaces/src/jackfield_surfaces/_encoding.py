"""What encoders have in common."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Protocol

from jackfield import Event, RawPart, Reply

from ._envelopes import Envelopes

__all__ = ["Encoder", "Sealer", "needed_of_call", "new_id"]


class Encoder(Protocol):
    """Writes one streamed answer in a surface's form. Each method returns the bytes that are to be sent now."""

    def start(self, head: Reply) -> list[bytes]:
        """Begin the answer.

        Args:
            head: The stream's `response` as it is before the first event: who answers.
        """

    def feed(self, event: Event) -> list[bytes]:
        """Write an event."""

    def finish(self, reply: Reply) -> list[bytes]:
        """End the answer.

        Args:
            reply: The stream's `response`, complete.
        """

    def fail(self, error: BaseException, *, trusted: bool = False, begun: bool = False) -> list[bytes]:
        """End the answer with an error.

        Args:
            error: The error.
            trusted: See `Surface.error`.
            begun: Somebody else has written what came before.
        """

    def keep_alive(self) -> list[bytes]:
        """Write what keeps a connection open on which nothing happens."""


class Sealer:
    """Decides what of a reply's opaque data needs an envelope, and seals it.

    Args:
        envelopes: Seal it.
        family: The id of the provider whose own form the surface is.
    """

    def __init__(self, envelopes: Envelopes, family: str) -> None:
        self._envelopes = envelopes
        self._family = family
        self.provider: str | None = None
        self.model: str | None = None

    def begin(self, head: Reply) -> None:
        """Handle who answers."""
        self.provider, self.model = head.provider, head.model

    @property
    def is_own(self) -> bool:
        """Whether the surface is the provider's own API."""
        return self.provider == self._family

    def thinking(self, data: Mapping[str, Any]) -> str | None:
        """Return an envelope with the data of thinking; None if there is none."""
        return self._envelopes.of_thinking(self.provider, self.model, data) if data else None

    def call(self, identity: str, data: Mapping[str, Any]) -> str | None:
        """Return an envelope with the data of a tool call; None if there is none that a provider needs."""
        kept = needed_of_call(data)
        return self._envelopes.of_call(identity, kept) if kept else None

    def text(self, data: Mapping[str, Any]) -> str | None:
        """Return an envelope with the data of a text; None if there is none."""
        return self._envelopes.of_text(data) if data else None

    def raw(self, part: RawPart) -> str:
        """Return an envelope with a part that only its provider understands."""
        return self._envelopes.of_raw(part)


# Responses finds a call by its `call_id`; the id of the item is for answers that it has stored. Custom tools are functions
# of a mesh, and namespaces a part of names.
_NOT_NEEDED = frozenset({"id", "type", "namespace"})


def needed_of_call(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data of a tool call that its provider needs in later requests, by provider id."""
    needed = {}
    for provider, value in data.items():
        kept = value
        if provider == "openai" and isinstance(value, Mapping):
            kept = {name: item for name, item in value.items() if name not in _NOT_NEEDED}
        if kept:
            needed[provider] = kept
    return needed


def new_id(prefix: str) -> str:
    """Return an id that no other answer has."""
    return f"{prefix}{secrets.token_hex(12)}"
