"""The rates of one call, in the units of Jackfield's usage."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from jackfield.plugin import CostContext, ModelRef, Rate, RateCard

from ._billing import Biller, biller_of
from ._prices import find

__all__ = ["rates"]

_UNITS: Final[Mapping[str, tuple[str, int]]] = {
    "input_mtok": ("input", 1_000_000),
    "output_mtok": ("output", 1_000_000),
    "cache_read_mtok": ("cache_read", 1_000_000),
    "cache_write_mtok": ("cache_write", 1_000_000),
    "cache_write_1h_mtok": ("cache_write_1h", 1_000_000),
    "input_audio_mtok": ("input_audio", 1_000_000),
    "output_audio_mtok": ("output_audio", 1_000_000),
    "input_image_mtok": ("input_image", 1_000_000),
    "output_image_mtok": ("output_image", 1_000_000),
    "input_video_mtok": ("input_video", 1_000_000),
    "output_video_mtok": ("output_video", 1_000_000),
    "web_searches_kcount": ("web_search_request", 1_000),
    "requests_kcount": ("request", 1_000),
}
"""By the data's key: our unit, and the number of units that the price is for. Other keys have no unit in our usage."""

# Names of the standard tier. A tier with another name has a price only if the data names it.
_STANDARD: Final = frozenset({"default", "standard", "auto", "on_demand", "standard_only"})
_USUAL_PLACES: Final = (None, "", "global", "not_available")


def rates(model: ModelRef, context: CostContext) -> RateCard | None:
    """Return the rates of one call.

    The day of the call chooses among dated prices, the length of its prompt among tiers (of the whole
    prompt), and the tier that the answer reports, or the batch, among variants. Without a
    published price, the rates are unknown.
    """
    biller = biller_of(model, context)
    entry = None if biller is None else find(biller)
    if biller is None or entry is None:
        return None
    choices = _choices(biller, context)
    if choices is None or _is_optimized(model, context):
        return None
    found = entry.prices(datetime.fromtimestamp(context.when, UTC), choices, context.input_tokens)
    if found is None:
        return None
    card = {}
    for key, amount in found.amounts.items():
        unit, per = _UNITS.get(key, ("", 0))
        if unit:
            card[unit] = Rate(unit, amount, per, found.source, found.as_of)
    return RateCard(card) if card else None


def _choices(biller: Biller, context: CostContext) -> dict[str, str] | None:
    """Return what the caller chose, in the words of the data; None if the data has no word for it."""
    tier = (context.service_tier or "default").lower()
    raw: Mapping[str, Any] = context.raw_usage if isinstance(context.raw_usage, Mapping) else {}
    choices: dict[str, str] = {}
    if context.batch or tier == "batch":
        choices["processing"] = "batch"
    elif biller.provider == "openai" or tier not in _STANDARD:
        choices["service_tier"] = "default" if tier in _STANDARD else tier
    if biller.provider == "anthropic":
        # Source: Anthropic's API reference of messages, 2026: the usage reports both.
        if _told(raw, context, "speed") == "fast":
            choices["speed"] = "fast"
        if _told(raw, context, "inference_geo") not in _USUAL_PLACES:
            return None  # in the US 1.1 times the price on some models; the data does not say on which
    return choices


def _told(raw: Mapping[str, Any], context: CostContext, name: str) -> Any:
    """Return what the answer reports of the way it was served; if it does not, what the request asked for."""
    return raw[name] if raw.get(name) is not None else context.requested.get(name)


def _is_optimized(model: ModelRef, context: CostContext) -> bool:
    """Return whether a call asks for optimized latency, of which the data says nothing. Source: Amazon Bedrock, 2026."""
    config = context.requested.get("performanceConfig")
    asked = config.get("latency") if isinstance(config, Mapping) else getattr(model.settings, "latency", None)
    return bool(asked == "optimized")
