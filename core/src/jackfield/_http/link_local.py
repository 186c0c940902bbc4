"""Addresses that no proxy can reach: metadata services of virtual machines and containers."""

from __future__ import annotations

from typing import Final

__all__ = ["is_link_local"]

_METADATA: Final = frozenset(
    {
        "metadata.google.internal", "metadata.goog",
        "fd20:ce::254",  # the same by IPv6 (Google Compute Engine, "About VM metadata", 2026)
        "fd00:ec2::254",  # Amazon EC2, "Use the Instance Metadata Service", 2026
        "168.63.129.16",  # Azure, "What is IP address 168.63.129.16?", 2026
    }
)  # fmt: skip


def is_link_local(host: str) -> bool:
    """Return whether a host is on this machine's own link: 169.254.0.0/16, fe80::/10, and the clouds' metadata services."""
    import ipaddress

    name = host.strip("[]").rstrip(".").lower()
    if name in _METADATA:
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_link_local
    except ValueError:
        return False
