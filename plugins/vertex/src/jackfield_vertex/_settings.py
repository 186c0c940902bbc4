"""The configuration keys of a connection to Vertex AI."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from jackfield import ConfigurationError, Secret
from jackfield.plugin import Auth, HttpAccess, StaticHeader, secret

from ._credentials import GoogleIdentity
from ._keys import GoogleCredentials

__all__ = ["VertexSettings", "access", "host"]

_MULTI_REGIONS: Final = ("us", "eu")
# A region, or one word for a larger location; the form admits new ones.
_LOCATION: Final = re.compile(r"[a-z]+(-[a-z]+[0-9]+)?")
_CATEGORY: Final = re.compile(r"HARM_CATEGORY_[A-Z_]+")
# Source: Vertex AI, HarmBlockThreshold (2026).
_THRESHOLDS: Final = (
    "BLOCK_LOW_AND_ABOVE", "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_ONLY_HIGH", "BLOCK_NONE", "OFF",
    "HARM_BLOCK_THRESHOLD_UNSPECIFIED",
)  # fmt: skip
_PROJECT: Final = re.compile(r"[a-z0-9][a-z0-9:.-]*")


def _from_environment(*names: str) -> str | None:
    return next((value for name in names if (value := os.environ.get(name))), None)


@attrs.frozen(kw_only=True)
class VertexSettings:
    """The configuration keys of a connection to Vertex AI.

    Attributes:
        project: The Google Cloud project; by default the environment variable `GOOGLE_CLOUD_PROJECT`. Not needed with a key.
        location: A region such as `europe-west4`, `global`, or a multi-region, `us` or `eu`;
            by default the environment variable `GOOGLE_CLOUD_LOCATION`, else `global`.
        credentials: The identity that a table `[credentials.NAME]` of the kind `google` declares; without one and
            without a key, application default credentials.
        api_key: A reference to a key of the service's express mode, which has no project; `none` for a server without
            authentication.
        base_url: Replaces scheme and host.
        quota_project: The project that is charged for quota, if it is another one.
        safety: Thresholds by category, sent with every chat of Gemini:
            `{ HARM_CATEGORY_HARASSMENT = "BLOCK_ONLY_HIGH" }`.
        proxy: The connection's proxy, which is also used for tokens.
        ca_bundle: The connection's certificate authorities, which are also used for tokens.
    """

    project: str | None = attrs.field(factory=lambda: _from_environment("GOOGLE_CLOUD_PROJECT"))
    location: str = attrs.field(factory=lambda: _from_environment("GOOGLE_CLOUD_LOCATION") or "global")
    credentials: GoogleIdentity | None = None
    api_key: Secret | None = secret(hosts=("googleapis.com",))
    base_url: str | None = None
    quota_project: str | None = None
    safety: Mapping[str, str] = attrs.field(factory=dict)
    proxy: str | None = attrs.field(default=None, repr=False)
    ca_bundle: str | None = None

    def __attrs_post_init__(self) -> None:
        """Report all mistakes at once, when the configuration is loaded."""
        if faults := tuple(self._faults()):
            raise ConfigurationError("; ".join(faults), mistakes=faults)

    def _faults(self) -> Iterator[str]:
        if self.api_key is not None and self.credentials is not None:
            yield "api_key and credentials are two identities; write one"
        if self.project is None and self.api_key is None:
            yield "project is missing; write it, or set GOOGLE_CLOUD_PROJECT in the environment"
        for key in ("project", "quota_project"):
            name = getattr(self, key)
            if name is not None and not _PROJECT.fullmatch(name):
                yield f"{key} must be a project's id or number, not {name!r}"
        if not _LOCATION.fullmatch(self.location):
            # "europe-west4-b" is a zone of a region.
            region = re.match(r"([a-z]+-[a-z]+\d+)-[a-z]$", self.location)
            hint = f'; write "{region[1]}"' if region else ""
            yield f'location must be a region ("europe-west4"), "global", "us" or "eu", not {self.location!r}{hint}'
        for category, threshold in self.safety.items():
            if not _CATEGORY.fullmatch(category):
                yield f"safety: {category!r} is not a valid category; write it as HARM_CATEGORY_HARASSMENT"
            if threshold not in _THRESHOLDS:
                yield f"safety.{category} must be one of {', '.join(_THRESHOLDS)}, not {threshold!r}"

    def fingerprint_parts(self) -> object:
        """Return the declared identity, and what the environment says of application default credentials."""
        if self.api_key is not None:
            return None
        return (self.credentials or GoogleIdentity(GoogleCredentials())).fingerprint_parts()

    @property
    def prefix(self) -> str:
        """The part of every path before `/publishers/` and `/endpoints/`."""
        if self.project is None or (self.api_key is not None and not self.api_key.is_none):
            return "/v1"
        return f"/v1/projects/{self.project}/locations/{self.location}"


def host(settings: VertexSettings) -> str:
    """Return the address of a location. Source: Vertex AI, locations of generative AI (2026); express mode is global."""
    location = "global" if settings.api_key is not None else settings.location
    if location == "global":
        return "https://aiplatform.googleapis.com"
    if location in _MULTI_REGIONS:
        return f"https://aiplatform.{location}.rep.googleapis.com"
    return f"https://{location}-aiplatform.googleapis.com"


def access(settings: VertexSettings) -> HttpAccess:
    """Return the address of Vertex AI, and how to authenticate."""
    base_url = host(settings) if settings.base_url is None else settings.base_url.rstrip("/")
    headers = {} if settings.quota_project is None else {"x-goog-user-project": settings.quota_project}
    auth: Auth
    if settings.api_key is not None:
        auth = StaticHeader("x-goog-api-key", settings.api_key)
    else:
        identity = settings.credentials or GoogleIdentity(GoogleCredentials())
        auth = identity.auth(proxy=settings.proxy, ca_bundle=settings.ca_bundle)
    return HttpAccess(base_url=base_url, auth=auth, headers=headers)
