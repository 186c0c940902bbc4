"""What an administrator writes in `[gateway]`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final, Literal

import attrs

from jackfield import Secret
from jackfield.plugin import is_owner, parse_size, secret

__all__ = ["GatewaySettings", "KeySettings"]

_HASH: Final = re.compile(r"sha256:[0-9a-f]{64}\Z")
_STORE: Final = re.compile(r"sqlite:///.|(?!sqlite)[a-z][a-z0-9+.-]*://.")
_TIME: Final = re.compile(r"(\d+) *(minute|hour|day|week)s?\Z")
_SECONDS: Final = {"minute": 60, "hour": 3600, "day": 86_400, "week": 7 * 86_400}


def _check_hash(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if _HASH.match(value) is None:
        raise ValueError(
            'hash must be "sha256:" and 64 hexadecimal digits; `jackfield keys new NAME` prints the line'
        )


def _check_owner(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if not is_owner(value):
        raise ValueError(f'owner must be a path such as "org/team/app", not {value!r}')


def _check_size(instance: object, attribute: attrs.Attribute[Any], value: int | str) -> None:
    try:
        size = parse_size(value) if isinstance(value, str) else value
    except ValueError:
        size = 0
    if size < 1:
        raise ValueError(f'{attribute.name} must be bytes or a size such as "32 MiB", not {value!r}')


def _check_time(instance: object, attribute: attrs.Attribute[str | None], value: str | None) -> None:
    found = None if value is None else _TIME.match(value.strip())
    if value is not None and (found is None or int(found[1]) < 1):
        raise ValueError(
            f'{attribute.name} must be a time such as "7 days" (minutes, hours, days, weeks), not {value!r}'
        )


def _check_store(instance: object, attribute: attrs.Attribute[str | None], value: str | None) -> None:
    if value is None or value.startswith(("env:", "file:")):
        return
    if _STORE.match(value) is None:
        scheme = value.partition(":")[0][:40]
        raise ValueError(
            f'store must be "sqlite:///" and a path, or "postgresql://USER@HOST/NAME"; yours begins with {scheme!r}'
        )
    if ":" in value.partition("://")[2].rpartition("@")[0]:
        raise ValueError(
            "store must not contain a password: put the whole address into an environment variable or a file, and declare "
            '"env:NAME" or "file:PATH"'
        )


@attrs.frozen(kw_only=True)
class KeySettings:
    """One table `[gateway.keys.NAME]`.

    Attributes:
        hash: The key's hash, as `jackfield keys new NAME` prints it. The key itself is written nowhere.
        owner: Who pays: a path, such as "org/team/app".
        models: Aliases and targets that the key may use, with `*` for any text; None allows all, an empty list none.
        expires: The last day on which it is accepted (UTC).
        blocked: It is refused, whatever else is declared.
    """

    hash: str = attrs.field(validator=_check_hash)
    owner: str = attrs.field(default="default", validator=_check_owner)
    models: tuple[str, ...] | None = None
    expires: date | None = None
    blocked: bool = False


@attrs.frozen(kw_only=True)
class GatewaySettings:
    """The table `[gateway]`.

    Attributes:
        host: The address to listen on. Without any key, only a loopback address is accepted.
        port: The port; 0 takes a free one.
        store: Where keys that commands create and spend are kept: "sqlite:///" and a path, or "postgresql://USER@HOST/NAME"
            with `jackfield-console[postgres]`. An address with a password stands elsewhere: "env:NAME" or "file:PATH".
            None: keys are those below, and spend is in logs and metrics only.
        store_away: "serve" goes on while the store cannot be written, and keeps spend in memory; "refuse" answers 503.
        keep_days: Days after which rows of spend are deleted; None keeps them.
        keep_responses: How long answers of Responses are kept for their owners, such as "7 days"; needs `store`. None keeps
            none: a client cannot ask for an earlier answer, and nothing that it said is written anywhere.
        keep_most: Most bytes of the answers that are kept of one owner; the oldest are deleted for new ones.
        max_body: Most bytes of a request, decompressed: a number, or a size such as "32 MiB".
        unsupported: What happens to what a model cannot honour: "error" refuses the request, "drop" leaves it out and
            reports it. None is as the connection declares it.
        drain: Seconds that running calls have to end when the gateway stops.
        keep_alive: Seconds of silence after which a stream gets a line that clients skip, so that nothing in between
            closes it.
        log_content: Whether requests and answers are written to the log, at level debug. Never keys.
        envelope_key: A secret of at least 32 characters by which opaque data of a provider is sealed that travels through
            clients. Gateways that serve the same clients need the same. None: kept in the store, or made at start.
        keys: The keys, by name.
    """

    host: str = "127.0.0.1"
    port: int = attrs.field(default=4117, validator=[attrs.validators.ge(0), attrs.validators.le(65535)])
    store: str | None = attrs.field(default=None, validator=_check_store)
    store_away: Literal["serve", "refuse"] = "serve"
    keep_days: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.ge(1))
    )
    keep_responses: str | None = attrs.field(default=None, validator=_check_time)
    keep_most: int | str = attrs.field(default="256 MiB", validator=_check_size)
    max_body: int | str = attrs.field(default="32 MiB", validator=_check_size)
    unsupported: Literal["error", "drop"] | None = None
    drain: float = attrs.field(default=30.0, validator=attrs.validators.ge(0))
    keep_alive: float = attrs.field(default=15.0, validator=attrs.validators.gt(0))
    log_content: bool = False
    envelope_key: Secret | None = secret()
    keys: Mapping[str, KeySettings] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        if self.keep_responses is not None and self.store is None:
            raise ValueError('keep_responses needs a store: store = "sqlite:///gateway.db"')

    @property
    def most_bytes(self) -> int:
        """`max_body` as a number."""
        return _bytes_of(self.max_body)

    @property
    def most_kept(self) -> int:
        """`keep_most` as a number."""
        return _bytes_of(self.keep_most)

    @property
    def kept_seconds(self) -> float | None:
        """`keep_responses` as seconds; None keeps no answer."""
        found = None if self.keep_responses is None else _TIME.match(self.keep_responses.strip())
        return None if found is None else float(int(found[1]) * _SECONDS[found[2]])


def _bytes_of(size: int | str) -> int:
    return parse_size(size) if isinstance(size, str) else size
