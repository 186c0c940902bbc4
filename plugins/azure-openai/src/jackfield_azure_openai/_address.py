"""Where the calls of a connection go."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

import attrs

from jackfield import ConfigurationError

__all__ = ["ServiceAddress", "address_faults", "service_address"]

_OPERATION: Final = re.compile(r"/(chat/completions|completions|embeddings|responses)$")
_DATED: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(-preview)?")
_ANY: Final = "https://name.openai.azure.com"


@attrs.frozen
class ServiceAddress:
    """Where a service is, and which of its two APIs is spoken.

    Attributes:
        base: Put before a wire's path; may carry a query.
        version: The dated version; None for the v1 API.
    """

    base: str
    version: str | None


@lru_cache(maxsize=256)
def service_address(endpoint: str | None, base_url: str | None, api_version: str | None) -> ServiceAddress:
    """Find the base address of a connection.

    Source: OpenAI's Python SDK 3.54.0 (`AzureOpenAI`) and Microsoft's page on the API's lifecycle (2026-03):
    `/openai/deployments/...?api-version=` or `/openai/v1/...`, which refuses an `api-version`.

    Raises:
        ConfigurationError: The address or the version cannot be used; says why.
    """
    address = _parsed(base_url or endpoint)
    if base_url is not None and not address.path and endpoint is not None:
        address = address._replace(path=_parsed(endpoint).path)
    query = dict(parse_qsl(address.query, keep_blank_values=True))
    version = _dated(api_version or query.pop("api-version", None))
    path = _OPERATION.sub("", address.path)
    if "/deployments" in path:
        raise ConfigurationError(
            f"the address {address.geturl()} is a deployment's; write the resource's ({address.scheme}://"
            f"{address.netloc}), and the deployment into models"
        )
    if path.endswith("/v1"):
        version = None
    elif not path.endswith("/openai"):
        path += "/openai"
    if version is not None:
        query["api-version"] = version
    elif not path.endswith("/v1"):
        path += "/v1"
    found = address._replace(path=path, query=urlencode(query))
    return ServiceAddress(found.geturl(), version)


def address_faults(endpoint: str | None, base_url: str | None, api_version: str | None) -> Iterator[str]:
    """Say all that is wrong with the addresses and the version of a connection."""
    addresses: list[str | None] = [address for address in (endpoint, base_url) if address is not None]
    for address, version in [*((address, None) for address in addresses or [None]), (_ANY, api_version)]:
        try:
            service_address(address, None, version)
        except ConfigurationError as error:
            yield error.message


def _parsed(address: str | None) -> SplitResult:
    if address is None:
        raise ConfigurationError('endpoint is missing; write endpoint = "https://NAME.openai.azure.com"')
    parts = _split(address.strip())
    if parts is None or parts.scheme not in ("http", "https") or not re.search(r"\w", parts.hostname or ""):
        raise ConfigurationError(
            f"the address {address!r} must begin with https://, as in https://NAME.openai.azure.com"
        )
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError("the address holds a name or a password; write the key as api_key")
    return parts._replace(path=re.sub(r"/{2,}", "/", parts.path).rstrip("/"), fragment="")


def _split(address: str) -> SplitResult | None:
    try:
        parts = urlsplit(address)
        _ = parts.port  # raises where it is no number
    except ValueError:
        return None
    return parts


def _dated(version: str | None) -> str | None:
    # "preview" and "latest" were the names of the v1 API while it was one.
    if version in (None, "", "v1", "preview", "latest"):
        return None
    if not _is_dated(version or ""):
        raise ConfigurationError(
            f'api_version {version!r} is neither a dated version ("2024-10-21") nor "v1"; leave it out for the v1 API'
        )
    return version


def _is_dated(version: str) -> bool:
    found = _DATED.fullmatch(version)
    try:
        return found is not None and bool(date.fromisoformat(found[1]))
    except ValueError:
        return False
