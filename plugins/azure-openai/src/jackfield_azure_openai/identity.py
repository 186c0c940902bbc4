"""The kind `azure` of `[credentials]`: identities of Entra ID."""

from __future__ import annotations

from ._credentials import AZURE, AzureCredentials, AzureIdentity

__all__ = ["AZURE", "AzureCredentials", "AzureIdentity"]
