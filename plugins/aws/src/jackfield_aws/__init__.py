"""The AWS identity that connections share, and the signer of their requests."""

from __future__ import annotations

from typing import Final

from jackfield.plugin import CredentialKind

from ._errors import identity_error
from ._identity import AwsIdentity, default_identity
from ._settings import AwsCredentials, region_fault
from ._signer import AwsSigner

__all__ = [
    "CREDENTIALS",
    "AwsCredentials",
    "AwsIdentity",
    "AwsSigner",
    "default_identity",
    "identity_error",
    "region_fault",
]

CREDENTIALS: Final = CredentialKind(AwsCredentials, AwsIdentity)
"""The kind `aws` of `[credentials]`."""
