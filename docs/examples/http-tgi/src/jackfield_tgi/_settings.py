"""The configuration keys of a connection."""

import attrs
from jackfield import Secret
from jackfield.plugin import HttpAccess, secret


@attrs.frozen
class Settings:
    """The configuration keys of a connection.

    Attributes:
        base_url: The address of the server.
        api_key: A reference to the key; most servers need none.
    """

    base_url: str = "http://127.0.0.1:8080"
    api_key: Secret | None = secret()


def access(settings: Settings) -> HttpAccess:
    """Return the address of the server, and how to authenticate."""
    return HttpAccess.with_bearer(settings.base_url, settings.api_key)
