"""Keep answers for their owners: what a request continues or refers to is found, and its answer is kept."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from jackfield.plugin import write_json
from jackfield_surfaces import SurfaceError, Turn, continue_turn, input_items, new_id, portable_items

from ._kept import KeptResponse, ResponseStore, chain_items, is_own_id, read_chain, with_ids

__all__ = ["Conversation", "Keeper", "refuse_foreign"]

logger = logging.getLogger("jackfield.gateway")

ID_PREFIX: Final = "resp_jf"
_REFERRING: Final = frozenset({"conversation", "id", "input", "previous_response_id", "type"})
"""Keys that refer to what a service keeps, or tell that an item does."""


@attrs.frozen(kw_only=True)
class Conversation:
    """A request for Responses, with what it continues.

    Attributes:
        content: The request with the whole conversation in it.
        is_whole: That is how the client sent it.
        passes: A service that is handed the client's own words knows what these refer to.
        id: The id of the answer, unless a service gives it.
        items: The items of the request itself.
        previous: The id of the answer that it continues.
        keeps: Its answer will be kept.
        store: What the client says of that.
    """

    content: Mapping[str, Any] = attrs.field(repr=False)
    is_whole: bool = True
    passes: bool = True
    id: str = attrs.field(factory=lambda: new_id(ID_PREFIX))
    items: Sequence[Mapping[str, Any]] = attrs.field(default=(), repr=False)
    previous: str | None = None
    keeps: bool = False
    store: Any = None

    def body(self) -> bytes:
        """Return the whole conversation as a request of the client would be."""
        return write_json(self.content if self.store is None else {**self.content, "store": self.store})


class Keeper:
    """Keeps answers.

    Args:
        store: Where to.
        seconds: How long.
        most: Most bytes of one owner's answers.
        longest: Most bytes of a conversation that is continued.
    """

    def __init__(self, store: ResponseStore, *, seconds: float, most: int, longest: int) -> None:
        self.store = store
        self._seconds = seconds
        self._most = most
        self._longest = longest

    async def begin(self, content: Mapping[str, Any], owner: str, connection: str | None) -> Conversation:
        """Find what a request continues and refers to.

        Args:
            content: The request.
            owner: Who asks.
            connection: The connection that will be asked; None if it may be one of several.

        Raises:
            SurfaceError: The owner has no such answer or item.
        """
        items = input_items(content.get("input"))
        previous = content.get("previous_response_id")
        if previous is not None and not isinstance(previous, str):
            raise SurfaceError(
                "previous_response_id must be a string", parameter="previous_response_id", kind="invalid_type"
            )
        keeps = content.get("store") is not False
        referred = {str(item.get("id")): place for place, item in enumerate(items) if _is_reference(item)}
        plain = {name: value for name, value in content.items() if name != "store"}
        if previous is None and not referred:
            return Conversation(content=plain, items=items, keeps=keeps, store=content.get("store"))
        chain, found = await asyncio.to_thread(self._find, owner, previous, referred)
        own = [one for item in items for one in _resolved(item, found, connection)]
        turn = None
        if previous is not None:
            turn = Turn(id=previous, items=chain_items(chain, connection))
        whole = continue_turn({**plain, "input": own}, turn)
        whole.pop("previous_response_id", None)
        used = [*chain[-1:], *found.values()]
        return Conversation(
            content=whole,
            is_whole=False,
            passes=all(kept.connection is not None and kept.connection == connection for kept in used),
            items=own,
            previous=previous,
            keeps=keeps,
            store=content.get("store"),
        )

    def _find(
        self, owner: str, previous: str | None, referred: Mapping[str, int]
    ) -> tuple[list[KeptResponse], dict[str, KeptResponse]]:
        now, found = time.time(), {}
        chain = (
            [] if previous is None else read_chain(self.store, owner, previous, now=now, most=self._longest)
        )
        for identity, place in referred.items():
            kept = self.store.find_response_of_item(owner, identity, now=now)
            if kept is None:
                raise SurfaceError(
                    f"Item with id '{identity}' not found.",
                    parameter=f"input[{place}]",
                    kind="item_not_found",
                )
            found[identity] = kept
        return chain, found

    def record(
        self,
        talk: Conversation,
        owner: str,
        response: Mapping[str, Any],
        *,
        connection: str | None = None,
        now: float | None = None,
    ) -> KeptResponse:
        """Return an answer as it is kept.

        Args:
            talk: The request.
            owner: Whose it is.
            response: The answer.
            connection: The connection whose service gave the answer its id.
            now: When it was made; None is now.
        """
        now = time.time() if now is None else now
        identity = str(response.get("id") or talk.id)
        output = response.get("output")
        named = [*with_ids(identity, talk.items), *(output if isinstance(output, list) else [])]
        ids = (item.get("id") for item in named if isinstance(item, Mapping))
        return KeptResponse(
            owner=owner,
            id=identity,
            created_at=now,
            expires_at=now + self._seconds,
            status=str(response.get("status") or "completed"),
            # Of what a service says that it does not keep, it knows no id.
            connection=connection if response.get("store") is True else None,
            previous=None if talk.previous == identity else talk.previous,
            input=write_json(list(talk.items)),
            response=write_json(response),
            item_ids=tuple(dict.fromkeys(one for one in ids if isinstance(one, str) and one)),
        )

    async def keep(self, kept: KeptResponse) -> bool:
        """Keep an answer; return whether that went well. A store that fails takes no answer from a client."""
        try:
            done = await asyncio.to_thread(self.store.keep_response, kept, most=self._most)
        except Exception as error:
            logger.error("an answer of %s could not be kept: %s", kept.owner, error)  # noqa: TRY400 -- the reason is enough
            return False
        if not done:
            logger.warning("an answer of %s is too long to be kept: %d bytes", kept.owner, kept.size)
        return done


def refuse_foreign(content: Mapping[str, Any], *, kept: bool) -> None:
    """Refuse what refers to something that a service keeps for several owners, of which nobody here knows whose it is.

    Args:
        content: A request for Responses.
        kept: Answers are kept here, so it is known whose they are.

    Raises:
        SurfaceError: The request refers to such a thing.
    """
    given = content.get("input")
    items = [item for item in given if isinstance(item, Mapping)] if isinstance(given, list) else []
    _refuse_disguised(content, items)
    if content.get("conversation") is not None:
        raise SurfaceError(
            "conversation is not served: the service keeps conversations of all owners under one key",
            parameter="conversation",
            kind="unsupported_parameter",
        )
    if kept:
        return
    previous = content.get("previous_response_id")
    if previous is not None:
        raise SurfaceError(
            f"Previous response with id '{previous}' not found: no answer is kept here. Send the whole conversation.",
            parameter="previous_response_id",
            kind="previous_response_not_found",
        )
    for place, item in enumerate(given if isinstance(given, list) else ()):
        if isinstance(item, Mapping) and _is_reference(item):
            raise SurfaceError(
                f"Item with id '{item.get('id')}' not found: no item is kept here. Send items as they are (`store: false`).",
                parameter=f"input[{place}]",
                kind="item_not_found",
            )


def _refuse_disguised(content: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> None:
    """Refuse keys that refer to something, and that only some readers understand, such as `Previous_Response_ID`."""
    for mapping in (content, *items):
        for name in mapping:
            if name not in _REFERRING and name.casefold() in _REFERRING:
                raise SurfaceError(
                    f"the key {name!r} is not known: write {name.casefold()!r}",
                    parameter=name,
                    kind="unknown_parameter",
                )


def _is_reference(item: Mapping[str, Any]) -> bool:
    kind = item.get("type")
    return kind == "item_reference" or (not kind and not item.get("role") and "id" in item)


def _resolved(
    item: Mapping[str, Any], found: Mapping[str, KeptResponse], connection: str | None
) -> list[Mapping[str, Any]]:
    """Return an item, or the one that it refers to, as a connection takes it; none if it takes it by its id alone."""
    if not _is_reference(item):
        return [item]
    identity = item.get("id")
    kept = found[str(identity)]
    items = (*kept.read_output(), *kept.read_input())
    whole = next(one for one in items if one.get("id") == identity)
    if is_own_id(identity):
        whole = {name: value for name, value in whole.items() if name != "id"}
    is_kept = kept.connection is not None and kept.connection == connection
    return [whole] if is_kept else portable_items([whole])
