"""Check names of currencies and of units in prices: a slip in one would silently price nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from jackfield._hints import suggestion

__all__ = ["currency_fault", "unit_fault"]

_COMMON: Final = ("USD", "EUR", "GBP", "CHF", "JPY", "CNY", "INR", "CAD", "AUD")
"""What is meant first where several are close."""

_OTHERS: Final = (
    "AED AFN ALL AMD AOA ARS AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CDF CLP COP CRC CUP "
    "CVE CZK DJF DKK DOP DZD EGP ERN ETB FJD FKP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS IQD IRR ISK "
    "JMD JOD KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR "
    "MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG "
    "SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX UYU UZS VES VND VUV "
    "WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG"
)
"""Source: ISO 4217, list one, without funds and metals; as known in January 2026."""

_UNITS: Final = (
    *("input", "output", "reasoning", "cache_read", "cache_write", "cache_write_5m", "cache_write_1h"),
    *("input_audio", "output_audio", "input_image", "output_image", "request", "second"),
)
"""What the core charges by itself. Providers may count what they like besides, so only a likely slip is refused."""

_PARTS: Final = ("input_", "output_", "cache_read_", "cache_write_")
"""Parts of larger counts begin like this, and their names are much alike without being slips of one another."""


def currency_fault(text: str, units: Iterable[str] = ()) -> str | None:
    """Return what is wrong with the name of a currency; None is nothing.

    Args:
        text: The name.
        units: Of the providers at hand (`ProviderInfo.units`): some services keep accounts in units of their own.
    """
    others = _OTHERS.split()
    if text in _COMMON or text in others:
        return None
    accounts = (*units, *_units_of_ours())
    if text in accounts:
        return None
    meant = suggestion(text, (*_COMMON, *accounts)) or suggestion(text, others)
    hint = f"did you mean {meant!r}?" if meant else "write its code (ISO 4217), such as USD"
    return f"unknown currency {text!r}; {hint}"


def unit_fault(text: str, units: Iterable[str] = ()) -> str | None:
    """Return what is wrong with the name of a unit: that it is almost one that is counted; None is nothing.

    Args:
        text: The name.
        units: Of the providers at hand (`ProviderInfo.units`).
    """
    if text in _UNITS:
        return None
    known = (*_UNITS, *units, *_units_of_ours())
    if text in known:
        return None
    # Counts are told as `output_tokens`, and priced as `output`.
    plain = re.sub("_?tokens?$", "", text)
    meant = (
        plain if plain in known else suggestion(plain, known, cutoff=0.9 if plain.startswith(_PARTS) else 0.7)
    )
    if meant is None and not plain:
        meant = "input"
    if meant is None or re.sub("[^0-9]", "", meant) != re.sub("[^0-9]", "", text):
        return None
    return f"unknown unit {text!r}; did you mean {meant!r}?"


def _units_of_ours() -> tuple[str, ...]:
    from jackfield._plugins.known import known_plugins  # most names need it not

    return known_plugins().units
