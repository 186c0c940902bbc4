"""The configuration keys of a connection to Snowflake."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal, TypeAlias

import attrs

from jackfield import ConfigurationError, Secret
from jackfield.plugin import secret

from ._credentials import SnowflakeIdentity, TokenType, account_fault

__all__ = ["SQL_ROUTES", "ModelKeys", "Route", "SnowflakeSettings", "host_of"]

Route: TypeAlias = Literal["openai", "messages", "complete", "sql", "legacy_sql"]
_HOSTS: Final = ("snowflakecomputing.com", "snowflakecomputing.cn", "snowflakecomputing.com.cn")
SQL_ROUTES: Final = ("sql", "legacy_sql")
ROUTES: Final = ("openai", "messages", "complete", *SQL_ROUTES)
_OF_SESSIONS: Final = ("role", "warehouse", "database", "schema", "query_tag")
_CREDITS: Final = ("input", "output", "cache_read", "cache_write", "guard")


def host_of(account: str) -> str:
    """Return the host of an account: lower case, underscores as dashes.

    Source: docs.snowflake.com, account identifiers (2026).
    """
    domain = "com.cn" if ".cn-" in account.lower() else "com"
    return f"{account.lower().replace('_', '-')}.snowflakecomputing.{domain}"


@attrs.frozen(kw_only=True)
class ModelKeys:
    """The plugin's own keys of an entry in `models`.

    Attributes:
        credits: Credits per million tokens, as strings, by `input`, `output`, `cache_read`, `cache_write`, `guard`: the row
            of Snowflake's Service Consumption Table that applies to the account.
    """

    credits: Mapping[str, str] | None = None

    def __attrs_post_init__(self) -> None:
        """Report all mistakes at once, when the configuration is loaded."""
        if faults := tuple(self._faults()):
            raise ConfigurationError("; ".join(faults), mistakes=faults)

    def _faults(self) -> Iterator[str]:
        for unit, amount in (self.credits or {}).items():
            if unit not in _CREDITS:
                yield f"credits has the keys {', '.join(_CREDITS)}, not {unit!r}"
            elif not _is_amount(amount):
                yield f'credits.{unit} must be an amount such as "1.5", not {amount!r}'


def _is_amount(text: str) -> bool:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return False
    return amount.is_finite() and amount >= 0


@attrs.frozen(kw_only=True)
class SnowflakeSettings:
    """The configuration keys of a connection to Snowflake Cortex.

    Attributes:
        account: The account, `organisation-account` or its locator; not needed with `credentials`.
        token: A reference to a token; ignored if `credentials` are set. `env:SNOWFLAKE_TOKEN` is only sent to Snowflake's own
            hosts: with another `base_url`, write the reference, or `none` for no token.
        token_type: The type of the token: a programmatic access token ("pat") or one of an OAuth server ("oauth").
        credentials: The identity that a table `[credentials.NAME]` declares.
        route: The API: `openai`, `messages` or `complete` over REST; `sql` or `legacy_sql` through a session.
        role: The role of sessions; over REST, the user's default role applies.
        warehouse: The warehouse that runs SQL; a small one is enough.
        database: The database of sessions.
        schema: The schema of sessions.
        query_tag: A tag for the statements of this connection in the query history.
        sessions: The greatest number of sessions, and so of statements, at a time; for the routes of SQL.
        base_url: Replaces the account's address: scheme and host.
        proxy: The connection's proxy.
        ca_bundle: The connection's certificate authorities.
        headers: The connection's headers.
        timeout: The connection's timeouts.
        max_response: The greatest size of a response over REST, in bytes.
    """

    account: str | None = None
    token: Secret = secret(env="SNOWFLAKE_TOKEN", hosts=_HOSTS)
    token_type: TokenType = "pat"  # noqa: S105 -- a word for the kind of a token
    credentials: SnowflakeIdentity | None = None
    route: Route = "openai"
    role: str | None = None
    warehouse: str | None = None
    database: str | None = None
    schema: str | None = None
    query_tag: str | None = None
    sessions: int = 4
    base_url: str | None = None
    proxy: str | None = attrs.field(default=None, repr=False)
    ca_bundle: str | None = None
    headers: Mapping[str, str | Secret] = attrs.field(factory=dict, repr=False)
    timeout: Any = None
    max_response: int | None = 256 << 20

    def __attrs_post_init__(self) -> None:
        """Report all mistakes at once, when the configuration is loaded."""
        if faults := tuple(self._faults()):
            raise ConfigurationError("; ".join(faults), mistakes=faults)

    def _faults(self) -> Iterator[str]:
        if self.credentials is None and self.account is None and self.base_url is None:
            yield "account is missing; write it, or name [credentials.NAME] that has it"
        if self.account is not None and (fault := account_fault(self.account)):
            yield fault
        identity: object = self.credentials  # a program may pass anything
        if identity is not None and not isinstance(identity, SnowflakeIdentity):
            yield "credentials must be a SnowflakeIdentity; a program passes SnowflakeIdentity(session=session)"
        idle = [name for name in _OF_SESSIONS if getattr(self, name) is not None]
        if idle and not self.by_sql:
            yield (
                f"{' and '.join(idle)} {'apply' if idle[1:] else 'applies'} to sessions, and the route {self.route} has "
                "none: over REST the user's default role is used; set that (ALTER USER … SET DEFAULT_ROLE), or choose "
                'route = "sql"'
            )
        if self.sessions < 1:
            yield f"sessions must be 1 or more, not {self.sessions}"

    @property
    def by_sql(self) -> bool:
        """Whether calls are SQL statements."""
        return self.route in SQL_ROUTES

    @property
    def address(self) -> str | None:
        """The address of the account: scheme and host; None if it is in a file or a session."""
        if self.base_url is not None:
            return self.base_url.rstrip("/")
        declared = self.credentials.settings if self.credentials is not None else None
        if declared is not None and declared.host is not None:
            return f"https://{declared.host}"
        account = declared.account if declared is not None and declared.account else self.account
        return None if account is None else f"https://{host_of(account)}"
