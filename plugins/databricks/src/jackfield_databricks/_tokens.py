"""Fetch tokens from a workspace's token endpoint or from the Databricks SDK. All functions block."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from jackfield import (
    AuthenticationError,
    ConfigurationError,
    ConnectionFailedError,
    MalformedResponseError,
    MissingCredentialError,
    OverloadedError,
)
from jackfield.http import read_limited
from jackfield.plugin import Token

__all__ = ["ask_sdk", "fetch_token"]

_TIMEOUT: Final = 30.0  # seconds
_MAX_ERROR: Final = 1 << 16
"""The number of bytes that are read of an error response."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect, which would send the client's secret to another host."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def fetch_token(
    url: str,
    client_id: str,
    client_secret: str,
    form: Mapping[str, str],
    *,
    proxy: str | None = None,
    ca_bundle: str | None = None,
) -> Token:
    """Fetch a token by OAuth client credentials. Source: Databricks SDK for Python 0.162.0, `oauth`.

    Raises:
        AuthenticationError: The endpoint rejects the client.
        OverloadedError: The endpoint is unavailable at the moment, and a retry may help.
        ConnectionFailedError: The endpoint cannot be reached.
        MalformedResponseError: The response is not that of a token endpoint.
    """
    # Like the SDK: id and secret are not form-encoded, as RFC 6749 requires.
    pair = f"{client_id}:{client_secret}".encode()
    headers = {"Authorization": f"Basic {base64.b64encode(pair).decode()}", "Accept": "application/json"}
    request = urllib.request.Request(url, urlencode(form).encode(), headers, method="POST")  # noqa: S310 -- https, or http on a loopback server
    try:
        with _make_opener(proxy, ca_bundle).open(request, timeout=_TIMEOUT) as answer:
            body = read_limited(answer, f"the token endpoint {url}")
    except urllib.error.HTTPError as error:
        raise _map_refusal(url, error) from None
    except (OSError, http.client.HTTPException) as error:
        raise ConnectionFailedError(f"the token endpoint {url} cannot be reached: {error}") from error
    return _parse_token(url, body)


def _make_opener(proxy: str | None, ca_bundle: str | None) -> urllib.request.OpenerDirector:
    handlers: list[Any] = [_NoRedirects()]
    if proxy is not None:
        handlers.append(urllib.request.ProxyHandler({"http": proxy, "https": proxy}))
    if ca_bundle is not None:
        context = ssl.create_default_context(cafile=ca_bundle)
        handlers.append(urllib.request.HTTPSHandler(context=context))
    return urllib.request.build_opener(*handlers)


def _map_refusal(url: str, error: urllib.error.HTTPError) -> Exception:
    with error:
        body = error.read(_MAX_ERROR)
    try:
        value = json.loads(body)
        reason = value.get("error_description") or value.get("message") or value.get("error")
    except (ValueError, AttributeError):
        reason = None
    text = f"the token endpoint {url} answered {error.code}: {reason or error.reason}"
    if error.code in (429, 500, 502, 503, 504):
        return OverloadedError(text, status=error.code, body=body)
    if 300 <= error.code < 400:
        return MalformedResponseError(f"{text}; is host the address of the workspace?", status=error.code)
    # Without a status: for a 401 of the model service, the core would fetch a new token.
    return AuthenticationError(
        f"{text}; check client_id and client_secret (a secret expires after two years at most)", body=body
    )


def _parse_token(url: str, body: bytes) -> Token:
    try:
        value = json.loads(body)
        seconds = value.get("expires_in")
        return Token(value["access_token"], None if seconds is None else time.time() + float(seconds))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise MalformedResponseError(
            f"{url} answered without a token; is host the address of the workspace?"
        ) from None


def ask_sdk(host: str, *, profile: str | None, config_file: str | None) -> Token:
    """Return the token that the Databricks SDK would send.

    Raises:
        MissingCredentialError: The SDK is not installed, or finds no identity.
        ConfigurationError: The profile belongs to another workspace, whose token must not be sent to this one.
    """
    try:
        from databricks.sdk.core import Config
    except ImportError:
        raise MissingCredentialError(
            'a profile requires the Databricks SDK: pip install "jackfield-databricks[sdk]"; without it, '
            "write client_id and client_secret, or token"
        ) from None
    # Without a profile the SDK needs the workspace; a profile contains it.
    chosen: dict[str, Any] = {"host": host} if profile is None else {"profile": profile}
    if config_file is not None:
        chosen["config_file"] = config_file
    try:
        config = Config(**chosen)
        headers = config.authenticate()
    except ValueError as error:
        raise MissingCredentialError(f"the Databricks SDK finds no identity: {error}") from error
    if urlsplit(config.host or "").netloc != urlsplit(host).netloc:
        raise ConfigurationError(
            f"the profile {profile or 'DEFAULT'} belongs to {config.host}, but the connection to {host}; "
            "write the profile of this workspace"
        )
    scheme, _, value = headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or len(headers) > 1:
        raise MissingCredentialError(
            f"the Databricks SDK's authentication {config.auth_type} does not use a bearer token; choose another"
        )
    return Token(value, _expiry_of(config))


def _expiry_of(config: Any) -> float | None:
    try:
        expiry = config.oauth_token().expiry
    except ValueError:  # not an OAuth token: it does not expire
        return None
    return None if expiry is None else float(expiry.timestamp())
