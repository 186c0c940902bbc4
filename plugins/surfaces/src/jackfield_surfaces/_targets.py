"""What a client's name of a model means to a mesh, and which providers may answer."""

from __future__ import annotations

from jackfield import ConnectionConfig, Mesh
from jackfield.plugin import UnsupportedPolicy, find_model

__all__ = ["declares_option", "families_of", "policy_of", "resolve_target"]


def resolve_target(mesh: Mesh, name: str) -> str:
    """Return the target that a client means: a target or an alias as it is, and a model's id where it is unambiguous.

    An id is unambiguous if one connection alone declares it, or if there is one connection alone.
    """
    if name in mesh.aliases or name.partition(":")[0] in mesh.connections:
        return name
    declaring = [
        connection.name
        for connection in mesh.connections.values()
        if find_model(connection, name) is not None
    ]
    names = declaring or list(mesh.connections)
    return f"{names[0]}:{name}" if len(names) == 1 else name


def _connections_of(mesh: Mesh, target: str) -> list[ConnectionConfig]:
    names = [one.partition(":")[0] for one in mesh.aliases.get(target, (target,))]
    return [mesh.connections[name] for name in names if name in mesh.connections]


def policy_of(mesh: Mesh, target: str) -> UnsupportedPolicy:
    """Return what a connection's declaration says of what a model cannot honour; the first one of an alias counts."""
    found = _connections_of(mesh, target)
    return found[0].unsupported if found else "error"


def declares_option(mesh: Mesh, target: str, name: str) -> bool:
    """Return whether an administrator declares an option for a model that may answer."""
    for one in mesh.aliases.get(target, (target,)):
        connection, _, model = one.partition(":")
        if connection in mesh.connections:
            entry = find_model(mesh.connections[connection], model)
            if entry is not None and name in entry.options:
                return True
    return False


def families_of(mesh: Mesh, target: str) -> list[frozenset[str]]:
    """Return for each provider that may answer its id and those it is related to."""
    return [
        frozenset({one.provider_id, *(one.provider.info.related if one.provider is not None else ())})
        for one in _connections_of(mesh, target)
    ]
