"""Signs requests with what an identity's source has found."""

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
        source: Gives what finds credentials; called in a thread, imports the SDK.
        service: The name that AWS signs for.
        region: The region of the service.
        identity: Returns whose identity it is, as far as that is known without AWS.
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
        self._shown: list[str] = []  # the last secrets too: a service may echo what has been renewed since
        self._signature: SignatureV4 | None = None

    def __repr__(self) -> str:
        return f"AwsSigner(service={self._service!r}, region={self._region!r})"

    def fingerprint_parts(self) -> object:
        """Return whose identity it is, and what it signs for. May read files."""
        return self._service, self._region, self._identity()

    def is_ready(self) -> bool:
        """Say whether the credentials of the last `prepare` are still those to sign with. Quick, never blocks."""
        source = self._source
        return source is not None and self._keys is not None and source.still(self._keys)

    def prepare(self, *, refresh: bool) -> None:
        """Find credentials, or renew what ends soon. Blocks: the core calls it in a thread.

        Args:
            refresh: The service refused the last ones: whatever they came from is asked anew.

        Raises:
            MissingCredentialError: There is no identity.
            AuthenticationError: AWS refuses it.
            PermissionDeniedError: The role may not be assumed.
            ConnectionFailedError: What proves the identity cannot be reached.
        """
        from ._sigv4 import SignatureV4

        if self._source is None:
            self._source = self._make_source()
        try:
            keys = self._source.frozen(refused=self._keys if refresh else None)
        finally:
            self._shown = list(dict.fromkeys([*self._shown, *self._source.secrets()]))[-12:]
        if keys is not self._keys:
            self._signature = SignatureV4(keys, self._service, self._region)
            self._keys = keys

    def sign(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        """Give the headers to add to one attempt; nothing else is looked at or kept."""
        if self._signature is None:
            raise ConfigurationError("this signer was not prepared")
        return self._signature.headers(method, url, headers, body)

    def secrets(self) -> list[str]:
        """Give every secret that must not be shown."""
        return self._shown
