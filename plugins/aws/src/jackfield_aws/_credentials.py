"""Find credentials with boto3's session. All of it blocks; imported in a thread."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any, Final

import attrs
import boto3.session
import botocore.session
from botocore import credentials as chain
from botocore.config import Config
from botocore.httpsession import URLLib3Session
from botocore.utils import IMDSFetcher

from jackfield import JackfieldError, MissingCredentialError
from jackfield.plugin import read_text_file

from ._sdk_errors import map_sdk_error
from ._settings import AwsCredentials

__all__ = ["Keys", "Source"]

_CONNECT_SECONDS: Final = 10
_READ_SECONDS: Final = 30
_MUST_RENEW: Final = 10 * 60
"""Seconds before the end at which botocore no longer signs with what it has (`RefreshableCredentials`)."""
_RENEW_AGAIN: Final = 60.0
"""Seconds between two attempts to renew credentials that are still valid for a while."""


class _Session(botocore.session.Session):  # type: ignore[misc,unused-ignore]  # botocore is not typed
    """Creates the clients of the identity services with their declared addresses."""

    addresses: dict[str, str]

    def create_client(self, service_name: str, *args: Any, **options: Any) -> Any:
        address = self.addresses.get(service_name)
        if address is not None:
            options.setdefault("endpoint_url", address)
        if options.get("region_name") is None and not args:
            # A custom address requires a region to sign for, and there is no other place to set one.
            options["region_name"] = self.get_config_variable("region") or "us-east-1"
        return super().create_client(service_name, *args, **options)

    def reach_metadata_directly(self) -> None:
        """Use no proxy of the environment for the instance's metadata service, which no proxy can reach."""
        for provider in self.get_component("credential_provider").providers:
            fetcher = getattr(provider, "_role_fetcher", None)
            if isinstance(fetcher, IMDSFetcher):
                fetcher._session = URLLib3Session(timeout=fetcher._timeout, proxies={})  # noqa: SLF001 -- no other way


@attrs.frozen
class Keys:
    """An immutable copy of credentials; its repr hides them.

    Attributes:
        access_key: The id of the access key.
        secret_key: The secret access key.
        token: The session token of temporary keys.
    """

    access_key: str
    secret_key: str = attrs.field(repr=False)
    token: str | None = attrs.field(repr=False)

    @classmethod
    def of(cls, found: Any) -> Keys:
        """Copy botocore's frozen credentials."""
        return cls(found.access_key, found.secret_key, found.token)


class Source:
    """Finds the credentials of one identity, keeps them, and renews them before they expire.

    Args:
        settings: The declared identity.
        proxy: The address of a proxy for STS and SSO.
        ca_bundle: A file of certificate authorities for them.
    """

    def __init__(self, settings: AwsCredentials, proxy: str | None, ca_bundle: str | None) -> None:
        self._settings = settings
        self._proxy = proxy
        self._ca_bundle = ca_bundle
        self._lock = threading.Lock()
        self._credentials: Any = None
        self._frozen: Keys | None = None
        self._tried = 0.0
        self._declared: list[str] = []

    def is_current(self, frozen: Keys) -> bool:
        """Return whether a copy is the latest, and valid for long enough. Never blocks."""
        credentials = self._credentials
        if frozen is not self._frozen or credentials is None:
            return False
        needed = getattr(credentials, "refresh_needed", None)
        if needed is None or not needed():
            return True
        return not needed(refresh_in=_MUST_RENEW) and time.monotonic() - self._tried < _RENEW_AGAIN

    def freeze(self, *, rejected: Keys | None = None) -> Keys:
        """Return an immutable copy of the credentials; only one caller at a time requests new ones.

        Args:
            rejected: The copy that the service rejected: everything that led to it is repeated, unless another caller
                has done so in the meantime.
        """
        with self._lock:
            try:
                if self._credentials is None or (rejected is not None and rejected == self._frozen):
                    self._credentials = self._find()
                self._tried = time.monotonic()
                frozen = Keys.of(self._credentials.get_frozen_credentials())
            except JackfieldError:
                raise
            except Exception as error:
                raise map_sdk_error(error, self._settings) from None
            if self._frozen is None or frozen != self._frozen:
                self._frozen = frozen
            return self._frozen

    def secrets(self) -> list[str]:
        """Return all secrets, which must not be shown."""
        found = self._frozen
        kept = [] if found is None else [found.secret_key, found.token, found.access_key]
        return [secret for secret in (*self._declared, *kept) if secret]

    def _find(self) -> Any:
        settings = self._settings
        session = self._session()
        if settings.web_identity_token_file is not None:
            return self._by_web_identity(session)
        found = session.get_credentials()
        if found is None:
            raise MissingCredentialError(
                "no AWS identity was found: write a profile or keys in [credentials], set AWS_PROFILE or "
                "AWS_ACCESS_KEY_ID, or log in with `aws sso login`"
            )
        return found if settings.role_arn is None else self._by_role(session, found)

    def _session(self) -> boto3.session.Session:
        settings = self._settings
        core = _Session()
        addresses = {"sts": settings.sts_url, "sso": settings.sso_url, "sso-oidc": settings.sso_oidc_url}
        core.addresses = {name: url for name, url in addresses.items() if url is not None}
        proxies = None if self._proxy is None else {"http": self._proxy, "https": self._proxy}
        core.set_default_client_config(
            Config(
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_READ_SECONDS,
                retries={"total_max_attempts": 1},  # retries are the core's
                proxies=proxies,
            )
        )
        if self._ca_bundle is not None:
            core.set_config_variable("ca_bundle", self._ca_bundle)
        declared = (settings.access_key_id, settings.secret_access_key, settings.session_token)
        key, secret, token = (None if part is None else part.reveal() for part in declared)
        self._declared = [part for part in (secret, token) if part is not None]
        session = boto3.session.Session(
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            profile_name=settings.profile,
            region_name=settings.region,
            botocore_session=core,
        )
        core.reach_metadata_directly()  # after the profile is known, from which botocore builds its chain
        return session

    def _by_role(self, session: boto3.session.Session, source: Any) -> Any:
        settings = self._settings
        more = {"ExternalId": settings.external_id, **self._role_arguments()}
        fetcher = chain.AssumeRoleCredentialFetcher(
            client_creator=session._session.create_client,  # noqa: SLF001 -- boto3's clients have no default config
            source_credentials=source,
            role_arn=settings.role_arn,
            extra_args={name: value for name, value in more.items() if value is not None},
        )
        return chain.DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")

    def _by_web_identity(self, session: boto3.session.Session) -> Any:
        path = self._settings.web_identity_token_file
        if path is None or not path.is_file():
            raise MissingCredentialError(f"the file {path} of web_identity_token_file does not exist")
        fetcher = chain.AssumeRoleWithWebIdentityCredentialFetcher(
            client_creator=session._session.create_client,  # noqa: SLF001 -- as above
            web_identity_token_loader=lambda: _read_token(path),
            role_arn=self._settings.role_arn,
            extra_args={name: value for name, value in self._role_arguments().items() if value is not None},
        )
        return chain.DeferredRefreshableCredentials(
            fetcher.fetch_credentials, "assume-role-with-web-identity"
        )

    def _role_arguments(self) -> dict[str, Any]:
        return {
            "RoleSessionName": self._settings.role_session_name,
            "DurationSeconds": self._settings.duration,
        }


def _read_token(path: Path) -> str:
    try:
        return read_text_file(path).strip()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise MissingCredentialError(f"the web identity token {path} cannot be read: {reason}") from error
