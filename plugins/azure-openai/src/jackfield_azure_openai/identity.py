"""The kind `azure` of `[credentials]`: an identity of Entra ID that connections to Azure share."""

from __future__ import annotations

from ._credentials import AZURE, AzureCredentials, AzureIdentity

__all__ = ["AZURE", "AzureCredentials", "AzureIdentity"]
