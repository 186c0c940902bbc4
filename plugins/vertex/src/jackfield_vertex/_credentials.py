"""The Google identity that connections share: `[credentials.NAME]` of kind `google`."""

from __future__ import annotations

import os
from typing import Final

import attrs

from jackfield.plugin import Auth, Bearer, SharedTokens, StaticHeader, Token

from ._keys import GoogleCredentials

__all__ = ["GoogleIdentity"]

_DEFAULTS_FROM: Final = ("GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG")


@attrs.frozen
class GoogleIdentity:
    """The identity of all connections that name the same `[credentials.NAME]`. Keeps nothing open.

    Attributes:
        settings: The declared keys.
    """

    settings: GoogleCredentials
    _shared: SharedTokens = attrs.field(factory=SharedTokens, init=False, eq=False, repr=False)

    def auth(self, *, proxy: str | None = None, ca_bundle: str | None = None) -> Auth:
        """Return how to authenticate.

        Args:
            proxy: Address of the proxy through which tokens are fetched.
            ca_bundle: File of the certificate authorities of token endpoints.
        """
        if self.settings.token is not None:
            return StaticHeader("Authorization", self.settings.token, "Bearer ")
        return Bearer(self._shared.sharing(self.fetch, proxy=proxy, ca_bundle=ca_bundle))

    def fingerprint_parts(self) -> object:
        """Return the declared keys, and the location of application default credentials if they are used."""
        settings = self.settings
        if settings.key is not None or settings.refresh_token is not None or settings.token is not None:
            return settings
        return settings, {name: os.environ.get(name) for name in _DEFAULTS_FROM}

    def fetch(self, *, proxy: str | None = None, ca_bundle: str | None = None) -> Token:
        """Fetch a token. Blocks: the core calls it in a thread, and caches the token.

        Raises:
            MissingCredentialError: No identity was found.
            AuthenticationError: The identity was rejected.
            ConnectionFailedError: The token endpoint cannot be reached.
        """
        from ._tokens import fetch_token

        return fetch_token(self.settings, proxy=proxy, ca_bundle=ca_bundle)
