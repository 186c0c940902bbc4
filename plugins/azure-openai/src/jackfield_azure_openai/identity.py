"""The kind `azure` of `[credentials]`: identities of Entra ID."""

from __future__ import annotations

from ._clouds import Audience
from ._credentials import AZURE, AzureCredentials, AzureIdentity

__all__ = ["AZURE", "Audience", "AzureCredentials", "AzureIdentity"]
