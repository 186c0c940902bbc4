"""The base address of a connection."""

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
    """The address of a service, and which of its two APIs it uses.

    Attributes:
        base: The prefix of each wire's path; may have a query.
        version: The dated version; None for the v1 API.
    """

    base: str
    version: str | None


@lru_cache(maxsize=256)
def service_address(endpoint: str | None, base_url: str | None, api_version: str | None) -> ServiceAddress:
    """Return the base address of a connection.

    Source: OpenAI's Python SDK 3.54.0 (`AzureOpenAI`) and Microsoft's page on the API's lifecycle (2026-03):
    `/openai/deployments/...?api-version=` or `/openai/v1/...`, which rejects an `api-version`.

    Raises:
        ConfigurationError: The address or the version is not valid.
    """
    address = _parse(base_url or endpoint)
    if base_url is not None and not address.path and endpoint is not None:
        address = address._replace(path=_parse(endpoint).path)
    query = dict(parse_qsl(address.query, keep_blank_values=True))
    version = _parse_version(api_version or query.pop("api-version", None))
    path = _OPERATION.sub("", address.path)
    if "/deployments" in path:
        raise ConfigurationError(
            f"the address {address.geturl()} belongs to a deployment; write the resource's ({address.scheme}://"
            f"{address.netloc}), and the deployment in models"
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
    """Yield each mistake in the addresses and the version of a connection."""
    addresses: list[str | None] = [address for address in (endpoint, base_url) if address is not None]
    for address, version in [*((address, None) for address in addresses or [None]), (_ANY, api_version)]:
        try:
            service_address(address, None, version)
        except ConfigurationError as error:
            yield error.message


def _parse(address: str | None) -> SplitResult:
    if address is None:
        raise ConfigurationError('endpoint is missing; write endpoint = "https://NAME.openai.azure.com"')
    parts = _split(address.strip())
    if parts is None or parts.scheme not in ("http", "https") or not re.search(r"\w", parts.hostname or ""):
        raise ConfigurationError(
            f"the address {address!r} must begin with https://, as in https://NAME.openai.azure.com"
        )
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError("the address contains a user or a password; write the key as api_key")
    return parts._replace(path=re.sub(r"/{2,}", "/", parts.path).rstrip("/"), fragment="")


def _split(address: str) -> SplitResult | None:
    try:
        parts = urlsplit(address)
        _ = parts.port  # raises if it is not a number
    except ValueError:
        return None
    return parts


def _parse_version(version: str | None) -> str | None:
    # "preview" and "latest" were names of the v1 API during its preview.
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
