"""The AWS identity that connections share, and the signer of their requests."""

from __future__ import annotations

from typing import Final

from jackfield.plugin import CredentialKind

from ._endpoints import AMAZON_HOSTS, domain_of, region_in
from ._errors import identity_error
from ._identity import AwsIdentity, default_identity
from ._settings import AwsCredentials, region_fault
from ._signer import AwsSigner

__all__ = [
    "AMAZON_HOSTS",
    "CREDENTIALS",
    "AwsCredentials",
    "AwsIdentity",
    "AwsSigner",
    "default_identity",
    "domain_of",
    "identity_error",
    "region_fault",
    "region_in",
]

CREDENTIALS: Final = CredentialKind(AwsCredentials, AwsIdentity)
"""The kind `aws` of `[credentials]`."""
