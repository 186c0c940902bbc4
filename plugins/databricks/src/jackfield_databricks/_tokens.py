"""Fetch tokens: from a workspace's own token endpoint, or from the Databricks SDK. All of it blocks."""

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

_SECONDS: Final = 30
_MOST_REFUSAL: Final = 1 << 16
"""Bytes that are read of a refusal."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the client's secret to another host."""

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
        AuthenticationError: The client is refused.
        OverloadedError: The token endpoint is not there at the moment; trying again may help.
        ConnectionFailedError: It cannot be reached.
        MalformedResponseError: What answers is no token endpoint.
    """
    # As the SDK writes it: the halves as they are, not form-encoded as RFC 6749 would have it.
    pair = f"{client_id}:{client_secret}".encode()
    headers = {"Authorization": f"Basic {base64.b64encode(pair).decode()}", "Accept": "application/json"}
    request = urllib.request.Request(url, urlencode(form).encode(), headers, method="POST")  # noqa: S310 -- https, or http on a loopback server
    try:
        with _opener(proxy, ca_bundle).open(request, timeout=_SECONDS) as answer:
            body = read_limited(answer, f"the token endpoint {url}")
    except urllib.error.HTTPError as error:
        raise _refused(url, error) from None
    except (OSError, http.client.HTTPException) as error:
        raise ConnectionFailedError(f"the token endpoint {url} cannot be reached: {error}") from error
    return _token_in(url, body)


def _opener(proxy: str | None, ca_bundle: str | None) -> urllib.request.OpenerDirector:
    handlers: list[Any] = [_NoRedirects()]
    if proxy is not None:
        handlers.append(urllib.request.ProxyHandler({"http": proxy, "https": proxy}))
    if ca_bundle is not None:
        context = ssl.create_default_context(cafile=ca_bundle)
        handlers.append(urllib.request.HTTPSHandler(context=context))
    return urllib.request.build_opener(*handlers)


def _refused(url: str, error: urllib.error.HTTPError) -> Exception:
    with error:
        body = error.read(_MOST_REFUSAL)
    try:
        value = json.loads(body)
        said = value.get("error_description") or value.get("message") or value.get("error")
    except (ValueError, AttributeError):
        said = None
    text = f"the token endpoint {url} answered {error.code}: {said or error.reason}"
    if error.code in (429, 500, 502, 503, 504):
        return OverloadedError(text, status=error.code, body=body)
    if 300 <= error.code < 400:
        return MalformedResponseError(f"{text}; is host the address of the workspace?", status=error.code)
    # No status: a 401 here is none of the model's, for which a new token would be fetched.
    return AuthenticationError(
        f"{text}; check client_id and client_secret (a secret lives two years at most)", body=body
    )


def _token_in(url: str, body: bytes) -> Token:
    try:
        value = json.loads(body)
        lasts = value.get("expires_in")
        return Token(value["access_token"], None if lasts is None else time.time() + float(lasts))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise MalformedResponseError(
            f"{url} answered without a token; is host the address of the workspace?"
        ) from None


def ask_sdk(host: str, *, profile: str | None, config_file: str | None) -> Token:
    """Let the Databricks SDK prove an identity, and take the token that it would send.

    Raises:
        MissingCredentialError: The SDK is not installed, or finds no identity.
        ConfigurationError: The profile is of another workspace, whose token must not go to this one.
    """
    try:
        from databricks.sdk.core import Config
    except ImportError:
        raise MissingCredentialError(
            'a profile is read by the Databricks SDK: pip install "jackfield-databricks[sdk]"; without it, '
            "write client_id and client_secret, or token"
        ) from None
    # Without a profile the SDK must be told the workspace; with one, the file names it.
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
            f"the profile {profile or 'DEFAULT'} is of {config.host}, the connection of {host}; "
            "name the profile of this workspace"
        )
    scheme, _, value = headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or len(headers) > 1:
        raise MissingCredentialError(
            f"the Databricks SDK's way {config.auth_type} is no bearer token; choose another"
        )
    return Token(value, _end_of(config))


def _end_of(config: Any) -> float | None:
    try:
        expiry = config.oauth_token().expiry
    except ValueError:  # not an OAuth token: it does not end by itself
        return None
    return None if expiry is None else float(expiry.timestamp())
