"""Answers that are kept: what one is, where they are kept, and how a conversation is read from them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol, runtime_checkable

import attrs

from jackfield.plugin import read_json
from jackfield_surfaces import SurfaceError, portable_items, unknown_response

__all__ = [
    "RUNNING",
    "KeptResponse",
    "ResponseKeeping",
    "ResponseStore",
    "chain_items",
    "is_own_id",
    "read_chain",
    "with_ids",
]

RUNNING: Final = ("queued", "in_progress")
"""The states of an answer that is computed in the background."""
_PREFIXES: Final[Mapping[str, str]] = {
    "function_call": "fc_",
    "function_call_output": "fco_",
    "custom_tool_call": "ctc_",
    "custom_tool_call_output": "ctco_",
    "reasoning": "rs_",
}
_MARK: Final = "jfin"
"""What follows the prefix of ids that the gateway gives to items of an input."""


@attrs.frozen(kw_only=True)
class KeptResponse:
    """An answer as it is kept.

    Attributes:
        owner: Whose it is; nobody else finds it.
        id: Its id, as the client knows it.
        created_at: When it was made, in seconds of `time.time()`.
        expires_at: When it is deleted.
        status: That of the answer; one of `RUNNING` while it is computed in the background.
        connection: The connection whose service keeps the answer under the same id; None if only we do.
        previous: The id of the answer that it continues.
        input: The items of its own request, as a JSON array; those before it are those of `previous`.
        response: The answer, as a JSON object.
        item_ids: The ids of the items that a client may refer to.
    """

    owner: str
    id: str
    created_at: float
    expires_at: float
    status: str
    connection: str | None = None
    previous: str | None = None
    input: bytes = attrs.field(repr=False)
    response: bytes = attrs.field(repr=False)
    item_ids: tuple[str, ...] = attrs.field(default=(), repr=False)

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return len(self.input) + len(self.response)

    def read(self) -> dict[str, Any]:
        """Return the answer as data."""
        return dict(read_json(self.response))

    def read_input(self) -> list[dict[str, Any]]:
        """Return the items of its own request, each with an id."""
        return with_ids(self.id, read_json(self.input))

    def read_output(self) -> list[dict[str, Any]]:
        """Return the items of the answer."""
        output = self.read().get("output")
        return [item for item in output if isinstance(item, dict)] if isinstance(output, list) else []


class ResponseStore(Protocol):
    """Where answers are kept. Methods block, and are called in threads, several at once."""

    def keep_response(self, kept: KeptResponse, *, most: int) -> bool:
        """Keep an answer; one of the same owner and id is replaced.

        Args:
            kept: The answer.
            most: Most bytes of one owner's answers; the oldest are deleted for a new one.

        Returns:
            Whether it was kept: one that is longer than `most` is not.
        """

    def find_response(self, owner: str, identity: str, *, now: float) -> KeptResponse | None:
        """Return an answer; None if its owner has none of this id, or if it has expired."""

    def find_response_of_item(self, owner: str, item: str, *, now: float) -> KeptResponse | None:
        """Return the newest answer whose input or output has an item of this id."""

    def delete_response(self, owner: str, identity: str) -> bool:
        """Delete an answer, so that nothing of it stays in the store; return whether there was one."""

    def delete_expired_responses(self, *, now: float) -> int:
        """Delete what has expired, so that nothing of it stays in the store; return how many answers that were."""

    def touch_response(self, owner: str, identity: str, *, now: float) -> str | None:
        """Note that an answer is still being computed; return its status, or None if it has been deleted."""

    def end_response(self, kept: KeptResponse) -> bool:
        """Replace an answer that was being computed; return False if it was cancelled or deleted meanwhile."""

    def is_computed(self, owner: str, identity: str, *, since: float) -> bool:
        """Return whether `touch_response` was called for an answer since a moment."""

    def close(self) -> None:
        """Close it."""


@runtime_checkable
class ResponseKeeping(Protocol):
    """A store of the gateway that can also keep answers."""

    def open_responses(self) -> ResponseStore:
        """Return where it keeps them; what is missing for that is made."""


def with_ids(response_id: str, items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the items of an input, with an id for those that have none: the same one each time."""
    return [
        {**item, "id": item.get("id") or _id_of(response_id, number, item)}
        if item.get("type") != "item_reference"
        else dict(item)
        for number, item in enumerate(items)
    ]


def _id_of(response_id: str, number: int, item: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(f"{response_id}/{number}".encode()).hexdigest()[:24]
    return f"{_PREFIXES.get(str(item.get('type')), 'msg_')}{_MARK}{digest}"


def is_own_id(identity: object) -> bool:
    """Return whether an item's id was given to an item of an input by the gateway: no service knows it."""
    return isinstance(identity, str) and identity.partition("_")[2].startswith(_MARK)


def read_chain(
    store: ResponseStore, owner: str, identity: str, *, now: float, most: int
) -> list[KeptResponse]:
    """Return an answer with all that it continues, the oldest first. Blocks.

    Args:
        store: Where they are kept.
        owner: Whose they are.
        identity: The id of the newest.
        now: In seconds of `time.time()`.
        most: Most bytes of the conversation.

    Raises:
        SurfaceError: One of them is not kept, or not any more; or they are longer.
    """
    chain: list[KeptResponse] = []
    seen, size, wanted = set(), 0, identity
    while wanted and wanted not in seen:  # a service may give one id twice
        seen.add(wanted)
        kept = store.find_response(owner, wanted, now=now)
        if kept is None:
            raise unknown_response(wanted)
        if kept.status in RUNNING:
            raise SurfaceError(
                f"Previous response with id '{wanted}' has not ended.",
                parameter="previous_response_id",
                kind="previous_response_not_completed",
            )
        size += kept.size
        if size > most:
            raise SurfaceError(
                f"the conversation is longer than {most} bytes, which is what this gateway continues; begin a new one",
                parameter="previous_response_id",
                kind="context_length_exceeded",
                status=413,
            )
        chain.append(kept)
        wanted = kept.previous or ""
    return chain[::-1]


def chain_items(chain: Sequence[KeptResponse], connection: str | None) -> list[Mapping[str, Any]]:
    """Return the items of a conversation as a request that continues it sends them.

    Args:
        chain: The answers, the oldest first.
        connection: The connection that is asked; None if it may be one of several.
    """
    return list(_chain_items(chain, connection))


def _chain_items(chain: Sequence[KeptResponse], connection: str | None) -> Iterator[Mapping[str, Any]]:
    for kept in chain:
        yield from read_json(kept.input)
        output: list[Mapping[str, Any]] = [*kept.read_output()]
        # What a service does not keep, it would not find by its id.
        is_kept = kept.connection is not None and kept.connection == connection
        yield from output if is_kept else portable_items(output)
