"""Lists of models, and counts of tokens: the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from jackfield import ModelCard, TokenCount
from jackfield.plugin import RateCard, UnsupportedPolicy

from ._asked import Asked
from ._envelopes import Envelopes

__all__ = ["read_models", "whole_count", "whole_input_tokens", "whole_models", "whole_models_of_messages"]

_NO_TIME: Final = "1970-01-01T00:00:00Z"


def read_models(
    headers: Mapping[str, str], body: Mapping[str, Any], policy: UnsupportedPolicy, envelopes: Envelopes
) -> Asked:
    """Read a request of the list of models, or of one. `body` holds the query and, for one model, `model`."""
    del policy, envelopes
    surface = "anthropic.models" if "anthropic-version" in headers else "openai.models"
    return Asked(surface=surface, kind="models", target=str(body.get("model") or ""), context=dict(body))


def whole_models(asked: Asked, cards: Sequence[ModelCard], envelopes: Envelopes) -> dict[str, Any]:
    """Return models in OpenAI's form: a list, or the one that was asked for."""
    del envelopes
    entries = [_entry(card) for card in cards]
    return entries[0] if asked.target else {"object": "list", "data": entries}


def _entry(card: ModelCard) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "id": _target(card),
        "object": "model",
        "created": 0,
        "owned_by": card.connection or "jackfield",
    }
    if card.retired:
        entry["shutdown_date"] = card.retired
    return {**entry, **_more(card)}


def whole_models_of_messages(
    asked: Asked, cards: Sequence[ModelCard], envelopes: Envelopes
) -> dict[str, Any]:
    """Return models in Anthropic's form: a page of a list, or the one that was asked for."""
    del envelopes
    entries = [_anthropic_entry(card) for card in cards]
    if asked.target:
        return entries[0]
    page = _page(entries, asked.context)
    return {
        "data": page,
        "has_more": bool(page) and page[-1] is not entries[-1],
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
    }


def _anthropic_entry(card: ModelCard) -> dict[str, Any]:
    limits = card.limits
    entry: dict[str, Any] = {
        "type": "model",
        "id": _target(card),
        "display_name": card.title or card.id,
        "created_at": _NO_TIME,
        "max_input_tokens": limits.context_window,
        "max_tokens": limits.max_output_tokens,
    }
    return {**{name: value for name, value in entry.items() if value is not None}, **_more(card)}


def _more(card: ModelCard) -> dict[str, Any]:
    """Return the field of what neither form has a place for: what a model can, its limits, and its price where that is known."""
    sizes = {field.name: getattr(card.limits, field.name) for field in attrs.fields(type(card.limits))}
    features = {name: one.value for name, one in sorted(card.capabilities.features.items())}
    more: dict[str, Any] = {
        "targets": card.data.get("targets") if not card.connection else None,
        "kinds": sorted(card.kinds),
        "capabilities": {name: value for name, value in features.items() if value is not None},
        "limits": {name: size for name, size in sizes.items() if size is not None},
        "price": None if card.price is None else _price(card.price),
    }
    told = {name: value for name, value in more.items() if value}
    return {"jackfield": told} if told else {}


def _price(card: RateCard) -> dict[str, Any]:
    """Return a price by units; amounts are texts, because they are decimal numbers."""
    rates = {unit: {"amount": f"{rate.amount:f}", "per": rate.per} for unit, rate in card.rates.items()}
    return {"currency": card.currency, "rates": rates}


def _page(entries: list[dict[str, Any]], query: Mapping[str, Any]) -> list[dict[str, Any]]:
    names = [entry["id"] for entry in entries]
    after, before = query.get("after_id"), query.get("before_id")
    first = names.index(after) + 1 if after in names else 0
    last = names.index(before) if before in names else len(entries)
    text = str(query.get("limit") or "")
    limit = int(text) if text.isdecimal() else 20
    return (
        entries[max(first, last - limit) : last]
        if before in names
        else entries[first : min(last, first + limit)]
    )


def _target(card: ModelCard) -> str:
    return f"{card.connection}:{card.id}" if card.connection else card.id


def whole_count(asked: Asked, count: TokenCount, envelopes: Envelopes) -> dict[str, Any]:
    """Return a count of tokens in Anthropic's form."""
    del asked, envelopes
    return {"input_tokens": count.input_tokens}


def whole_input_tokens(asked: Asked, count: TokenCount, envelopes: Envelopes) -> dict[str, Any]:
    """Return a count of tokens in the form of Responses."""
    del asked, envelopes
    return {"object": "response.input_tokens", "input_tokens": count.input_tokens}
