"""The domains of AWS's partitions, and the region that a host names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from jackfield.plugin import is_at_hosts

from ._settings import region_fault

__all__ = ["AMAZON_HOSTS", "domain_of", "region_in"]

# The domains of a partition's services, and of those with IPv6, by the beginning of its regions.
# Source: AWS's partitions in botocore 1.44.5 (2026-11).
_COMMERCIAL: Final = ("amazonaws.com", "api.aws")
_PARTITIONS: Final[Mapping[str, tuple[str, str]]] = {
    "cn-": ("amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    "eusc-": ("amazonaws.eu", "api.amazonwebservices.eu"),
    "us-iso-": ("c2s.ic.gov", "api.aws.ic.gov"),
    "us-isob-": ("sc2s.sgov.gov", "api.aws.scloud"),
    "eu-isoe-": ("cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
    "us-isof-": ("csp.hci.ic.gov", "api.aws.hci.ic.gov"),
}
AMAZON_HOSTS: Final = tuple(domain for pair in (_COMMERCIAL, *_PARTITIONS.values()) for domain in pair)
"""The domains of Amazon's own hosts, of every partition."""


def domain_of(region: str, *, dual_stack: bool = False) -> str:
    """Return the domain of a region's services; unknown regions are taken for commercial ones.

    Args:
        region: The region.
        dual_stack: The domain of the endpoints that also have IPv6.
    """
    pair = next((pair for start, pair in _PARTITIONS.items() if region.startswith(start)), _COMMERCIAL)
    return pair[dual_stack]


def region_in(address: str | None) -> str | None:
    """Return the region that one of Amazon's own addresses names, also a private one; None if it names none."""
    if address is None or not is_at_hosts(address, AMAZON_HOSTS):
        return None
    labels = (urlsplit(address).hostname or "").split(".")
    return next((label for label in reversed(labels) if region_fault(label) is None), None)
