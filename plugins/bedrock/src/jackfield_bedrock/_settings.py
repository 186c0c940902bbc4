"""The settings of a connection to Amazon Bedrock."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Final, Literal

import attrs

from jackfield import ConfigurationError, Secret
from jackfield.plugin import Auth, HttpAccess, StaticHeader, is_at_hosts, secret
from jackfield_aws import AMAZON_HOSTS, AwsIdentity, default_identity, domain_of, region_fault, region_in

__all__ = ["MANTLE", "BedrockSettings", "ModelKeys", "access", "control_url", "mantle_url"]

MANTLE: Final = "mantle"
"""The name of the authentication for the newer endpoint of OpenAI's APIs, which is signed for by another name."""

_BEARER: Final = "AWS_BEARER_TOKEN_BEDROCK"
_PROFILE: Final = re.compile(r"[a-z]{2,}(-[a-z]+)*\.?|arn:aws[a-z-]*:bedrock:[a-z0-9-]+:\d*:\S+", re.ASCII)
# Source: AWS's service model in botocore 1.44.5 (2026-11): GuardrailIdentifier, GuardrailVersion, RequestMetadata.
_GUARDRAIL: Final = re.compile(
    r"[a-z0-9]+|arn:aws(-[^:]+)?:bedrock:[a-z0-9-]{1,20}:[0-9]{12}:guardrail/[a-z0-9]+"
)
_VERSION: Final = re.compile(r"[1-9][0-9]{0,7}|DRAFT")
_LABEL: Final = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{1,256}", re.ASCII)
_MAX_LABELS: Final = 16


@attrs.frozen(kw_only=True)
class BedrockSettings:
    """Configuration keys of a connection to Amazon Bedrock.

    Attributes:
        region: A region such as `eu-central-1`. The default is that in `base_url` if it is one of Amazon's own hosts, else
            that of the identity: declared, of the environment (`AWS_REGION`, `AWS_DEFAULT_REGION`), or of the profile.
        credentials: The identity that a table `[credentials.NAME]` of the kind `aws` declares; without one and without
            a key, what the machine offers (AWS's usual chain).
        api_key: A reference to a Bedrock API key. The default, without `credentials`, is
            `env:AWS_BEARER_TOKEN_BEDROCK` if that is set, and only for Amazon's own hosts. `none` for a server that
            does not authenticate.
        base_url: Replaces scheme and host of every address, including that of the listing. Requests to it are signed,
            which shows the id of the access key and no secret.
        fips: Use the endpoint whose cryptography is validated under FIPS 140. The default is that of the environment
            (`AWS_USE_FIPS_ENDPOINT`) or of the profile (`use_fips_endpoint`).
        dual_stack: Use the endpoint that also has IPv6. The default is that of the environment
            (`AWS_USE_DUALSTACK_ENDPOINT`) or of the profile (`use_dualstack_endpoint`).
        inference_profile: A prefix (`eu`, `us`, `global`) for every model id that is not an ARN and has no prefix; or
            the ARN of an inference profile, which then replaces every model id of the connection.
        guardrail_id: A guardrail's id or ARN, for every call that generates text.
        guardrail_version: Its version: a number, or `DRAFT`.
        guardrail_trace: `enabled`, `disabled` or `enabled_full`; the trace is in `reply.raw`.
        guardrail_stream: How a stream is watched: `sync` or `async`.
        service_tier: `default`, `priority`, `flex` or `reserved`.
        latency: `standard` or `optimized`.
        request_metadata: Labels that appear in the service's own logs.
        proxy: The connection's proxy, which is also used to fetch credentials.
        ca_bundle: The connection's certificate authorities, which are also used to fetch credentials.
    """

    region: str | None = None
    credentials: AwsIdentity | None = None
    api_key: Secret | None = secret()
    base_url: str | None = None
    fips: bool | None = None
    dual_stack: bool | None = None
    inference_profile: str | None = None
    guardrail_id: str | None = None
    guardrail_version: str | None = None
    guardrail_trace: Literal["enabled", "disabled", "enabled_full"] | None = None
    guardrail_stream: Literal["sync", "async"] | None = None
    service_tier: Literal["default", "priority", "flex", "reserved"] | None = None
    latency: Literal["standard", "optimized"] | None = None
    request_metadata: Mapping[str, str] = attrs.field(factory=dict)
    proxy: str | None = attrs.field(default=None, repr=False)
    ca_bundle: str | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse values that cannot work, all at once, when the configuration is loaded."""
        identity = self.credentials or default_identity()
        if self.region is None:
            object.__setattr__(self, "region", region_in(self.base_url) or identity.region())
        if self.base_url is None:  # another address has no variants
            if self.fips is None:
                object.__setattr__(self, "fips", identity.wants_fips())
            if self.dual_stack is None:
                object.__setattr__(self, "dual_stack", identity.wants_dual_stack())
        if faults := tuple(self._faults()):
            raise ConfigurationError("; ".join(faults), mistakes=faults)

    def _faults(self) -> Iterator[str]:
        if self.api_key is not None and self.credentials is not None:
            yield "api_key and credentials are two ways to authenticate; write one"
        for name in ("fips", "dual_stack"):
            if self.base_url is not None and getattr(self, name):
                yield f"{name} chooses a host, and base_url replaces it; write one"
        if self.api_key is None and self.bearer is not None and not self._is_own:
            yield (
                f"base_url is not Amazon's own, and the key in {_BEARER} does not go there unasked: write "
                f'api_key = "env:{_BEARER}", or credentials, or api_key = "none" if that server does not authenticate'
            )
        yield from _profile_faults(self.inference_profile)
        yield from self._guardrail_faults()
        labels = self.request_metadata
        if len(labels) > _MAX_LABELS or not all(
            map(_LABEL.fullmatch, (*labels, *filter(None, labels.values())))
        ):
            yield f"request_metadata may have up to {_MAX_LABELS} labels of letters, digits, spaces and any of _:@$#=/+,-."
        if self.region is None:
            yield "region is missing; write it, or set AWS_REGION in the environment, or in the profile"
        elif fault := region_fault(self.region):
            yield fault
        elif (there := region_in(self.base_url)) not in (None, self.region):
            yield f"base_url is in {there}, and region is {self.region}: requests are signed for one; leave region out"

    def _guardrail_faults(self) -> Iterator[str]:
        if (self.guardrail_id is None) != (self.guardrail_version is None):
            yield 'a guardrail requires guardrail_id and guardrail_version ("1", "DRAFT")'
        if self.guardrail_id is not None and not _GUARDRAIL.fullmatch(self.guardrail_id):
            yield f"guardrail_id must be a guardrail's id (lower-case letters, digits) or ARN, not {self.guardrail_id!r}"
        if self.guardrail_version is not None and not _VERSION.fullmatch(self.guardrail_version):
            yield f'guardrail_version must be a number in a string ("1") or "DRAFT", not {self.guardrail_version!r}'

    @property
    def bearer(self) -> Secret | None:
        """The API key that is used, if one is."""
        if self.api_key is not None or self.credentials is not None:
            return self.api_key
        return Secret(reference=f"env:{_BEARER}") if os.environ.get(_BEARER) else None

    @property
    def _is_own(self) -> bool:
        return self.base_url is None or is_at_hosts(self.base_url, AMAZON_HOSTS)

    @property
    def place(self) -> str:
        """The region, which is known since the configuration was loaded."""
        return self.region or ""

    @property
    def native_headers(self) -> Mapping[str, str]:
        """The headers of every call of InvokeModel. Source: AWS's service model in botocore 1.44.5 (2026-11)."""
        headers = {
            "X-Amzn-Bedrock-GuardrailIdentifier": self.guardrail_id,
            "X-Amzn-Bedrock-GuardrailVersion": self.guardrail_version,
            "X-Amzn-Bedrock-Trace": self.guardrail_trace and self.guardrail_trace.upper(),
            "X-Amzn-Bedrock-PerformanceConfig-Latency": self.latency,
            "X-Amzn-Bedrock-Service-Tier": self.service_tier,
        }
        if self.request_metadata:
            from jackfield.plugin import write_json

            headers["X-Amzn-Bedrock-Request-Metadata"] = write_json(self.request_metadata).decode()
        return {name: value for name, value in headers.items() if value is not None}


