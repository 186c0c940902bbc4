"""Declared identities that several connections share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from jackfield._contract.protocols import ProviderInfo
from jackfield._contract.settings import INVALID, Reader, join
from jackfield._hints import hint
from jackfield._plugins.hooks import PASSED_ON
from jackfield._types.errors import ConfigurationError, JackfieldError, PluginError
from jackfield._values import Value, field, frozen

if TYPE_CHECKING:
    from jackfield._plugins.registry import CredentialKind, Registry

__all__ = ["Credentials", "read_credentials"]


class _Identity:
    __slots__ = ("failure", "kind", "made", "settings")

    def __init__(
        self, kind: str, settings: Any = None, made: Any = None, failure: PluginError | None = None
    ) -> None:
        self.kind = kind
        self.settings = settings
        self.made = made
        self.failure = failure


@frozen
class Credentials(Value):
    """The tables `[credentials.NAME]`: one object each, shared by all connections that name it."""

    by_name: Mapping[str, _Identity | None] = field(factory=dict)

    def find(self, reader: Reader, value: Any, where: str, info: ProviderInfo) -> Any:
        """Return the identity that a connection names; `INVALID` if something is wrong with it.

        Raises:
            PluginError: The plugin of its kind cannot be used.
        """
        if not info.credentials:
            return reader.wrong(where, f"the provider {info.id} takes no credentials")
        if not isinstance(value, str):
            if isinstance(value, Mapping | list | tuple | int | float) or value is None:
                return reader.wrong(where, "must be the name of a table [credentials.NAME]")
            return value  # a program brings the identity itself
        if value not in self.by_name:
            return reader.wrong(where, f"there is no [credentials.{value}]{hint(value, self.by_name)}")
        identity = self.by_name[value]
        if identity is None:
            return INVALID  # what is wrong with it has been noted
        if identity.kind not in info.credentials:
            return reader.wrong(
                where,
                f"{value} is of kind {identity.kind!r}; the provider {info.id} takes {' or '.join(info.credentials)}",
            )
        if identity.failure is not None:
            raise identity.failure
        return identity.made

    def settings(self) -> Mapping[str, Any]:
        """Return what each table is read into, by its name."""
        return {name: None if one is None else one.settings for name, one in self.by_name.items()}

    def declared(self, value: Any) -> Any:
        """Return what the table of an identity says, with its kind; None for what no table declares."""
        identity = self.by_name.get(value) if isinstance(value, str) else None
        return None if identity is None else (identity.kind, identity.settings)


def read_credentials(reader: Reader, table: Mapping[str, Any], registry: Registry) -> Credentials:
    """Read all tables `[credentials.NAME]`."""
    return Credentials(
        {
            str(name): _read_identity(reader, value, join("credentials", name), registry)
            for name, value in table.items()
        }
    )


def _read_identity(reader: Reader, value: Any, where: str, registry: Registry) -> _Identity | None:
    table = reader.table(value, where)
    if "kind" not in table:
        kinds = ", ".join(registry.names("credentials")) or "no kind"
        reader.wrong(join(where, "kind"), f'is missing; write kind = "..." ({kinds} installed)')
        return None
    kind = reader.value(str, table["kind"], join(where, "kind"))
    if kind is INVALID:
        return None
    try:
        return _make_identity(reader, table, where, kind, registry.credential_kind(kind))
    except PluginError as error:
        return _Identity(kind, failure=error)
    except ConfigurationError as error:
        reader.wrong(join(where, "kind"), error.message)
        return None


def _make_identity(
    reader: Reader, table: Mapping[str, Any], where: str, name: str, kind: CredentialKind
) -> _Identity | None:
    own = {key: value for key, value in table.items() if key != "kind"}
    secrets = [field.alias for field in attrs.fields(kind.settings) if field.metadata.get("secret")]
    empty = [key for key in secrets if own.get(key) in ("none", False)]
    for key in empty:
        reader.wrong(
            join(where, key), "an identity cannot do without; leave the line out, or write a reference"
        )
    settings: Any = reader.settings(kind.settings, own, where, also=("kind",))
    if settings is None or empty:
        return None
    try:
        return _Identity(name, settings, kind.factory(settings))
    except (JackfieldError, *PASSED_ON):
        raise
    except BaseException as error:  # `sys.exit` and panics of extension modules included
        raise PluginError(
            f"the credentials plugin {name!r} failed: {type(error).__name__}: {error}"
        ) from error
