"""What an administrator may write for a connection to a workspace."""

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
    """Give a workspace's address: scheme and host, whatever else was copied out of a browser.

    Raises:
        ConfigurationError: There is no host in it.
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
        _ = parts.port  # raises where it is no number
    except ValueError:
        return None
    # No user and no password: what a browser shows has none, and a token has a key of its own.
    good = parts.scheme in ("http", "https") and _HOST.fullmatch(parts.netloc)
    return parts if good else None


@attrs.frozen(kw_only=True)
class DatabricksSettings:
    """Config keys of a connection to a Databricks workspace.

    Attributes:
        host: The workspace: `https://dbc-….cloud.databricks.com`, `https://adb-….azuredatabricks.net`.
        token: A reference to a personal access token; not looked at where `credentials` are named. `env:DATABRICKS_TOKEN`
            goes to `host`, and to no `base_url` that is not Databricks' own: there it has to be written, `none` for none.
        credentials: The identity that a table `[credentials.NAME]` declares.
        base_url: Takes the place of `host` in calls to models: scheme and host, of a proxy say.
        proxy: The connection's proxy, for fetching tokens too.
        ca_bundle: The connection's certificate authorities, for fetching tokens too.
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
    """Say how to reach a workspace."""
    host = workspace(settings.host)
    base_url = host if settings.base_url is None else settings.base_url.rstrip("/")
    auth: Auth = StaticHeader("Authorization", settings.token, "Bearer ")
    if settings.credentials is not None:
        auth = settings.credentials.auth(host, proxy=settings.proxy, ca_bundle=settings.ca_bundle)
    return HttpAccess(base_url=base_url, auth=auth)
