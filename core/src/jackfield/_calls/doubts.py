"""Find what loads and will fail: missing secrets, identities that nobody uses, keys that go where nobody meant, slips."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

from jackfield._contract.keys import UNWRITTEN, addresses_of, is_loopback, offers_identity, user_fault
from jackfield._contract.secrets import Secret
from jackfield._types.errors import ConfigurationError, JackfieldError, MissingCredentialError

if TYPE_CHECKING:
    from jackfield._config.connections import ConnectionConfig, MeshConfig
    from jackfield._types.capabilities import Kind, ModelEntry

__all__ = ["PLACEHOLDER", "find_doubts", "find_failures"]

PLACEHOLDER: Final = "your-"
"""How the values begin that `config init` writes for a person to replace."""
_KINDS: Final[tuple[Kind, ...]] = ("chat", "completion", "embedding", "rerank")
_NUMBER: Final = re.compile(r"\d+")
_VERSION: Final = re.compile(r"([-@:]v?\d+)+$")
_ALIKE: Final = 0.8
"""How much a model's name must be like a known one to be taken for a slip: new models have new names."""

_Explain: TypeAlias = Callable[..., object]


def find_failures(config: MeshConfig) -> Mapping[str, JackfieldError]:
    """Return the connections that no call can use, and why: their plugin is broken, or their keys contradict each other."""
    faults = {name: user_fault(connection.settings) for name, connection in config.connections.items()}
    unusable = {
        name: ConfigurationError(f"base_url {fault}") for name, fault in faults.items() if fault is not None
    }
    return {**config.failures, **unusable}


def find_doubts(config: MeshConfig, explain: Callable[..., object]) -> list[str]:
    """Return what loads and will probably fail, a line each with its place; asks no service.

    Args:
        config: What is declared.
        explain: `Mesh.explain` of a mesh of this configuration.
    """
    lines = [
        line
        for one in config.connections.values()
        for line in (
            *_placeholders(one),
            *_missing_secrets(one),
            *_sent_in_clear(one),
            *_unsent(one),
            *_doubtful_models(explain, one),
        )
    ]
    return lines + _doubtful_credentials(config)


def _placeholders(connection: ConnectionConfig) -> list[str]:
    """Return which values are still the placeholders that `config init` wrote."""
    settings = connection.settings
    values: dict[str, Any] = {entry.id: entry.id for entry in connection.models or ()}
    if attrs.has(type(settings)):
        values |= {field.name: getattr(settings, field.name) for field in attrs.fields(type(settings))}
    return [
        f"connections.{connection.name}: {key} is still a placeholder; write your own, or leave the line out"
        for key, value in values.items()
        if isinstance(value, str | Path) and PLACEHOLDER in str(value)
    ]


def _sent_in_clear(connection: ConnectionConfig) -> list[str]:
    """Return which secrets go over plain http to another machine, where everybody on the way can read them."""
    settings = connection.settings
    fields = attrs.fields(type(settings)) if attrs.has(type(settings)) else ()
    secrets = [field for field in fields if isinstance(getattr(settings, field.name), Secret)]
    sent = {
        field.alias: addresses_of(settings, field)
        for field in secrets
        if not getattr(settings, field.name).is_none
    }
    base = getattr(settings, "base_url", None)
    if base is not None and getattr(settings, "credentials", None) is not None:
        sent["credentials"] = [base]
    for name, value in connection.headers.items():
        if base is not None and isinstance(value, Secret):
            sent[f"headers.{name}"] = [base]
    return [
        f"connections.{connection.name}.{key}: it goes over plain http to another machine; use https"
        for key, addresses in sent.items()
        if any(address.lower().startswith("http:") and not is_loopback(address) for address in addresses)
    ]


def _unsent(connection: ConnectionConfig) -> list[str]:
    """Return what nobody wrote of who asks: keys that this machine's own server does not get, identities that others get."""
    settings = connection.settings
    fields = attrs.fields(type(settings)) if attrs.has(type(settings)) else ()
    if connection.provider is not None and connection.provider.info.credentials and offers_identity(settings):
        said = "tokens of this machine's own identity go to this host; name the identity that it may see (credentials)"
        return [f'connections.{connection.name}.base_url: {said}, or write api_key = "none"']
    return [
        f"connections.{connection.name}.{field.alias}: it is not written, so the server on this machine gets no key; write "
        f'{field.alias} = "none" to say so, or the reference of its key'
        for field in fields
        if getattr(settings, field.name) is UNWRITTEN
    ]


def _missing_secrets(connection: ConnectionConfig) -> list[str]:
    """Return which secrets of a connection are missing now; they may be present where the program will run.

    Where it names credentials, the defaults of its keys are not used, and not looked at.
    """
    settings = connection.settings
    values: dict[str, Any] = {f"headers.{name}": value for name, value in connection.headers.items()}
    is_named = getattr(settings, "credentials", None) is not None
    for field in attrs.fields(type(settings)) if attrs.has(type(settings)) else ():
        value = getattr(settings, field.name)
        if not (is_named and value == field.default):
            values[field.alias or field.name] = value
    return list(_missing(f"connections.{connection.name}", values))


def _doubtful_credentials(config: MeshConfig) -> list[str]:
    """Return which secrets of the identities that connections name are missing now, and which identities none names."""
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


def _doubtful_models(explain: _Explain, connection: ConnectionConfig) -> list[str]:
    """Return what is wrong with declared models, as their own tables tell: options that each call refuses, and slips."""
    if connection.provider is None:
        return []
    lines: list[str] = []
    known = _known_models(connection)
    for entry in connection.models or ():
        where = f"connections.{connection.name}.models[{entry.id}]"
        if entry.id.endswith("*"):
            continue
        fault = _fault_of_calls(explain, connection, entry)
        meant = None if entry.underlying is not None or entry.kinds else _slip(entry.id, known)
        if fault is not None:
            lines.append(f"{where}: {fault}")
        elif meant is not None:
            lines.append(f"{where}: no such model is known; did you mean {meant!r}?")
    return lines


def _missing(where: str, values: Mapping[str, Any]) -> Iterator[str]:
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


def _fault_of_calls(explain: _Explain, connection: ConnectionConfig, entry: ModelEntry) -> str | None:
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
            explain(f"{connection.name}:{entry.id}", content, kind=kind, **query)
        except MissingCredentialError:
            return None
        except JackfieldError as error:
            faults.append(error.message)
        else:
            return None
    return f"every call is refused: {faults[0]}" if faults else None