@attrs.frozen(kw_only=True)
class ModelKeys:
    """Keys of an entry in `models`.

    Attributes:
        inference_profile: Replaces the connection's; "" for none.
    """

    inference_profile: str | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse a value that is not a profile, when the configuration is loaded."""
        if faults := tuple(_profile_faults(self.inference_profile or None)):
            raise ConfigurationError("; ".join(faults), mistakes=faults)


def _profile_faults(profile: str | None) -> Iterator[str]:
    if profile is not None and not _PROFILE.fullmatch(profile):
        yield f'inference_profile must be a prefix such as "eu" or "global", or the ARN of an inference profile, not {profile!r}'


def access(settings: BedrockSettings) -> HttpAccess:
    """Return the address and the authentication. Source: AWS's service model in botocore 1.44.5 (2026-11).

    Requests are signed for the service `bedrock`. The newer endpoint of OpenAI's APIs is signed for as `bedrock-mantle`. Source: OpenAI's Java library 4.45, bedrock.md
    (2026).
    """
    if settings.bearer is not None:
        key = StaticHeader("Authorization", settings.bearer, "Bearer ")
        return HttpAccess(base_url=_runtime_url(settings), auth=key, named_auth={MANTLE: key})
    identity = settings.credentials or default_identity()
    signers: dict[str, Auth] = {
        service: identity.signer(
            service=service, region=settings.place, proxy=settings.proxy, ca_bundle=settings.ca_bundle
        )
        for service in ("bedrock", "bedrock-mantle")
    }
    return HttpAccess(
        base_url=_runtime_url(settings),
        auth=signers["bedrock"],
        named_auth={MANTLE: signers["bedrock-mantle"]},
    )


def _runtime_url(settings: BedrockSettings) -> str:
    if settings.base_url is not None:
        return settings.base_url.rstrip("/")
    return _host("bedrock-runtime", settings)


def control_url(settings: BedrockSettings) -> str:
    """Return the prefix of the paths of the control plane; "" if `base_url` replaces it."""
    return "" if settings.base_url is not None else _host("bedrock", settings)


def mantle_url(settings: BedrockSettings | None) -> str:
    """Return the prefix of the paths of the newer endpoint of OpenAI's APIs; "" if `base_url` replaces it."""
    if settings is None or settings.base_url is not None:
        return ""
    return f"https://bedrock-mantle.{settings.place}.{domain_of(settings.place, dual_stack=True)}"


def _host(service: str, settings: BedrockSettings) -> str:
    """Return an address of a service. Source: AWS's endpoint rules in botocore 1.44.5 (2026-11)."""
    domain = domain_of(settings.place, dual_stack=bool(settings.dual_stack))
    return f"https://{service}{'-fips' if settings.fips else ''}.{settings.place}.{domain}"
