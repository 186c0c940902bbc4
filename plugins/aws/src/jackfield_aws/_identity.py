"""The identity that connections with the same `[credentials.NAME]` share."""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING

from ._region import endpoint_switch, machine_identity, region_of
from ._settings import AwsCredentials
from ._signer import AwsSigner

if TYPE_CHECKING:
    from ._credentials import Source

__all__ = ["AwsIdentity", "default_identity"]


class AwsIdentity:
    """An AWS identity, which creates signers and has a region. It holds no connection open.

    Args:
        settings: The declared identity; None for the default chain of boto3.
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
        """Return a signer for one service. No I/O: credentials are found when the signer is first prepared.

        Args:
            service: The service's name in signatures ("bedrock", "sagemaker", "s3").
            region: The region of the service.
            proxy: The address of a proxy for the identity's own requests (STS, SSO).
            ca_bundle: A file of certificate authorities for them.
        """
        return AwsSigner(
            functools.partial(self._source, proxy, ca_bundle),
            service=service,
            region=region,
            identity=self.fingerprint_parts,
        )

    def fingerprint_parts(self) -> object:
        """Return what is declared, and the machine's configuration if that decides the identity. May read files."""
        settings = self.settings
        if settings.access_key_id is not None or settings.web_identity_token_file is not None:
            return settings
        return settings, machine_identity(settings.profile)

    def region(self) -> str | None:
        """Return the region of this identity: declared, from the environment, or of its profile. May read a file."""
        return self.settings.region or region_of(self.settings.profile)

    def wants_fips(self) -> bool:
        """Return whether the environment or this identity's profile asks for endpoints with FIPS 140. May read a file."""
        return endpoint_switch("use_fips_endpoint", self.settings.profile)

    def wants_dual_stack(self) -> bool:
        """Return whether the environment or this identity's profile asks for endpoints with IPv6. May read a file."""
        return endpoint_switch("use_dualstack_endpoint", self.settings.profile)

    def _source(self, proxy: str | None, ca_bundle: str | None) -> Source:
        """Return the source of credentials, which signers with the same proxy and authorities share. Imports boto3."""
        from ._credentials import Source

        with self._lock:
            source = self._sources.get((proxy, ca_bundle))
            if source is None:
                source = self._sources[proxy, ca_bundle] = Source(self.settings, proxy, ca_bundle)
            return source


def default_identity() -> AwsIdentity:
    """Return the identity of a connection without one: what boto3 finds by itself."""
    return AwsIdentity()
