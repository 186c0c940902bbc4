"""Fetch tokens with google-auth. All of it blocks."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC
from importlib import import_module
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from jackfield import AuthenticationError, ConnectionFailedError, MissingCredentialError, OverloadedError
from jackfield.http import fetch_blocking
from jackfield.plugin import Token, quote_segment

from ._keys import GoogleCredentials

__all__ = ["fetch_token"]

_SECONDS: Final = 30
_METADATA_HOSTS: Final = ("metadata.google.internal", "169.254.169.254")
_METADATA_HOST_FROM: Final = ("GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP")

_Received: TypeAlias = tuple[int, Mapping[str, str], bytes]


class _Answer:
    """A response in the form that google-auth requires (`google.auth.transport.Response`): lower-case names of headers count."""

    def __init__(self, status: int, headers: Mapping[str, str], data: bytes) -> None:
        self.status = status
        self.headers = headers
        self.data = data


class _Transport:
    """Send the requests of google-auth, without requests or urllib3 (`google.auth.transport.Request`)."""

    def __init__(self, proxy: str | None, ca_bundle: str | None) -> None:
        self._proxy = proxy
        self._ca_bundle = ca_bundle

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **_: Any,
    ) -> _Answer:
        data = body.encode() if isinstance(body, str) else body
        send = functools.partial(
            fetch_blocking, body=data, headers=headers, method=method, timeout=timeout or _SECONDS
        )
        try:
            if _is_metadata_server(url):
                return _Answer(*_ask_metadata_server(url, send))
            return _Answer(*send(url, sender=url, proxy=self._proxy, ca_bundle=self._ca_bundle))
        except ConnectionFailedError as error:
            errors: Any = import_module("google.auth.exceptions")
            raise errors.TransportError(error.message) from error


def _is_metadata_server(url: str) -> bool:
    """Return whether an address is the metadata server's, which no proxy can reach (google-auth: `_metadata.py`)."""
    declared = (os.environ.get(name) for name in _METADATA_HOST_FROM)
    return urlsplit(url).netloc in {*_METADATA_HOSTS, *filter(None, declared)}


def _ask_metadata_server(url: str, send: Callable[..., _Received]) -> _Received:
    """Send a request to the metadata server, with this machine's certificate if google-auth wants https.

    Source: Compute Engine, "HTTPS metadata server endpoint"; google-auth 2.62, `_mtls.py`: only the mode `strict` demands https.
    """
    send = functools.partial(send, sender=url, direct=True)
    if not url.startswith("https://"):
        return send(url)
    certificates: Any = import_module("google.auth.compute_engine._mtls").MdsMtlsConfig()
    try:
        return send(
            url,
            ca_bundle=str(certificates.ca_cert_path),
            client_certificate=str(certificates.client_combined_cert_path),
        )
    except ConnectionFailedError:
        if os.environ.get("GCE_METADATA_MTLS_MODE", "").lower() == "strict":
            raise
        return send(url.replace("https", "http", 1))


def fetch_token(settings: GoogleCredentials, *, proxy: str | None, ca_bundle: str | None) -> Token:
    """Fetch a token for the declared identity."""
    errors: Any = import_module("google.auth.exceptions")
    transport = _Transport(proxy, ca_bundle)
    try:
        credentials = _credentials(settings, transport)
        credentials.refresh(transport)
    except errors.DefaultCredentialsError as error:
        raise MissingCredentialError(
            f"no Google identity was found: {error}; declare one in [credentials], or log in with gcloud"
        ) from error
    except errors.TransportError as error:
        raise ConnectionFailedError(f"no token could be fetched: {error}") from error
    except errors.RefreshError as error:
        kind = OverloadedError if error.retryable else AuthenticationError
        raise kind(f"Google issued no token: {_message(error)}") from None
    except (errors.GoogleAuthError, ValueError, KeyError) as error:
        raise MissingCredentialError(
            f"the declared Google identity cannot be used: {type(error).__name__}"
        ) from None
    expiry = credentials.expiry
    return Token(str(credentials.token), None if expiry is None else expiry.replace(tzinfo=UTC).timestamp())


def _message(error: Exception) -> str:
    """Return the text of an error; the second argument of google-auth's error is the whole response."""
    text = str(error.args[0]) if error.args else type(error).__name__
    hint = "; is this machine's clock right?" if "short-lived" in text else ""
    return text + hint


def _credentials(settings: GoogleCredentials, transport: _Transport) -> Any:
    scopes = list(settings.scopes)
    credentials = _source(settings, scopes, transport)
    if settings.impersonate is None:
        return credentials
    impersonated_credentials: Any = import_module("google.auth.impersonated_credentials")
    account = quote_segment(settings.impersonate, safe="@")
    url = f"{settings.iam_url.rstrip('/')}/v1/projects/-/serviceAccounts/{account}:generateAccessToken"
    return impersonated_credentials.Credentials(
        source_credentials=credentials,
        target_principal=settings.impersonate,
        target_scopes=scopes,
        iam_endpoint_override=url,
    )


def _source(settings: GoogleCredentials, scopes: list[str], transport: _Transport) -> Any:
    if settings.key is not None:
        return _of_json(settings.key.reveal(), scopes, settings)
    if settings.refresh_token is not None:
        oauth2: Any = import_module("google.oauth2.credentials")
        secret = settings.client_secret
        return oauth2.Credentials(
            None,
            refresh_token=settings.refresh_token.reveal(),
            token_uri=settings.token_url,
            client_id=settings.client_id,
            client_secret=None if secret is None else secret.reveal(),
        )
    auth: Any = import_module("google.auth")
    found, _ = auth.default(scopes=scopes, request=transport)
    return found


def _of_json(text: str, scopes: list[str], settings: GoogleCredentials) -> Any:
    try:
        info = json.loads(text)
    except ValueError:
        info = None
    if not isinstance(info, dict) or "type" not in info:
        raise MissingCredentialError(
            f"{settings.key!r} does not contain a Google credential: it must be JSON with a `type`"
        )
    kind = info["type"]
    if kind == "external_account":
        kind = _external_kind(info)
    if kind not in _LOADERS:
        raise MissingCredentialError(
            f"{settings.key!r} contains a credential of the unknown type {kind!r}; known are {', '.join(_LOADERS)}"
        )
    if kind == "service_account":
        info = {"token_uri": settings.token_url, **info}
    module, loader = _LOADERS[kind]
    found: Any = import_module(module)
    return getattr(found.Credentials, loader)(info, scopes=scopes)


# Each type has its own loader: the type alone decides what a key becomes.
_LOADERS: Final = {
    "service_account": ("google.oauth2.service_account", "from_service_account_info"),
    "authorized_user": ("google.oauth2.credentials", "from_authorized_user_info"),
    "external_account": ("google.auth.identity_pool", "from_info"),
    "external_account on AWS": ("google.auth.aws", "from_info"),
    "external_account by a program": ("google.auth.pluggable", "from_info"),
    "external_account_authorized_user": ("google.auth.external_account_authorized_user", "from_info"),
    "impersonated_service_account": (
        "google.auth.impersonated_credentials", "from_impersonated_service_account_info",
    ),
}  # fmt: skip


def _external_kind(info: Mapping[str, Any]) -> str:
    """Return which kind of external account it is, as google-auth 2.62 decides it."""
    if info.get("subject_token_type") == "urn:ietf:params:aws:token-type:aws4_request":
        return "external_account on AWS"
    source = info.get("credential_source")
    programmed = isinstance(source, Mapping) and "executable" in source
    return "external_account by a program" if programmed else "external_account"
