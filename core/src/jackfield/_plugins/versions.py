"""The versions of the contract that this core speaks, and how a plugin of each is bound.

What the core works with inside (a `Provider`, the hooks of an extension, a factory) has one form. A version of the
contract is what makes that form of a plugin; so a core that speaks N and N-1 has one more `Contract` here, whose functions
put an adapter around the old plugin, and nothing else in it knows of versions.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from jackfield._contract.middleware import MiddlewareKind
from jackfield._faces import show_in
from jackfield._types.errors import PluginError
from jackfield._values import Declared, Value, frozen

from .installed import InstalledPlugin
from .provider import Provider, bind_provider

__all__ = ["Contract", "CredentialKind", "list_contracts"]


@frozen
class CredentialKind(Value):
    """A kind of `[credentials]`. What an entry point of `jackfield.credentials.v1` names.

    Attributes:
        settings: An attrs class; its fields are the keys of the table, besides `kind`.
        factory: Makes what connections share from the settings. No I/O: secrets are still references.
    """

    settings: type
    factory: Callable[[Any], object]


def _bind_provider(plugin: object, installed: InstalledPlugin) -> Provider:
    return bind_provider(
        plugin,
        installed.label,
        name=installed.name,
        distribution=installed.distribution,
        version=installed.version,
    )


def _bind_extension(plugin: object, installed: InstalledPlugin) -> dict[str, Callable[..., Any]]:
    from .extensions import bind_extension  # calls without extensions need it not

    return bind_extension(plugin, installed.label)


def _check_credentials(plugin: object, installed: InstalledPlugin) -> CredentialKind:
    if not isinstance(plugin, CredentialKind) or not attrs.has(plugin.settings):
        raise PluginError(
            f"{installed.label} must be a CredentialKind with an attrs class as its settings, "
            f"not {type(plugin).__name__}"
        )
    return plugin


def _check_middleware(plugin: object, installed: InstalledPlugin) -> Callable[..., Any]:
    if not callable(plugin):
        raise PluginError(
            f"{installed.label} must be a MiddlewareKind, or a function of its settings that gives a middleware"
        )
    if isinstance(plugin, MiddlewareKind) and not attrs.has(plugin.settings):
        raise PluginError(f"{installed.label} must have an attrs class as its settings (@attrs.frozen)")
    if inspect.iscoroutinefunction(plugin):
        raise PluginError(
            f"{installed.label} is a coroutine function; its entry point names what makes the middleware: "
            "a MiddlewareKind, or a function of its settings that gives it"
        )
    return plugin


def _check_table(plugin: object, installed: InstalledPlugin) -> type:
    if not isinstance(plugin, type) or not attrs.has(plugin):
        raise PluginError(
            f"{installed.label} must be an attrs class (@attrs.frozen), not {type(plugin).__name__}"
        )
    return plugin


@frozen(kw_only=True)
class Contract(Declared):
    """One version: how what an entry point names becomes what the core works with. Each raises `PluginError`.

    Attributes:
        provider: For `jackfield.providers.vN`.
        extension: For `jackfield.extensions.vN`.
        credentials: For `jackfield.credentials.vN`.
        middleware: For `jackfield.middlewares.vN`.
        table: For `jackfield.tables.vN`.
        advice: What the list of plugins says of one that works, where another version is better: until when it works.
    """

    provider: Callable[[object, InstalledPlugin], Provider] = _bind_provider
    extension: Callable[[object, InstalledPlugin], dict[str, Callable[..., Any]]] = _bind_extension
    credentials: Callable[[object, InstalledPlugin], CredentialKind] = _check_credentials
    middleware: Callable[[object, InstalledPlugin], Callable[..., Any]] = _check_middleware
    table: Callable[[object, InstalledPlugin], type] = _check_table
    advice: str | None = None


def list_contracts() -> Mapping[int, Contract]:
    """Return the versions that this core supports; the highest is its own."""
    from jackfield._contract.hookspecs import CONTRACT  # it imports pluggy

    return {CONTRACT: Contract()}


show_in("jackfield.plugin", CredentialKind)
