"""What an administrator writes in `[console]`."""

from __future__ import annotations

import ipaddress
from typing import Any, Final
from urllib.parse import urlsplit

import attrs

from jackfield import Secret
from jackfield.plugin import secret

__all__ = ["ConsoleSettings", "OidcSettings"]

_HOUR: Final = 3600.0


def _check_addresses(
    instance: object, attribute: attrs.Attribute[tuple[str, ...]], value: tuple[str, ...]
) -> None:
    for one in value:
        try:
            ipaddress.ip_network(one)
        except ValueError:
            raise ValueError(
                f"proxies must be addresses or networks such as 10.0.0.0/8, not {one!r}"
            ) from None


def _check_url(instance: object, attribute: attrs.Attribute[Any], value: str | None) -> None:
    if value is None:
        return
    parts = urlsplit(value)
    is_local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if (
        not parts.hostname
        or parts.scheme not in ("https", "http")
        or (parts.scheme == "http" and not is_local)
    ):
        raise ValueError(f"{attribute.name} must be an https address, or one of this machine, not {value!r}")


@attrs.frozen(kw_only=True)
class OidcSettings:
    """The table `[console.oidc]`: log-in by a service of OpenID Connect. Needs the extra `oidc`, and `[console] url`.

    Attributes:
        issuer: The service's address, as its discovery document has it.
        client_id: The console's name there.
        client_secret: Its secret; None for a public client. The proof key (PKCE) is sent in any case.
        title: What the log-in page calls the service.
        scopes: What is asked for.
        user_claim: The claim that is the user's name.
        group_claim: The claim with the user's groups.
        admins: Groups and users whose role is admin.
        viewers: Groups and users whose role is viewer; "*" is everybody whom the service knows.
    """

    issuer: str = attrs.field(validator=_check_url)
    client_id: str
    client_secret: Secret | None = secret()
    title: str = "your organisation"
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    user_claim: str = "email"
    group_claim: str = "groups"
    admins: tuple[str, ...] = ()
    viewers: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class ConsoleSettings:
    """The table `[console]`.

    Attributes:
        store: Where users, sessions and what the gateway books are kept, if it is not the gateway's own store: "sqlite:///"
            and a path, or "postgresql://...". None takes `[gateway] store`.
        edit: Whether pages may change the configuration's file.
        idle: Hours after which a session ends in which nothing was asked.
        longest: Hours after which a session ends in any case.
        https: Whether browsers reach the console by HTTPS, so that cookies are sent by HTTPS only. None: as each request
            came, or as a proxy reports it (`X-Forwarded-Proto`).
        proxies: Addresses or networks of proxies whose `X-Forwarded-For` is believed. Log-in is throttled by the address
            that it names.
        url: The console's address as browsers know it, such as "https://gateway.example/console". Needed for `oidc` only.
        oidc: Log-in by a service of OpenID Connect, beside passwords.
    """

    store: str | None = None
    edit: bool = True
    idle: float = attrs.field(default=2.0, validator=attrs.validators.gt(0))
    longest: float = attrs.field(default=12.0, validator=attrs.validators.gt(0))
    https: bool | None = None
    proxies: tuple[str, ...] = attrs.field(default=(), validator=_check_addresses)

    url: str | None = attrs.field(default=None, validator=_check_url)
    oidc: OidcSettings | None = None

    def __attrs_post_init__(self) -> None:
        if self.oidc is not None and self.url is None:
            raise ValueError(
                'oidc needs url, the address to which the service sends browsers back: "https://HOST/console"'
            )

    @property
    def idle_seconds(self) -> float:
        """`idle` in seconds."""
        return self.idle * _HOUR

    @property
    def longest_seconds(self) -> float:
        """`longest` in seconds."""
        return self.longest * _HOUR
