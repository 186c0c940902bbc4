"""What all requests of the console share."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

from aiohttp import web

from jackfield import ConfigurationError
from jackfield_gateway._state import settings_of

from ._database import Database, open_database, read_url
from ._oidc import OidcClient
from ._settings import ConsoleSettings

if TYPE_CHECKING:
    from sqlalchemy import URL

    from jackfield import MeshConfig

    from ._host import Host

__all__ = ["CONSOLE", "Console", "console_settings", "store_url"]


def console_settings(config: MeshConfig) -> ConsoleSettings:
    """Return the table `[console]` of a configuration, or what is there without it."""
    found = config.tables.get("console")
    return found if isinstance(found, ConsoleSettings) else ConsoleSettings()


def store_url(config: MeshConfig) -> URL:
    """Return the address of the console's store.

    Raises:
        ConfigurationError: None is declared.
    """
    gateway = settings_of(config)
    store = console_settings(config).store or gateway.store
    if store is None:
        raise ConfigurationError(
            'the console needs a store: declare [gateway] store = "sqlite:///gateway.db", or a postgresql:// address'
        )
    return read_url(store)


class Console:
    """The console's state.

    Args:
        host: What runs it.
        prefix: The path below which its pages are.

    Attributes:
        settings: The table `[console]` at the start.
        oidc: The client of the service for log-in; None without one.
    """

    def __init__(self, host: Host, *, prefix: str) -> None:
        self.host = host
        self.prefix = prefix
        self.settings = console_settings(host.config)
        self._database: Database | None = None
        settings = self.settings
        self.oidc: OidcClient | None = None
        if settings.oidc is not None and settings.url is not None:
            self.oidc = OidcClient(settings.oidc, f"{settings.url.rstrip('/')}/oidc/callback")

    def open(self) -> None:
        """Open the store. Blocks; call it in a thread.

        Raises:
            ConfigurationError: It cannot be used, or must be migrated first.
        """
        self._database = open_database(store_url(self.host.config))

    def close(self) -> None:
        """Close the store."""
        if self._database is not None:
            self._database.close()

    @property
    def database(self) -> Database:
        """The store."""
        if self._database is None:
            raise ConfigurationError("the console is not open")
        return self._database

    @cached_property
    def cookie_path(self) -> str:
        """Cookies are sent to the console's own pages only."""
        return self.prefix or "/"


CONSOLE: Final = web.AppKey("console", Console)
