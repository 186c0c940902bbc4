"""Digests of everything that decides who answers a connection's calls; they reveal no secret."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import attrs

from jackfield._config.defaults import SHARED_KEYS
from jackfield._contract.protocols import Bearer, HttpAccess, NoAuth, Signer, StaticHeader
from jackfield._contract.secrets import Secret
from jackfield._types.capabilities import ModelEntry

if TYPE_CHECKING:
    from jackfield._config.connections import ConnectionConfig
    from jackfield._contract.middleware import Middleware
    from jackfield._plugins.registry import Registry

__all__ = ["ConnectionFingerprint", "Layer"]

_FORM: Final = 2
"""Rises when the same configuration gets another digest."""
_ROUNDS: Final = 300_000
"""Of PBKDF2, so that a guess at a short password costs a tenth of a second."""
_DEEPEST: Final = 24
"""Deeper objects are distinguished by their identity, not by their values."""
_BY_THE_CORE: Final = frozenset({*SHARED_KEYS, "models"}) - {"headers", "proxy", "ca_bundle"}
"""Fields of settings that the core fills in. Limits and retries change no answer, and each entry counts for its own calls."""
_CHANGES_NO_ANSWER: Final = frozenset({"price", "rate", "pace"})


class Layer:
    """A middleware as it stands around the calls of a connection.

    Attributes:
        middleware: The middleware.
        name: What the configuration calls it; None for one that a program brings.
        settings: What `[middleware.NAME]` says.
    """

    __slots__ = ("middleware", "name", "settings")

    def __init__(self, middleware: Middleware, name: str | None = None, settings: Any = None) -> None:
        self.middleware = middleware
        self.name = name
        self.settings = settings


class ConnectionFingerprint:
    """The `Fingerprint` of the calls of a connection.

    Args:
        config: The connection.
        registry: Knows which ids in `extra` are other providers'.
        layers: The middlewares around its calls, outermost first.
    """

    def __init__(self, config: ConnectionConfig, registry: Registry, layers: Sequence[Layer] = ()) -> None:
        self._config = config
        self._registry = registry
        self._layers = tuple(layers)
        self._digests: dict[tuple[str | None, int, bool], str] = {}
        self._lock = asyncio.Lock()
        self._foreign: frozenset[str] | None = None

    async def digest(self, model_id: str, *, inside: object = None, secrets: bool = True) -> str:
        """Implement `Fingerprint.digest`."""
        from jackfield._config.connections import find_model

        entry = find_model(self._config, model_id)
        depth = self._find_depth(inside)
        which = (None if entry is None else entry.id, depth, secrets)
        if which not in self._digests:
            async with self._lock:
                if which not in self._digests:
                    # Files and keyrings block, and so does the arithmetic.
                    self._digests[which] = await asyncio.to_thread(self._compute, entry, depth, secrets)
        return self._digests[which]

    def relevant_extra(self, extra: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
        """Implement `Fingerprint.relevant_extra`."""
        if not extra:
            return extra
        return {name: said for name, said in extra.items() if said and name not in self._list_others()}

    def _list_others(self) -> frozenset[str]:
        if self._foreign is None:
            from jackfield._plugins.known import known_plugins

            config, registry = self._config, self._registry
            related = () if config.provider is None else config.provider.info.related
            mine = {config.provider_id, *related, *registry.names("middleware")}
            self._foreign = frozenset({*known_plugins().providers, *registry.provider_ids()} - mine)
        return self._foreign

    def _find_depth(self, inside: object) -> int:
        for number, layer in enumerate(self._layers):
            if layer.middleware is inside:
                return number + 1
        return 0

    def _compute(self, entry: ModelEntry | None, depth: int, secrets: bool) -> str:
        import hashlib
        import json

        config, writer = self._config, _Writer(secrets=secrets)
        said = {
            "form": _FORM,
            "provider": config.provider_id,
            "settings": writer.write_settings(config.settings, config.identity),
            "access": writer.write_access(self._find_access()),
            "headers": writer.write(config.headers),
            "proxy": config.proxy,
            "ca_bundle": config.ca_bundle,
            "entry": writer.write(entry),
            "layers": [writer.write_layer(layer) for layer in self._layers[depth:]],
        }
        text = json.dumps(said, sort_keys=True)
        return _stretch(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())

    def _find_access(self) -> HttpAccess | None:
        """Return where calls go by the plugin's word, which may know more than the settings (the environment's region)."""
        if self._config.provider is None:
            return None
        try:
            made: object = self._config.provider.transport(self._config.settings)
        except Exception:  # the call itself reports it
            return None
        return made if isinstance(made, HttpAccess) else None


@lru_cache(maxsize=256)
def _stretch(digest: bytes) -> str:
    import hashlib

    return hashlib.pbkdf2_hmac("sha256", digest, b"jackfield connection", _ROUNDS).hex()


class _Writer:
    """Writes values as JSON that is equal for what means the same."""

    def __init__(self, *, secrets: bool) -> None:
        import secrets as randomness

        self._secrets = secrets
        self._only_here = randomness.token_hex(16)

    def write_settings(self, settings: Any, identity: Any) -> Any:
        """Write a settings object, without fields that change no reply."""
        if not attrs.has(type(settings)):
            return self.write(settings)
        said = {
            field.name: self.write(getattr(settings, field.name), 1)
            for field in attrs.fields(type(settings))
            if field.name not in _BY_THE_CORE
        }
        if identity is not None:
            # As it is declared: what a plugin makes of it may be of any form.
            made = getattr(settings, "credentials", None)
            said["credentials"] = [self.write(identity, 1), self._write_parts(made, 1)]
        return [said, self._write_parts(settings, 1)]

    def write_access(self, access: HttpAccess | None) -> Any:
        """Write where calls go and how they are authenticated."""
        if access is None:
            return None
        return {
            "base_url": access.base_url,
            "headers": self.write(access.headers),
            "auth": self._write_auth(access.auth),
            "named_auth": {name: self._write_auth(auth) for name, auth in access.named_auth.items()},
        }

    def write_layer(self, layer: Layer) -> Any:
        """Write a middleware by its name and settings, or as an object."""
        if layer.name is None:
            return self.write(layer.middleware)
        return [layer.name, self.write(layer.settings)]

    def _write_auth(self, auth: object) -> Any:
        if isinstance(auth, StaticHeader | NoAuth):
            return self.write(auth)
        if isinstance(auth, Bearer):  # its function follows from the settings
            return ["Bearer", auth.header, auth.prefix]
        return ["Signer", _name(type(auth)), self._write_parts(auth, 0)] if isinstance(auth, Signer) else None

    def write(self, value: Any, depth: int = 0) -> Any:
        """Write any value. One that cannot be written is different in every process."""
        if value is None or isinstance(value, str | bool | int | float):
            return value
        if isinstance(value, Secret):
            return self._write_secret(value)
        if isinstance(value, bytes | bytearray | memoryview):
            return {"bytes": bytes(value).hex()}
        if depth < _DEEPEST:
            fields = _read_fields(value)
            if fields is not None:
                written = {name: self.write(one, depth + 1) for name, one in fields.items()}
                return [_name(type(value)), written, self._write_parts(value, depth + 1)]
            if isinstance(value, Mapping):
                return {
                    "mapping": sorted(
                        ([str(key), self.write(one, depth + 1)] for key, one in value.items()), key=str
                    )
                }
            if isinstance(value, set | frozenset):
                return {"set": sorted((self.write(one, depth + 1) for one in value), key=str)}
            if isinstance(value, Sequence):
                return [self.write(one, depth + 1) for one in value]
        return self._write_other(value, depth)

    def _write_parts(self, value: Any, depth: int) -> Any:
        """Write what an object knows beyond its fields: the environment, a profile's file."""
        parts = getattr(value, "fingerprint_parts", None)
        if not callable(parts):
            return None
        try:
            return self.write(parts(), depth + 1)
        except Exception:  # the call itself reports what is wrong
            return self._only_here

    def _write_secret(self, secret: Secret) -> Any:
        if not self._secrets:
            return "secret"
        try:
            return {"secret": secret.reveal()}
        except Exception:  # a keyring's may be any; the call itself reports it
            return {"nothing at": secret.reference}

    def _write_other(self, value: Any, depth: int) -> Any:
        from datetime import date, time, timedelta
        from decimal import Decimal
        from enum import Enum
        from pathlib import PurePath
        from uuid import UUID

        kind = _name(type(value))
        if isinstance(value, Decimal | PurePath | date | time | timedelta | UUID):
            return [kind, str(value)]
        if isinstance(value, Enum):
            return [kind, value.name]
        if isinstance(value, type) or _is_plain_function(value):
            return ["named", _name(value)]
        if depth < _DEEPEST and callable(getattr(value, "fingerprint_parts", None)):
            return [kind, self._write_parts(value, depth)]
        return [kind, self._only_here]


def _read_fields(value: Any) -> dict[str, Any] | None:
    """Return the fields of a value that shows them; None if it does not."""
    cls: Any = type(value)
    if attrs.has(cls):
        left_out = _CHANGES_NO_ANSWER if isinstance(value, ModelEntry) else ()
        names = [field.name for field in attrs.fields(cls) if field.name not in left_out]
        fields = {name: getattr(value, name, None) for name in names}
        if isinstance(value, ModelEntry):
            fields["raw"] = {key: one for key, one in value.raw.items() if key not in left_out}
        return fields
    if hasattr(cls, "__dataclass_fields__"):
        return {name: getattr(value, name, None) for name in cls.__dataclass_fields__}
    return None


def _is_plain_function(value: Any) -> bool:
    """Return whether a function's name identifies it: it has no closure and is not bound."""
    name = getattr(value, "__qualname__", "<")
    return "<" not in name and getattr(value, "__code__", None) is not None and not hasattr(value, "__self__")


def _name(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}"
