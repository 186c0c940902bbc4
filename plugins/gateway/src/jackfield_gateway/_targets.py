"""What a client writes as the model: an alias, a target, or the plain id of a model where it is unambiguous."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from jackfield import ConnectionConfig, MeshConfig, ModelNotAllowedError, UnknownTargetError
from jackfield.plugin import find_model, hint

from ._keys import Key

__all__ = ["Targets"]

_LONGEST: Final = 1_000
"""Characters of a name; longer ones are not looked for, nor told."""


class Targets:
    """The targets of a configuration.

    Args:
        config: What is declared.
    """

    def __init__(self, config: MeshConfig) -> None:
        self._config = config
        self._by_id: dict[str, str] = {}

    def resolve(self, name: object, key: Key) -> str:
        """Return the alias or the target that a client means, if its key may use it.

        Raises:
            UnknownTargetError: There is none, or several connections have a model of this id.
            ModelNotAllowedError: The key may not use it.
        """
        if not isinstance(name, str) or not name:
            raise UnknownTargetError('"model" must be the name of a model: an alias, or "connection:model"')
        if len(name) > _LONGEST:
            raise UnknownTargetError(
                f"there is no model {name[:40] + '...'!r}: it has {len(name)} characters"
            )
        target = self._find(name)
        if not key.allows(target) and not (target != name and key.allows(name)):
            raise ModelNotAllowedError(f"this key may not use {name!r}")
        return target

    def connection_of(self, target: str) -> str | None:
        """Return the connection that a target is asked at; None if an alias has several."""
        names = {one.partition(":")[0] for one in self._config.aliases.get(target, (target,))}
        return names.pop() if len(names) == 1 else None

    def _find(self, name: str) -> str:
        if name in self._config.aliases or name.partition(":")[0] in self._config.connections:
            return name
        known = self._by_id.get(name)
        if known is None:
            known = self._find_by_id(name)
            if len(self._by_id) < 10_000:  # clients choose the names
                self._by_id[name] = known
        return known

    def _find_by_id(self, name: str) -> str:
        found = self._declaring(name) or self._knowing(name)
        if len(found) == 1:
            return f"{found[0]}:{name}"
        if found:
            targets = " or ".join(f'"{connection}:{name}"' for connection in found)
            raise UnknownTargetError(f"several connections have the model {name!r}: write {targets}")
        known = (*self._config.aliases, *(f"{one}:..." for one in self._config.connections))
        raise UnknownTargetError(f"there is no model {name!r}{hint(name, known)}")

    def _declaring(self, name: str) -> list[str]:
        """Name the connections whose `models` have an entry for an id; a pattern for every id is not one."""
        found = []
        for connection in self._config.connections.values():
            entry = find_model(connection, name)
            if entry is not None and entry.id != "*":
                found.append(connection.name)
        return found

    def _knowing(self, name: str) -> list[str]:
        """Name the connections that allow every model and whose plugin's table knows an id."""
        return [
            connection.name
            for connection in self._config.connections.values()
            if (connection.models is None or find_model(connection, name) is not None)
            and name in _read_table(connection)
        ]


def _read_table(connection: ConnectionConfig) -> Sequence[str]:
    provider = connection.provider
    if provider is None or connection.settings is None:
        return ()
    return provider.table(connection.settings)
