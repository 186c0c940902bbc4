"""The configuration of a connection to a workspace."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

import attrs

from jackfield import ConfigurationError, Secret
from jackfield.plugin import Auth, HttpAccess, StaticHeader, secret

from ._credentials import DatabricksIdentity

__all__ = ["DatabricksSettings", "access", "workspace"]

_HOSTS: Final = (
    "databricks.com", "azuredatabricks.net", "databricks.azure.us", "databricks.azure.cn", "databricks.us",
)  # fmt: skip
"""Source: docs.databricks.com and learn.microsoft.com, workspace URLs and IP addresses and domains (2026)."""
_HOST: Final = re.compile(r"(\w[\w.-]*|\[[0-9a-f:.]+\])(:\d+)?")


def workspace(host: str) -> str:
    """Return a workspace's address (scheme and host) from a URL that may be copied from a browser.

    Raises:
        ConfigurationError: The text does not contain a host.
    """
    found = _split(host if "://" in host else f"https://{host}")
    if found is None:
        raise ConfigurationError(
            f'host must be the address of a workspace, "https://dbc-….cloud.databricks.com", not {host!r}'
        )
    return f"{found.scheme}://{found.netloc}"


def _split(address: str) -> SplitResult | None:
    try:
        parts = urlsplit(address.strip())
        _ = parts.port  # raises if it is not a number
    except ValueError:
        return None
    # Without a user and a password: a browser's address has none, and a token has a key of its own.
    good = parts.scheme in ("http", "https") and _HOST.fullmatch(parts.netloc)
    return parts if good else None


@attrs.frozen(kw_only=True)
class DatabricksSettings:
    """Configuration keys of a connection to a Databricks workspace.

    Attributes:
        host: The workspace: `https://dbc-….cloud.databricks.com`, `https://adb-….azuredatabricks.net`.
        token: A reference to a personal access token, or `none`; ignored if there are `credentials`. The default,
            `env:DATABRICKS_TOKEN`, is sent to hosts of Databricks only, so another `base_url` needs a `token`.
        credentials: The name of an identity that a table `[credentials.NAME]` declares.
        base_url: Replaces `host` in calls to models: scheme and host, of a proxy for example.
        proxy: The connection's proxy, which is also used to fetch tokens.
        ca_bundle: The connection's certificate authorities, which are also used to fetch tokens.
    """

    host: str
    token: Secret = secret(
        env="DATABRICKS_TOKEN",
        hosts=_HOSTS,
        sent_to=lambda settings: (settings.base_url or workspace(settings.host),),
    )
    credentials: DatabricksIdentity | None = None
    base_url: str | None = None
    proxy: str | None = attrs.field(default=None, repr=False)
    ca_bundle: str | None = None

    def __attrs_post_init__(self) -> None:
        workspace(self.host)


def access(settings: DatabricksSettings) -> HttpAccess:
    """Return the address and the authentication."""
    host = workspace(settings.host)
    base_url = host if settings.base_url is None else settings.base_url.rstrip("/")
    auth: Auth = StaticHeader("Authorization", settings.token, "Bearer ")
    if settings.credentials is not None:
        auth = settings.credentials.auth(host, proxy=settings.proxy, ca_bundle=settings.ca_bundle)
    return HttpAccess(base_url=base_url, auth=auth)
