"""Sign requests with the credentials of an identity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from jackfield import ConfigurationError

if TYPE_CHECKING:
    from ._credentials import Keys, Source
    from ._sigv4 import SignatureV4

__all__ = ["AwsSigner"]


class AwsSigner:
    """Signs for one service in one region (`jackfield.plugin.Signer`).

    Args:
        source: Returns the source of credentials; called in a thread, imports the SDK.
        service: The service's name in signatures.
        region: The region of the service.
        identity: Returns what is known of the identity without AWS.
    """

    def __init__(
        self,
        source: Callable[[], Source],
        *,
        service: str,
        region: str,
        identity: Callable[[], object] = lambda: None,
    ) -> None:
        self._make_source = source
        self._identity = identity
        self._source: Source | None = None
        self._service = service
        self._region = region
        self._keys: Keys | None = None
        self._hidden: list[
            str
        ] = []  # the previous secrets too: a service may echo one that has been renewed since
        self._signature: SignatureV4 | None = None

    def __repr__(self) -> str:
        return f"AwsSigner(service={self._service!r}, region={self._region!r})"

    def fingerprint_parts(self) -> object:
        """Return the identity, and what it signs for. May read files."""
        return self._service, self._region, self._identity()

    def is_ready(self) -> bool:
        """Return whether the credentials of the last `prepare` are still current. Quick, never blocks."""
        source = self._source
        return source is not None and self._keys is not None and source.is_current(self._keys)

    def prepare(self, *, refresh: bool) -> None:
        """Find credentials, or renew those that expire soon. Blocks: the core calls it in a thread.

        Args:
            refresh: The service rejected the last ones: their source is asked again.

        Raises:
            MissingCredentialError: There is no identity.
            AuthenticationError: AWS rejects it.
            PermissionDeniedError: The role may not be assumed.
            ConnectionFailedError: A service that issues credentials cannot be reached.
        """
        from ._sigv4 import SignatureV4

        if self._source is None:
            self._source = self._make_source()
        try:
            keys = self._source.freeze(rejected=self._keys if refresh else None)
        finally:
            self._hidden = list(dict.fromkeys([*self._hidden, *self._source.secrets()]))[-12:]
        if keys is not self._keys:
            self._signature = SignatureV4(keys, self._service, self._region)
            self._keys = keys

    def sign(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        """Return the headers to add to one attempt; nothing is kept."""
        if self._signature is None:
            raise ConfigurationError("this signer was not prepared")
        return self._signature.headers(method, url, headers, body)

    def secrets(self) -> list[str]:
        """Return all secrets, which must not be shown."""
        return self._hidden
