"""The Google identity that connections share: `[credentials.NAME]` of kind `google`."""

from __future__ import annotations

import functools
import os
from typing import Final

import attrs

from jackfield.plugin import Auth, Bearer, StaticHeader, Token

from ._keys import GoogleCredentials

__all__ = ["GoogleIdentity"]

_DEFAULTS_FROM: Final = ("GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG")


@attrs.frozen
class GoogleIdentity:
    """What connections that name the same `[credentials.NAME]` share. Holds nothing open.

    Attributes:
        settings: What is declared.
    """

    settings: GoogleCredentials

    def auth(self, *, proxy: str | None = None, ca_bundle: str | None = None) -> Auth:
        """Say how to prove this identity.

        Args:
            proxy: Address of a proxy for fetching tokens.
            ca_bundle: File of certificate authorities for fetching tokens.
        """
        if self.settings.token is not None:
            return StaticHeader("Authorization", self.settings.token, "Bearer ")
        return Bearer(functools.partial(self.fetch, proxy=proxy, ca_bundle=ca_bundle))

    def fingerprint_parts(self) -> object:
        """Return what is declared, and where application default credentials stand if they are used."""
        settings = self.settings
        if settings.key is not None or settings.refresh_token is not None or settings.token is not None:
            return settings
        return settings, {name: os.environ.get(name) for name in _DEFAULTS_FROM}

    def fetch(self, *, proxy: str | None = None, ca_bundle: str | None = None) -> Token:
        """Fetch a token. Blocks: the core calls it in a thread, and keeps the token.

        Raises:
            MissingCredentialError: There is no identity.
            AuthenticationError: It is refused.
            ConnectionFailedError: The identity's host cannot be reached.
        """
        from ._tokens import fetch_token

        return fetch_token(self.settings, proxy=proxy, ca_bundle=ca_bundle)
