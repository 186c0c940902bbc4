"""The identity that connections with the same `[credentials.NAME]` share."""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING

from ._region import machine_identity, region_of
from ._settings import AwsCredentials
from ._signer import AwsSigner

if TYPE_CHECKING:
    from ._credentials import Source

__all__ = ["AwsIdentity", "default_identity"]


class AwsIdentity:
    """An AWS identity: gives signers, and knows the region. Holds no connection open.

    Args:
        settings: What is declared; None for the default chain of boto3.
    """

    def __init__(self, settings: AwsCredentials | None = None) -> None:
        self.settings = settings or AwsCredentials()
        self._sources: dict[tuple[str | None, str | None], Source] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"AwsIdentity({self.settings!r})"

    def signer(
        self, *, service: str, region: str, proxy: str | None = None, ca_bundle: str | None = None
    ) -> AwsSigner:
        """Give a signer for one service. No I/O: the identity is found when the signer is first prepared.

        Args:
            service: The name that AWS signs for ("bedrock", "sagemaker", "s3").
            region: The region of the service.
            proxy: Address of a proxy for what the identity itself has to fetch (STS, SSO).
            ca_bundle: File of certificate authorities for the same.
        """
        return AwsSigner(
            functools.partial(self._source, proxy, ca_bundle),
            service=service,
            region=region,
            identity=self.fingerprint_parts,
        )

    def fingerprint_parts(self) -> object:
        """Return what is declared, and what the machine says where that decides who it is. May read files."""
        settings = self.settings
        if settings.access_key_id is not None or settings.web_identity_token_file is not None:
            return settings
        return settings, machine_identity(settings.profile)

    def region(self) -> str | None:
        """Give the region of this identity: declared, from the environment, or of its profile. May read a file."""
        return self.settings.region or region_of(self.settings.profile)

    def _source(self, proxy: str | None, ca_bundle: str | None) -> Source:
        """Give what finds the credentials; signers with the same way out share it. Imports boto3."""
        from ._credentials import Source

        with self._lock:
            source = self._sources.get((proxy, ca_bundle))
            if source is None:
                source = self._sources[proxy, ca_bundle] = Source(self.settings, proxy, ca_bundle)
            return source


def default_identity() -> AwsIdentity:
    """Give the identity of a connection that names none: what boto3 finds by itself."""
    return AwsIdentity()
