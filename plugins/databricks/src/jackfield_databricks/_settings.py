"""What an administrator may write for a connection to a workspace."""

from __future__ import annotations

from urllib.parse import urlsplit

import attrs

from jackfield import Auth, ConfigurationError, HttpAccess, Secret, StaticHeader, secret

from ._credentials import DatabricksIdentity

__all__ = ["DatabricksSettings", "access", "workspace"]


def workspace(host: str) -> str:
    """Give a workspace's address: scheme and host, whatever else was copied out of a browser.

    Raises:
        ConfigurationError: There is no host in it.
    """
    parts = urlsplit(host if "://" in host else f"https://{host}")
    if parts.scheme not in ("http", "https") or not parts.netloc.strip("."):
        raise ConfigurationError(
            f'host must be the address of a workspace, "https://dbc-….cloud.databricks.com", not {host!r}'
        )
    return f"{parts.scheme}://{parts.netloc}"


@attrs.frozen(kw_only=True)
class DatabricksSettings:
    """Config keys of a connection to a Databricks workspace.

    Attributes:
        host: The workspace: `https://dbc-….cloud.databricks.com`, `https://adb-….azuredatabricks.net`.
        token: A reference to a personal access token; not looked at where `credentials` are named.
        credentials: The identity that a table `[credentials.NAME]` declares.
        base_url: Takes the place of `host` in calls to models: scheme and host, of a proxy say.
        proxy: The connection's proxy, for fetching tokens too.
        ca_bundle: The connection's certificate authorities, for fetching tokens too.
    """

    host: str
    token: Secret = secret(env="DATABRICKS_TOKEN")
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
