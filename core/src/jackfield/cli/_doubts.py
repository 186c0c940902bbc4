"""What loads and will fail: secrets that are missing, identities that nobody uses, models and options that no call can have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from jackfield import JackfieldError, MissingCredentialError

if TYPE_CHECKING:
    from jackfield import ConnectionConfig, Mesh, MeshConfig
    from jackfield.plugin import Kind, ModelEntry

__all__ = ["doubtful_credentials", "doubtful_models", "missing_secrets"]

_KINDS: Final[tuple[Kind, ...]] = ("chat", "completion", "embedding", "rerank")
_NUMBER: Final = re.compile(r"\d+")
_VERSION: Final = re.compile(r"([-@:]v?\d+)+$")
_ALIKE: Final = 0.8
"""How much a model's name must be like a known one to be taken for a slip: new models have new names."""


def missing_secrets(connection: ConnectionConfig) -> list[str]:
    """Return which secrets of a connection are missing now; they may be present where the program will run.

    Where it names credentials, the defaults of its keys are not used, and not looked at.
    """
    import attrs

    settings = connection.settings
    values: dict[str, Any] = {f"headers.{name}": value for name, value in connection.headers.items()}
    is_named = getattr(settings, "credentials", None) is not None
    for field in attrs.fields(type(settings)) if attrs.has(type(settings)) else ():
        value = getattr(settings, field.name)
        if not (is_named and value == field.default):
            values[field.alias or field.name] = value
    return list(_missing(f"connections.{connection.name}", values))


def doubtful_credentials(config: MeshConfig) -> list[str]:
    """Return which secrets of the identities that connections name are missing now, and which identities none names."""
    import attrs

    used = [one.identity[1] for one in config.connections.values() if one.identity is not None]
    lines: list[str] = []
    for name, settings in config.credentials.items():
        if not any(one is settings for one in used):
            lines.append(f"credentials.{name}: no connection names it")
        elif attrs.has(type(settings)):
            values = {
                field.alias or field.name: getattr(settings, field.name)
                for field in attrs.fields(type(settings))
            }
            lines += _missing(f"credentials.{name}", values)
    return lines


def doubtful_models(mesh: Mesh, connection: ConnectionConfig) -> list[str]:
    """Return what is wrong with declared models, as their own tables tell: options that each call refuses, and slips."""
    if connection.provider is None:
        return []
    lines: list[str] = []
    known = _known_models(connection)
    for entry in connection.models or ():
        where = f"connections.{connection.name}.models[{entry.id}]"
        if entry.id.endswith("*"):
            continue
        fault = _fault_of_calls(mesh, connection, entry)
        meant = None if entry.underlying is not None or entry.kinds else _slip(entry.id, known)
        if fault is not None:
            lines.append(f"{where}: {fault}")
        elif meant is not None:
            lines.append(f"{where}: no such model is known; did you mean {meant!r}?")
    return lines


def _missing(where: str, values: Mapping[str, Any]) -> Iterator[str]:
    from jackfield import Secret  # it loads attrs

    for key, value in values.items():
        # A keyring may ask a person to unlock it, which is more than a check may do.
        if isinstance(value, Secret) and not (value.reference or "").startswith(("keyring:", "none")):
            try:
                value.reveal()
            except MissingCredentialError as error:
                yield f"{where}.{key}: {error.message}"
            except JackfieldError as error:
                yield f"{where}.{key}: {error}"


def _known_models(connection: ConnectionConfig) -> frozenset[str]:
    provider = connection.provider
    try:
        return frozenset() if provider is None else frozenset(provider.table(connection.settings))
    except JackfieldError:
        return frozenset()


def _slip(name: str, known: frozenset[str]) -> str | None:
    """Return the model that a name is a slip of; None for a known one, and for one that is like none."""
    if not known or name in known or any(one.startswith(name) or name.startswith(f"{one}-") for one in known):
        return None
    import difflib

    spelled = {_VERSION.sub("", one): one for one in sorted(known, reverse=True)} | {
        one: one for one in known
    }
    for found in difflib.get_close_matches(name, spelled, n=5, cutoff=_ALIKE):
        if _NUMBER.findall(found) == _NUMBER.findall(
            name
        ):  # with another number it is another model, not a slip
            return spelled[found]
    return None


def _fault_of_calls(mesh: Mesh, connection: ConnectionConfig, entry: ModelEntry) -> str | None:
    """Return why no call of a declared model can be made, as far as that is known without asking anybody."""
    if not entry.options and not entry.id.startswith("arn:"):
        return None
    faults: list[str] = []
    for kind in _KINDS:
        if entry.kinds and kind not in entry.kinds:
            continue
        content: Any = ["ok"] if kind in ("embedding", "rerank") else "ok"
        query = {"query": "ok"} if kind == "rerank" else {}
        try:
            mesh.explain(f"{connection.name}:{entry.id}", content, kind=kind, **query)
        except MissingCredentialError:
            return None
        except JackfieldError as error:
            faults.append(error.message)
        else:
            return None
    return f"every call is refused: {faults[0]}" if faults else None
