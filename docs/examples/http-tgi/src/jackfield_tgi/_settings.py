"""What a connection may say."""

import attrs
from jackfield import Secret
from jackfield.plugin import HttpAccess, StaticHeader, secret


@attrs.frozen
class Settings:
    """Config keys of a connection.

    Attributes:
        base_url: Where the server is.
        api_key: A reference to the key, for a server behind a gate; most have none.
    """

    base_url: str = "http://127.0.0.1:8080"
    api_key: Secret | None = secret()


def access(settings: Settings) -> HttpAccess:
    """Say where the server is, and how to prove who asks."""
    key = StaticHeader("Authorization", settings.api_key, prefix="Bearer ", optional=True)
    return HttpAccess(base_url=settings.base_url.rstrip("/"), auth=key)
