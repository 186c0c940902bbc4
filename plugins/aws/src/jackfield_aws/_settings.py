"""The settings of a table `[credentials.NAME]` of the kind `aws`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

from jackfield import ConfigurationError, Secret
from jackfield.plugin import secret, suggestion

__all__ = ["AwsCredentials", "region_fault"]

_DIRECTIONS: Final = (
    "north", "south", "east", "west", "central", "northeast", "northwest", "southeast", "southwest",
)  # fmt: skip
"""The last words of regions. Source: AWS General Reference, regions and endpoints (2026)."""
_REGION: Final = re.compile(r"[a-z]{2,}(-[a-z]+)+-[0-9]{1,2}")
_ROLE: Final = re.compile(r"arn:[a-z0-9-]+:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)
_SESSION_NAME: Final = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_EXTERNAL_ID: Final = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)
_DURATIONS: Final = (900, 43_200)
"""Seconds for which STS grants a role. Source: AWS STS API reference, AssumeRole (2026-11-22)."""


@attrs.frozen(kw_only=True)
class AwsCredentials:
    """Keys of a table `[credentials.NAME]` of the kind `aws`.

    The identity is `access_key_id` with `secret_access_key`, or `profile`, or by default what boto3's chain finds
    (environment, profile `default`, SSO, web identity, container, instance). It may assume `role_arn`.

    Attributes:
        profile: A profile of `~/.aws/config`, with everything it may contain: keys, roles, SSO, `credential_process`.
        access_key_id: A reference to the id of an access key.
        secret_access_key: A reference to its secret.
        session_token: A reference to the token of temporary keys.
        role_arn: The role to assume.
        external_id: The external id that the role's owner requires.
        role_session_name: The name of the session in the role's logs.
        duration: Seconds for which the role is assumed; it is renewed before they end.
        web_identity_token_file: A file with an OIDC token for assuming the role; read again for each renewal.
        region: The region of connections without one.
        sts_url: Replaces the address of STS.
        sso_url: Replaces the address of IAM Identity Center's portal.
        sso_oidc_url: Replaces the address where IAM Identity Center renews tokens.
    """

    profile: str | None = None
    access_key_id: Secret | None = secret()
    secret_access_key: Secret | None = secret()
    session_token: Secret | None = secret()
    role_arn: str | None = None
    external_id: str | None = None
    role_session_name: str | None = None
    duration: int | None = None
    web_identity_token_file: Path | None = None
    region: str | None = None
    sts_url: str | None = None
    sso_url: str | None = None
    sso_oidc_url: str | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse values that cannot work, all at once, when the configuration is loaded."""
        if faults := tuple(self._faults()):
            raise ConfigurationError("; ".join(faults), mistakes=faults)

    def _faults(self) -> Iterator[str]:
        yield from self._source_faults()
        yield from self._role_faults()
        if self.region is not None and (fault := region_fault(self.region)):
            yield fault
        for key in ("sts_url", "sso_url", "sso_oidc_url"):
            address = getattr(self, key)
            if address is not None and not address.startswith(("http://", "https://")):
                yield f"{key} must begin with http:// or https://, got {address!r}"
        if self.profile is not None and not self.profile.strip():
            yield "profile is empty; write a profile's name, or leave it out"

    def _source_faults(self) -> Iterator[str]:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            yield "access_key_id and secret_access_key belong together; write both"
        if self.session_token is not None and self.access_key_id is None:
            yield "session_token requires access_key_id and secret_access_key"
        sources = (self.profile, self.access_key_id, self.web_identity_token_file)
        if sum(source is not None for source in sources) > 1:
            yield "contains several identities; write profile, or access_key_id, or web_identity_token_file"

    def _role_faults(self) -> Iterator[str]:
        if self.role_arn is None:
            given = ("external_id", "role_session_name", "duration", "web_identity_token_file")
            useless = [key for key in given if getattr(self, key) is not None]
            if useless:
                yield f"role_arn is required for {' and '.join(useless)}"
        elif not _ROLE.fullmatch(self.role_arn):
            yield f'role_arn must be a role\'s ARN ("arn:aws:iam::123456789012:role/name"), not {self.role_arn!r}'
        if self.external_id is not None and not _EXTERNAL_ID.fullmatch(self.external_id):
            yield "external_id must be 2 to 1224 letters, digits and any of _+=,.@:/-"
        if self.role_session_name is not None and not _SESSION_NAME.fullmatch(self.role_session_name):
            yield "role_session_name must be 2 to 64 letters, digits and any of _+=,.@-"
        if self.duration is not None and not _DURATIONS[0] <= self.duration <= _DURATIONS[1]:
            yield f"duration must be {_DURATIONS[0]} to {_DURATIONS[1]} seconds, not {self.duration}"
        if self.web_identity_token_file is not None and self.external_id is not None:
            yield "external_id cannot be used with web identities; leave it out"


def _find_slip(region: str) -> str | None:
    """Return that a direction is misspelt; a region may be newer than any table, but not its directions."""
    *before, direction, number = region.split("-")
    meant = None if direction in _DIRECTIONS else suggestion(direction, _DIRECTIONS, cutoff=0.8)
    if meant is None:
        return None
    return f'there is no region {region!r}; did you mean "{"-".join([*before, meant, number])}"?'


def region_fault(region: str) -> str | None:
    """Return what is wrong with the form of a region; None if nothing is, also for unknown regions."""
    if _REGION.fullmatch(region):
        return _find_slip(region)
    # In upper case, or an availability zone ("eu-central-1a").
    near = next((name for name in (region.strip().lower(), region[:-1]) if _REGION.fullmatch(name)), None)
    hint = "" if near is None else f'; write "{near}"'
    return f'region must be a region such as "eu-central-1", not {region!r}{hint}'
