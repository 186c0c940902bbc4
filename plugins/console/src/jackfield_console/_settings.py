"""What an administrator writes in `[console]`."""

from __future__ import annotations

import ipaddress
from typing import Final

import attrs

__all__ = ["ConsoleSettings"]

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
    """

    store: str | None = None
    edit: bool = True
    idle: float = attrs.field(default=2.0, validator=attrs.validators.gt(0))
    longest: float = attrs.field(default=12.0, validator=attrs.validators.gt(0))
    https: bool | None = None
    proxies: tuple[str, ...] = attrs.field(default=(), validator=_check_addresses)

    @property
    def idle_seconds(self) -> float:
        """`idle` in seconds."""
        return self.idle * _HOUR

    @property
    def longest_seconds(self) -> float:
        """`longest` in seconds."""
        return self.longest * _HOUR
