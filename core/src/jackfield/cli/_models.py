"""`jackfield models`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from jackfield import JackfieldError

from ._failures import describe, exit_code
from ._output import write_table
from ._session import Session, shared

if TYPE_CHECKING:
    from jackfield import Mesh, ModelCard

__all__ = ["COMMANDS"]

KINDS = ("chat", "completion", "embedding", "summarization", "rerank")


@click.command()
@click.argument("connection", required=False)
@click.option("--refresh", is_flag=True, help="Ask the services again.")
@click.option("--kind", type=click.Choice(KINDS), help="Only models that serve this kind of call.")
@click.option(
    "--all",
    "every",
    is_flag=True,
    help="Include models that the connection does not allow, and those that a plugin's table lists as retired.",
)
@shared
@click.pass_obj
def models(session: Session, connection: str | None, refresh: bool, kind: str | None, every: bool) -> None:
    """List models: of CONNECTION, or of all."""
    listed, failures = session.run(lambda mesh: _listed(mesh, connection, refresh=refresh))
    unasked = {name: _known(session, name, failures, every=every) for name in dict(failures)}
    wanted = [
        card
        for cards_of_one in (*listed.values(), *unasked.values())
        for card in cards_of_one
        if (every or card.allowed) and (kind is None or kind in card.kinds)
    ]
    if session.json:
        asked = [{**_as_dict(card), "asked": card.connection in listed} for card in wanted]
        session.write_json({"models": asked, "failures": failures})
    else:
        _write(session, wanted, failures)
    if failures and not listed:
        click.get_current_context().exit(exit_code(next(iter(failures.values()))))


def _write(session: Session, cards: Sequence[ModelCard], failures: Mapping[str, JackfieldError]) -> None:
    rows = [
        (
            f"{card.connection}:{card.id}",
            ", ".join(sorted(card.kinds)) or "unknown",
            card.limits.context_window or "",
            _price(card.price),
            _retirement(card),
            "no" if not card.allowed else "not asked" if card.connection in failures else "yes",
        )
        for card in cards
    ]
    write_table(("model", "kinds", "context", "price in / out", "retires", "allowed"), rows)
    for name, error in failures.items():
        session.note(f"{name} cannot be listed: {describe(error)}")
    if unasked := [card for card in cards if card.connection in failures]:
        tables = {card.capabilities.source for card in unasked if card.capabilities.known}
        days = ", ".join(sorted(source.removeprefix("table ") for source in tables))
        session.note(
            f"not asked: from the plugin's own tables ({days}), not the service's listing"
            if days
            else "not asked: declared, and no table knows more of it"
        )


def _retirement(card: ModelCard) -> str:
    """Return the day on which a model retires, marked if it is over."""
    return f"retired {card.retired}" if _is_retired(card) else card.retired or ""


def _is_retired(card: ModelCard) -> bool:
    from datetime import UTC, datetime

    return card.retired is not None and card.retired < datetime.now(UTC).date().isoformat()


def _known(
    session: Session, name: str, failures: dict[str, JackfieldError], *, every: bool
) -> list[ModelCard]:
    """Return the models that a connection declares and its plugin's table lists, without a request to the service."""
    from jackfield._calls.connection import Connection
    from jackfield._calls.listing import ModelList

    connection = session.config.connections[name]
    if connection.provider is None:
        return []
    declared = {entry.id for entry in connection.models or ()}
    try:
        cards = ModelList(Connection(connection, session.registry, session.config.prices)).list_known()
    except JackfieldError as error:
        failures[name] = error  # of the two, the one that the plugin's author must hear of
        return []
    return [card for card in cards if every or card.id in declared or not _is_retired(card)]


async def _listed(
    mesh: Mesh, connection: str | None, *, refresh: bool
) -> tuple[dict[str, list[ModelCard]], dict[str, JackfieldError]]:
    import asyncio

    if connection is not None and connection not in mesh.connections:
        await mesh.models(connection)  # says which is closest
    names = list(mesh.connections) if connection is None else [connection]
    results = await asyncio.gather(
        *(mesh.models(name, refresh=refresh) for name in names), return_exceptions=True
    )
    cards: dict[str, list[ModelCard]] = {}
    failures: dict[str, JackfieldError] = {}
    for name, result in zip(names, results, strict=True):
        if isinstance(result, JackfieldError):
            failures[name] = result
        elif isinstance(result, BaseException):
            raise result
        else:
            cards[name] = result
    return cards, failures


def _as_dict(card: ModelCard) -> dict[str, Any]:
    features = {
        name: {"value": one.value, "source": one.source} for name, one in card.capabilities.features.items()
    }
    names = ("id", "connection", "title", "kinds", "limits", "price", "underlying", "retired", "allowed")
    target = {"target": f"{card.connection}:{card.id}"}
    said = {name: getattr(card, name) for name in names}
    return {**target, **said, "source": card.capabilities.source, "features": features}


def _price(card: Any) -> str:
    """Return the prices of input and output for a million tokens, as price lists show them."""
    if card is None:
        return ""
    amounts = []
    for unit in ("input", "output"):
        rate = card.rates.get(unit)
        amounts.append("-" if rate is None else f"{(rate.amount * 1_000_000 / rate.per).normalize():f}")
    if amounts == ["-", "-"]:
        return ", ".join(
            f"{rate.amount.normalize():f} {card.currency} {_per(unit, rate.per)}"
            for unit, rate in card.rates.items()
        )
    return f"{' / '.join(amounts)} {card.currency} per 1M"


def _per(unit: str, count: int) -> str:
    """Write what an amount is for: "an hour", "a request", "per 1000 credit"."""
    if (unit, count) == ("second", 3600):
        return "an hour"
    return f"a {unit}" if count == 1 else f"per {count} {unit}"


COMMANDS = (models,)
