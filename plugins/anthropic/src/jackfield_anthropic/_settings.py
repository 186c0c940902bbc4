"""The settings of a connection to Anthropic."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any, Final, Literal, TypeAlias

import attrs

from jackfield import ConfigurationError, MissingCredentialError, Secret
from jackfield.plugin import Auth, HttpAccess, StaticHeader, may_carry_secrets, secret

from ._credentials import AnthropicIdentity

__all__ = ["NEW_VERSION", "OLD_VERSION", "AnthropicSettings", "ApiVersion", "access"]

ApiVersion: TypeAlias = Literal["2023-06-01", "2026-10-21"]
OLD_VERSION: Final = "2023-06-01"
NEW_VERSION: Final = "2026-10-21"
_OAUTH: Final = "oauth-2025-04-20"
_ADDRESS: Final = "https://api.anthropic.com"
_KEY: Final = Secret(reference="env:ANTHROPIC_API_KEY")
# Source: Anthropic's Python SDK 2.12.0, `AnthropicAWS`.
_AWS_KEY: Final = "ANTHROPIC_AWS_API_KEY"
_AWS_SERVICE: Final = "aws-external-anthropic"
_REGION: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")


@attrs.frozen(kw_only=True)
class AnthropicSettings:
    """Configuration keys of a connection to Anthropic.

    Attributes:
        api_key: A reference to the key; `none` for a server without one. `env:ANTHROPIC_API_KEY` goes to Anthropic's own
            host alone: under another `base_url` it has to be written. On AWS the default is
            `env:ANTHROPIC_AWS_API_KEY`, if that is set.
        auth_token: A reference to an OAuth token, sent in place of the key.
        credentials: The name of an identity of kind `anthropic` (workload identity federation), or on AWS of kind `aws`.
        base_url: The address of the API, without `/v1`.
        api_version: Sent as `anthropic-version`. 2026-10-21 has no sampling options; 2023-06-01 keeps working, and is
            the only one for Claude 1, 2 and 3.
        betas: Names of beta features, sent as `anthropic-beta`.
        workspace: Sent as `anthropic-workspace-id`, for keys that have access to several; on AWS it is required.
        aws_region: The region of Claude Platform on AWS, such as `us-west-2`; it selects that platform.
        proxy: The connection's proxy, which is also used to fetch tokens.
        ca_bundle: The connection's certificate authorities, which are also used to fetch tokens.
    """

    api_key: Secret = secret(env="ANTHROPIC_API_KEY", sent_to=lambda settings: settings.key_addresses)
    auth_token: Secret | None = secret()
    credentials: Any = None
    base_url: str = _ADDRESS
    api_version: ApiVersion = OLD_VERSION
    betas: tuple[str, ...] = ()
    workspace: str | None = None
    aws_region: str | None = None
    proxy: str | None = attrs.field(default=None, repr=False)
    ca_bundle: str | None = None

    def __attrs_post_init__(self) -> None:
        """Check all keys when the configuration is loaded, and report all mistakes at once."""
        if faults := tuple(self._faults()):
            raise ConfigurationError("; ".join(faults), mistakes=faults)

    def _faults(self) -> Iterator[str]:
        if self.credentials is not None and (self.api_key != _KEY or self.auth_token is not None):
            yield "credentials are another way to authenticate than api_key and auth_token; write one"
        if self.aws_region is not None:
            yield from self._aws_faults(self.aws_region)
        elif _is_aws(self.credentials):
            yield 'credentials of kind "aws" are for Claude Platform on AWS; write aws_region, too'
        elif isinstance(self.credentials, AnthropicIdentity):
            if self.workspace is not None:
                yield "the token of an identity is of one workspace; write workspace_id in its table, not workspace"
            if not may_carry_secrets(self.base_url):
                yield f"base_url must begin with https:// to exchange an identity token there, not {self.base_url!r}"

    def _aws_faults(self, region: str) -> Iterator[str]:
        if not _REGION.fullmatch(region):
            yield f'aws_region must be a region of AWS such as "us-west-2", not {region!r}'
        if self.workspace is None:
            yield "workspace is missing; Claude Platform on AWS requires a workspace's id"
        if self.auth_token is not None or isinstance(self.credentials, AnthropicIdentity):
            yield "Claude Platform on AWS takes credentials of kind aws, or api_key"

    @property
    def standing_betas(self) -> tuple[str, ...]:
        """The beta features that every request names; an OAuth token requires one of its own."""
        by_token = self.auth_token is not None or isinstance(self.credentials, AnthropicIdentity)
        return (*self.betas, _OAUTH) if by_token else self.betas

    @property
    def key_addresses(self) -> tuple[str, ...]:
        """The addresses that Anthropic's own key is sent to."""
        replaced = self.auth_token or self.credentials or self.aws_region
        return () if replaced else (self.base_url,)

    @property
    def key(self) -> Secret | None:
        """The key that is sent; None if another way to authenticate replaces it."""
        if self.credentials is not None:
            return None
        if self.aws_region is None or self.api_key != _KEY:
            return self.auth_token or self.api_key
        asked = self.base_url == _ADDRESS and os.environ.get(_AWS_KEY)  # nowhere else unasked
        return Secret(reference=f"env:{_AWS_KEY}") if asked else None

    @property
    def address(self) -> str:
        """The address of the API, without `/v1`."""
        if self.aws_region is not None and self.base_url == _ADDRESS:
            return f"https://{_AWS_SERVICE}.{self.aws_region}.api.aws"
        return self.base_url.rstrip("/")


def access(settings: AnthropicSettings) -> HttpAccess:
    """Return the address and the authentication."""
    headers: dict[str, str] = {"anthropic-version": settings.api_version}
    if settings.standing_betas:
        headers["anthropic-beta"] = ",".join(settings.standing_betas)
    if settings.workspace is not None:
        headers["anthropic-workspace-id"] = settings.workspace
    return HttpAccess(base_url=settings.address, auth=_auth(settings), headers=headers)


def _auth(settings: AnthropicSettings) -> Auth:
    """Return the authentication.

    Source: Anthropic's Python SDK: to 1.17.0 it sent the key as `x-api-key`; since 2.0, which uses the API
    version 2026-10-21, as a bearer token. On AWS it is always one (docs.aws.amazon.com, Claude Platform, Authentication, 2026).
    """
    key = settings.key
    if key is not None:
        old = settings.api_version == OLD_VERSION and settings.aws_region is None
        if old and settings.auth_token is None:
            return StaticHeader("x-api-key", key)
        return StaticHeader("Authorization", key, "Bearer ")
    more = {"proxy": settings.proxy, "ca_bundle": settings.ca_bundle}
    if isinstance(settings.credentials, AnthropicIdentity):
        return settings.credentials.auth(settings.address, **more)
    identity = settings.credentials or _default_identity()
    signer: Auth = identity.signer(service=_AWS_SERVICE, region=settings.aws_region, **more)
    return signer


def _is_aws(identity: Any) -> bool:
    """Return whether an identity is of kind `aws`, whose plugin need not be installed."""
    return hasattr(identity, "signer")


def _default_identity() -> Any:
    try:
        from jackfield_aws import default_identity
    except ImportError:
        raise MissingCredentialError(
            'to sign requests for Claude Platform on AWS, install "jackfield-anthropic[aws]"; or write api_key'
        ) from None
    return default_identity()
