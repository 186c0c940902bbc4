"""`jackfield models`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from jackfield._errors import JackfieldError

from ._output import write_table
from ._session import Session, shared

if TYPE_CHECKING:
    from jackfield._capabilities import ModelCard
    from jackfield._mesh import Mesh

__all__ = ["COMMANDS"]


@click.command()
@click.argument("connection", required=False)
@click.option("--refresh", is_flag=True, help="Ask the services again.")
@click.option("--kind", help="Only models for chat, completion, embedding, summarization or rerank.")
@click.option("--all", "every", is_flag=True, help="Those, too, that the connection does not allow.")
@shared
@click.pass_obj
def models(session: Session, connection: str | None, refresh: bool, kind: str | None, every: bool) -> None:
    """List models: of CONNECTION, or of all."""
    cards, failures = session.run(lambda mesh: _listed(mesh, connection, refresh=refresh))
    if failures and not cards:
        raise next(iter(failures.values()))
    wanted = [card for card in cards if (every or card.allowed) and (kind is None or kind in card.kinds)]
    if session.json:
        session.write_json({"models": [_as_dict(card) for card in wanted], "failures": failures})
        return
    rows = [
        (
            f"{card.connection}:{card.id}",
            ", ".join(sorted(card.kinds)) or "unknown",
            card.limits.context_window or "",
            _price(card.price),
            card.retired or "",
            "yes" if card.allowed else "no",
        )
        for card in wanted
    ]
    write_table(("model", "kinds", "context", "price in / out", "retired", "allowed"), rows)
    for name, error in failures.items():
        session.note(f"{name} cannot be listed: {error}")


async def _listed(
    mesh: Mesh, connection: str | None, *, refresh: bool
) -> tuple[list[ModelCard], dict[str, JackfieldError]]:
    import asyncio

    if connection is not None:
        return await mesh.models(connection, refresh=refresh), {}
    names = list(mesh.connections)
    results = await asyncio.gather(
        *(mesh.models(name, refresh=refresh) for name in names), return_exceptions=True
    )
    cards: list[ModelCard] = []
    failures: dict[str, JackfieldError] = {}
    for name, result in zip(names, results, strict=True):
        if isinstance(result, JackfieldError):
            failures[name] = result
        elif isinstance(result, BaseException):
            raise result
        else:
            cards += result
    return cards, failures


def _as_dict(card: ModelCard) -> dict[str, Any]:
    features = {
        name: {"value": one.value, "source": one.source} for name, one in card.capabilities.features.items()
    }
    names = ("id", "connection", "title", "kinds", "limits", "price", "underlying", "retired", "allowed")
    target = {"target": f"{card.connection}:{card.id}"}
    return {**target, **{name: getattr(card, name) for name in names}, "features": features}


def _price(card: Any) -> str:
    """Say what input and output cost, for a million tokens as price lists do."""
    if card is None:
        return ""
    amounts = []
    for unit in ("input", "output"):
        rate = card.rates.get(unit)
        amounts.append("-" if rate is None else f"{(rate.amount * 1_000_000 / rate.per).normalize():f}")
    if amounts == ["-", "-"]:
        return ", ".join(
            f"{rate.amount.normalize():f} {card.currency} a {unit}" for unit, rate in card.rates.items()
        )
    return f"{' / '.join(amounts)} {card.currency} per 1M"


COMMANDS = (models,)
