"""The names of the installed plugins, read without importing them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from jackfield._values import Declared, Value, frozen

from .entry_points import FoundEntryPoint, find_entry_points

__all__ = ["GROUPS", "InstalledPlugin", "PluginKind", "PluginState", "read_entry_points"]

PluginKind: TypeAlias = Literal["provider", "credentials", "middleware", "extension", "table"]
State: TypeAlias = Literal["ready", "not loaded", "failed", "incompatible", "blocked", "duplicate"]

GROUPS: Final[dict[PluginKind, str]] = {
    "provider": "jackfield.providers",
    "credentials": "jackfield.credentials",
    "middleware": "jackfield.middlewares",
    "extension": "jackfield.extensions",
    "table": "jackfield.tables",
}
"""Groups of entry points; `.v` and the contract's version follow."""

_KIND_BY_GROUP: Final = {group: kind for kind, group in GROUPS.items()}


@frozen
class InstalledPlugin(Declared):
    """A name under which something can be loaded.

    Attributes:
        name: The entry point's name.
        kind: What it is for.
        contract: The version of the contract that its group names.
        load: Gives the plugin; imports it.
        entry: The entry point; None for an object of a program.
    """

    name: str
    kind: PluginKind
    contract: int
    load: Callable[[], object]
    entry: FoundEntryPoint | None = None

    # Reading a distribution's metadata costs more than finding it, so both wait until they are asked for.

    @property
    def distribution(self) -> str | None:
        """The distribution it comes from."""
        return self.entry.distribution[0] if self.entry is not None else None

    @property
    def version(self) -> str | None:
        """That distribution's version."""
        return self.entry.distribution[1] if self.entry is not None else None

    @property
    def label(self) -> str:
        """How messages call it: kind, name, distribution and version."""
        what = "credentials" if self.kind == "credentials" else self.kind
        label = f"the {what} plugin {self.name!r}"
        return label if self.distribution is None else f"{label} ({self.distribution} {self.version})"


@frozen(kw_only=True)
class PluginState(Value):
    """One line of the list of plugins.

    Attributes:
        name: The entry point's name.
        kind: provider, credentials, middleware, extension or table.
        state: ready, not loaded, failed, incompatible, blocked or duplicate.
        contract: The version of the contract that it is written for.
        distribution: The distribution it comes from; None for an object of a program.
        version: That distribution's version.
        reason: Why it cannot be used, and what to do; or what is to be done before it no longer can.
    """

    name: str
    kind: PluginKind
    state: State
    contract: int
    distribution: str | None = None
    version: str | None = None
    reason: str | None = None

    @property
    def group(self) -> str:
        """Its group of entry points."""
        return f"{GROUPS[self.kind]}.v{self.contract}"

    @classmethod
    def of(cls, plugin: InstalledPlugin, state: State, reason: str | None) -> PluginState:
        """Build the line of a plugin."""
        return cls(
            name=plugin.name,
            kind=plugin.kind,
            state=state,
            contract=plugin.contract,
            distribution=plugin.distribution,
            version=plugin.version,
            reason=reason,
        )


def read_entry_points() -> tuple[InstalledPlugin, ...]:
    """Read the names of all plugins, of every version of the contract."""
    found = []
    for entry in find_entry_points("jackfield."):
        group, _, contract = entry.group.rpartition(".v")
        kind = _KIND_BY_GROUP.get(group)
        if kind is not None and contract.isdecimal():
            found.append(InstalledPlugin(entry.name, kind, int(contract), entry.load, entry))
    return tuple(sorted(found, key=lambda plugin: (plugin.kind, plugin.contract)))
