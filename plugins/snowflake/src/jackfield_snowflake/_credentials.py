"""The Snowflake identity that connections share: `[credentials.NAME]` of kind `snowflake`."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any, Final, Literal, TypeAlias

import attrs

from jackfield import ConfigurationError, Secret
from jackfield.plugin import Auth, Bearer, StaticHeader, Token, secret

__all__ = ["SnowflakeCredentials", "SnowflakeIdentity", "TokenType", "account_fault", "token_header"]

_ACCOUNT: Final = re.compile(r"\w[\w-]*(\.[\w-]+)*", re.ASCII)
_HOST: Final = re.compile(r"\w[\w.-]*(:\d+)?", re.ASCII)

TokenType: TypeAlias = Literal["pat", "oauth"]

_KIND_OF_TOKEN: Final = {"pat": "PROGRAMMATIC_ACCESS_TOKEN", "oauth": "OAUTH", "key": "KEYPAIR_JWT"}


def token_header(kind: str) -> dict[str, str]:
    """Return the header with the type of a bearer token, which old accounts do not detect.

    Source: docs.snowflake.com, REST API authentication (2026).
    """
    return {"X-Snowflake-Authorization-Token-Type": _KIND_OF_TOKEN[kind]}


def account_fault(account: str) -> str | None:
    """Return what is wrong with the name of an account: it is an address, or has characters that no account has."""
    bare = account.rpartition("://")[2].partition("/")[0]
    name = bare.partition(".snowflakecomputing.")[0]
    if account != name and _ACCOUNT.fullmatch(name):
        return f'account is a name, not an address; write account = "{name}"'
    if not _ACCOUNT.fullmatch(account):
        return f'account must be a name such as "organisation-account" or "xy12345.eu-central-1", not {account!r}'
    return None


@attrs.frozen(kw_only=True)
class SnowflakeCredentials:
    """Keys of a table `[credentials.NAME]` of the kind `snowflake`.

    One of: `connection`, `private_key` with `user`, `token`, or `password` with `user`.

    Attributes:
        connection: A name in `connections.toml` (or in `[connections]` of `config.toml`); "" is the default connection.
        connections_file: The path of that file, if it is not where Snowflake's own tools look for it.
        account: The account, `organisation-account` or its locator.
        host: The account's host, if it does not follow from `account` (private links).
        user: The user's name.
        private_key: A reference to the private key: PEM, PKCS#8.
        private_key_passphrase: A reference to its passphrase.
        token: A reference to a token that is renewed elsewhere.
        token_type: The type of the token: a programmatic access token ("pat") or one of an OAuth server ("oauth").
        password: A reference to the password; the driver logs in with it, so it needs the extra `sql`.
        mfa: Whether the user has a second factor; the driver asks for it once and caches the answer, if the account allows
            that (`ALLOW_CLIENT_MFA_CACHING`).
        passcode: A reference to the passcode of the second factor.
    """

    connection: str | None = None
    connections_file: str | None = None
    account: str | None = None
    host: str | None = None
    user: str | None = None
    private_key: Secret | None = secret()
    private_key_passphrase: Secret | None = secret()
    token: Secret | None = secret()
    token_type: TokenType = "pat"  # noqa: S105 -- a word for the kind of a token
    password: Secret | None = secret()
    mfa: bool = False
    passcode: Secret | None = secret()

    def __attrs_post_init__(self) -> None:
        """Report all mistakes at once, when the configuration is loaded."""
        if faults := tuple(self._faults()):
            raise ConfigurationError("; ".join(faults), mistakes=faults)

    def _faults(self) -> Iterator[str]:
        identities = {
            name: getattr(self, name) for name in ("connection", "private_key", "token", "password")
        }
        given = [name for name, value in identities.items() if value is not None]
        if len(given) != 1:
            many = "has several identities" if given else "has no identity"
            yield f"{many}; write exactly one of {', '.join(identities)}"
        named = [name for name in given if name in ("private_key", "password")]
        if named and self.user is None:
            yield f"needs user with {named[0]}"
        if self.account is not None and (fault := account_fault(self.account)):
            yield fault
        if self.account is None and self.private_key is not None:
            yield "needs account with private_key: the token names it"
        elif self.account is None and self.host is None and self.connection is None:
            yield "needs account: organisation-account, or the account's locator"
        if self.host is not None and not _HOST.fullmatch(self.host):
            yield f'host must be a host name such as "org-name.privatelink.snowflakecomputing.com", not {self.host!r}'
        if self.private_key_passphrase is not None and self.private_key is None:
            yield "private_key_passphrase needs private_key"
        if self.password is None:
            useless = [name for name in ("mfa", "passcode") if getattr(self, name)]
            if useless:
                yield f"{' and '.join(useless)} need password"


@attrs.frozen
class SnowflakeIdentity:
    """The identity of all connections that name the same `[credentials.NAME]`. Keeps nothing open.

    A program with a Snowpark session passes `SnowflakeIdentity(session=session)` as `credentials`; the program keeps the
    session, and closes it itself.

    Attributes:
        settings: The declared keys; None with a session.
        session: A Snowpark `Session` of the program.
    """

    settings: SnowflakeCredentials | None = None
    session: Any = attrs.field(default=None, repr=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        """Require either the declared keys or a session."""
        if (self.settings is None) == (self.session is None):
            raise ConfigurationError("an identity needs either settings or a session")

    def fingerprint_parts(self) -> object:
        """Return the entry of `connections.toml`, if it decides who logs in where. Reads that file."""
        if self.settings is None:
            return self.session
        if self.settings.connection is None:
            return None
        from ._entries import entry_of

        return entry_of(self.settings.connection, self.settings.connections_file)

    @property
    def needs_login(self) -> bool:
        """Whether a token for REST is known only after a file was read or a session was opened."""
        settings = self.settings
        return settings is None or settings.connection is not None or settings.password is not None

    def auth(self) -> tuple[Auth, dict[str, str]]:
        """Return how to authenticate over REST, and the headers that belong to it; nothing is read yet."""
        settings = self.settings
        if settings is None or self.needs_login:
            msg = "an identity that needs a login has a transport of its own"
            raise RuntimeError(msg)
        if settings.token is not None:
            return StaticHeader("Authorization", settings.token, "Bearer "), token_header(settings.token_type)
        return Bearer(functools.partial(key_token, settings)), token_header("key")


def key_token(settings: SnowflakeCredentials) -> Token:
    """Create a token with the private key. Blocks for a moment."""
    from ._keys import make_token

    assert settings.private_key is not None  # noqa: S101 -- asked for only where there is one
    passphrase = settings.private_key_passphrase
    return make_token(
        settings.private_key.reveal(),
        None if passphrase is None else passphrase.reveal(),
        account=settings.account or "",
        user=settings.user or "",
    )
