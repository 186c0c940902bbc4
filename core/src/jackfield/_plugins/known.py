"""This project's own packages, for hints only."""

from __future__ import annotations

from functools import cache

from jackfield._contract.tables import load_table
from jackfield._values import Value, frozen

__all__ = ["KnownPlugins", "known_plugins"]


@frozen
class KnownPlugins(Value):
    """Packages of this project, installed or not.

    Attributes:
        providers: Ids of providers.
        units: What they count besides tokens, requests and seconds.
        tables: Tables that its packages add to the configuration.
        middlewares: Those that read `extra` of a call as a provider does.
        local: The provider that brings a configuration for programs that have none.
        install: The extras with which that one is installed.
    """

    providers: tuple[str, ...]
    units: tuple[str, ...]
    middlewares: tuple[str, ...]
    tables: tuple[str, ...]
    local: str
    install: str


@cache
def known_plugins() -> KnownPlugins:
    """Return what `known_plugins.json` says."""
    table = load_table(__file__, "known_plugins.json")
    names = {name: tuple(table[name]) for name in ("providers", "units", "middlewares", "tables")}
    return KnownPlugins(**names, local=table["local"], install=table["install"])
