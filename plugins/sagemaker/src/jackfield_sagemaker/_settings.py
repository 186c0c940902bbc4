"""The settings of a connection to SageMaker endpoints."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, get_args

import attrs

from jackfield import ConfigurationError, Secret, TimeoutPolicy
from jackfield.plugin import HttpAccess, ModelEntry
from jackfield_aws import AwsIdentity, default_identity, domain_of, region_fault, region_in

from ._placeholders import KIND_BY_PLACE, is_json, is_placeholder, place_faults, places_in

__all__ = [
    "MODES",
    "Asynchronous",
    "Mode",
    "SageMakerModelKeys",
    "SageMakerSettings",
    "Template",
    "TemplateStream",
    "access",
]

Mode = Literal[
    "claude", "cohere-chat", "cohere-command", "cohere-embed", "embedding", "embedding-jumpstart", "jurassic2",
    "jurassic2-summarize", "lmi", "llama", "llama-dialogs", "openai", "summarization", "summarization-jumpstart",
    "summarization-text", "template", "text2text", "tgi",
]  # fmt: skip
"""The API of a container; `modes.json` defines each."""
MODES: Final[tuple[str, ...]] = get_args(Mode)

_ENDPOINT: Final = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
"""Source: SageMaker runtime service model, `EndpointName` (botocore 1.44.5, 2026-11)."""
_PRINTED: Final = re.compile(r"[!-~][ -~]{0,1023}")
_SECONDS: Final = {"seconds": (60, 3_600), "waits": (60, 21_600)}
_ROLES: Final = ("system", "user", "assistant", "tool", "role", "content")
_BUCKET: Final = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?")


@attrs.frozen(kw_only=True)
class Asynchronous:
    """How to use an endpoint that answers by way of S3.

    Attributes:
        input: The place in S3 for inputs of more than 128,000 bytes, "s3://bucket/prefix"; smaller ones need no S3.
        poll: Seconds between two polls of the output; grows tenfold.
        seconds: How long the model may run, in seconds (60 to 3,600); the service's default is 900.
        waits: How long a request may wait in the queue, in seconds (60 to 21,600); the service's default is 21,600.
    """

    input: str | None = None
    poll: float = 1.0
    seconds: int | None = None
    waits: int | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse values that cannot work, all at once, when the configuration is loaded."""
        if faults := tuple(self._faults()):
            raise ConfigurationError("; ".join(faults), mistakes=faults)

    def _faults(self) -> Iterator[str]:
        if self.input is not None and not _BUCKET.fullmatch(self.input):
            yield f'input must be a place in S3 ("s3://bucket/prefix"), not {self.input!r}'
        if not self.poll > 0:
            yield f"poll must be more than 0 seconds, not {self.poll}"
        for key, (least, most) in _SECONDS.items():
            value = getattr(self, key)
            if value is not None and not least <= value <= most:
                yield f"{key} must be {least} to {most} seconds, not {value}"


@attrs.frozen(kw_only=True)
class TemplateStream:
    """How to read a container's stream.

    Attributes:
        framing: Server-sent events, lines of JSON, JSON objects one after the other, or plain text.
        text: JMESPath of the piece of text in each item; not for plain text.
        finish: JMESPath of the finish reason, which ends the stream. Without it, the end of the body does.
        accept: The requested media type.
    """

    framing: Literal["sse", "jsonlines", "json", "text"]
    text: str | None = None
    finish: str | None = None
    accept: str | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse values that cannot work, all at once, when the configuration is loaded."""
        if faults := tuple(self._faults()):
            raise ConfigurationError("; ".join(faults), mistakes=faults)

    def _faults(self) -> Iterator[str]:
        if (self.framing == "text") != (self.text is None):
            yield 'text is the path of the text in each item; leave it out for framing = "text"'
        yield from _path_faults(self, ("text", "finish"))


@attrs.frozen(kw_only=True)
class Template:
    """How to write a request to a container, and how to read its answer.

    Attributes:
        body: The body, a tree with placeholders; for a content type that is not JSON, a string with one placeholder.
        content_type: The media type of the body.
        accept: The requested media type.
        roles: Other names of roles and of a turn's keys: `{ assistant = "bot", content = "text" }`.
        text: JMESPath of the text of chats, completions and summaries; a list is several choices.
        embeddings: JMESPath of the list of vectors.
        finish: JMESPath of the finish reason.
        finish_map: The meaning of the container's finish reasons: stop, length, content_filter.
        input_tokens: JMESPath of the number of input tokens.
        output_tokens: JMESPath of the number of output tokens.
        error: JMESPath of an error that comes with a successful status.
        stream: How to read a stream; without it the endpoint does not stream.
    """

    body: Any
    content_type: str = "application/json"
    accept: str | None = None
    roles: Mapping[str, str] = attrs.field(factory=dict)
    text: str | None = None
    embeddings: str | None = None
    finish: str | None = None
    finish_map: Mapping[str, Literal["stop", "length", "content_filter"]] = attrs.field(factory=dict)
    input_tokens: str | None = None
    output_tokens: str | None = None
    error: str | None = None
    stream: TemplateStream | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse values that cannot work, all at once, when the configuration is loaded."""
        if faults := tuple(self._faults()):
            raise ConfigurationError("; ".join(faults), mistakes=faults)

    def _faults(self) -> Iterator[str]:
        yield from place_faults(self.body, "body")
        places = {name for name, _ in places_in(self.body)}
        if not places & KIND_BY_PLACE.keys():
            wanted = ", ".join(f"{{{{{name}}}}}" for name in KIND_BY_PLACE)
            yield f"body must contain one of the placeholders {wanted}"
        if not is_json(self.content_type) and not is_placeholder(self.body):
            yield f"body must be one placeholder for the content type {self.content_type}"
        if ("texts" in places) != (self.embeddings is not None):
            yield "the placeholder {{texts}} and the path embeddings belong together"
        if places & {"messages", "prompt", "text"} and self.text is None:
            yield "text is missing: the JMESPath of the answer's text"
        for name in self.roles:
            if name not in _ROLES:
                yield f"roles has the unknown key {name}; known: {', '.join(_ROLES)}"
        yield from _path_faults(
            self, ("text", "embeddings", "finish", "input_tokens", "output_tokens", "error")
        )


def _path_faults(template: object, names: tuple[str, ...]) -> Iterator[str]:
    import jmespath

    for name in names:
        path = getattr(template, name)
        if path is not None:
            try:
                jmespath.compile(path)
            except Exception as error:  # its parser also raises other errors
                yield f"{name} is not a valid JMESPath: {str(error).splitlines()[0]}"


@attrs.frozen(kw_only=True)
class SageMakerModelKeys:
    """Keys of an entry in `models`.

    Attributes:
        mode: The API of the endpoint's container.
        endpoint: The endpoint's name, if it is not the entry's id (several models behind one endpoint).
        inference_component: The inference component, of an endpoint that has several.
        target_model: The model, of a multi-model endpoint.
        target_variant: The production variant.
        target_container: The host name of the container, of a multi-container endpoint.
        custom_attributes: Sent with each request, such as `accept_eula=true` for a model whose licence you accept.
        prompt: The prompt format of conversations, for a model that completes text: llama-2, llama-3, mistral, single.
            The default is that of the underlying model.
        model_name: The model's name in the body (modes openai, cohere-chat, cohere-embed).
        details: Request the container's finish reason and token counts (modes llama, lmi, tgi).
        template: The request and the answer of any other container (mode template).
        asynchronous: The endpoint is asynchronous.
    """

    mode: Mode
    endpoint: str | None = None
    inference_component: str | None = None
    target_model: str | None = None
    target_variant: str | None = None
    target_container: str | None = None
    custom_attributes: str | None = None
    prompt: str | None = None
    model_name: str | None = None
    details: bool = False
    template: Template | None = None
    asynchronous: Asynchronous | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse values that cannot work, all at once, when the configuration is loaded."""
        if faults := tuple(self._faults()):
            raise ConfigurationError("; ".join(faults), mistakes=faults)

    def _faults(self) -> Iterator[str]:
        for key in ("endpoint", "inference_component", "target_variant", "target_container"):
            name = getattr(self, key)
            if name is not None and not _ENDPOINT.fullmatch(name):
                yield f"{key} must be a name of up to 63 letters, digits and dashes, not {name!r}"
        if self.target_model is not None and not _PRINTED.fullmatch(self.target_model):
            yield "target_model must be the path of a model (printable ASCII, no space before it)"
        if (self.mode == "template") != (self.template is not None):
            yield 'mode = "template" and a table template belong together'
        if self.prompt is not None:
            from jackfield_aws.prompts import formats

            if self.prompt not in formats():
                yield f"prompt must be one of {', '.join(formats())}, not {self.prompt!r}"
        if self.custom_attributes is not None and not _PRINTED.fullmatch(self.custom_attributes):
            yield "custom_attributes must be printable ASCII, 1,024 characters at most"


@attrs.frozen(kw_only=True)
class SageMakerSettings:
    """Configuration keys of a connection to SageMaker endpoints.

    Attributes:
        region: The endpoints' region. The default is that in `base_url` if it is one of Amazon's own hosts, else that of
            the identity (environment, profile).
        credentials: The identity that a table `[credentials.NAME]` of the kind `aws` declares; without one, what
            boto3 finds by itself.
        fips: Use the endpoints whose cryptography is validated under FIPS 140. The default is that of the environment
            (`AWS_USE_FIPS_ENDPOINT`) or of the profile (`use_fips_endpoint`).
        dual_stack: Use the endpoints that also have IPv6. The default is that of the environment
            (`AWS_USE_DUALSTACK_ENDPOINT`) or of the profile (`use_dualstack_endpoint`).
        base_url: Replaces scheme and host of the runtime's address.
        control_url: Replaces the address where endpoints are listed.
        s3_url: Replaces the address of S3, for asynchronous endpoints; buckets are then in the path.
        models: The entries, set by the core.
        proxy: The connection's proxy, which the identity uses, too.
        ca_bundle: The connection's certificate authorities, which the identity uses, too.
        headers: The connection's headers.
        timeout: The connection's timeouts.
        max_response: The maximum size of an answer, and of an object in S3, in bytes.
    """

    region: str | None = None
    credentials: AwsIdentity | None = None
    fips: bool | None = None
    dual_stack: bool | None = None
    base_url: str | None = None
    control_url: str | None = None
    s3_url: str | None = None
    models: tuple[ModelEntry, ...] = ()
    proxy: str | None = attrs.field(default=None, repr=False)
    ca_bundle: str | None = None
    headers: Mapping[str, str | Secret] = attrs.field(factory=dict, repr=False)
    timeout: TimeoutPolicy | None = None
    max_response: int | None = 256 << 20

    def __attrs_post_init__(self) -> None:
        """Refuse values that cannot work, all at once, when the configuration is loaded."""
        if faults := tuple(self._faults()):
            raise ConfigurationError("; ".join(faults), mistakes=faults)

    def _faults(self) -> Iterator[str]:
        if self.region is not None and (fault := region_fault(self.region)):
            yield fault
        elif self.region is not None and (there := region_in(self.base_url)) not in (None, self.region):
            yield f"base_url is in {there}, and region is {self.region}: requests are signed for one; leave region out"
        for entry in self.models:
            endpoint = getattr(entry.own, "endpoint", None) or entry.id
            if not _ENDPOINT.fullmatch(endpoint):
                yield f'models[{entry.id}] is not the name of an endpoint; write endpoint = "NAME" beside the id'

    @property
    def identity(self) -> AwsIdentity:
        """The declared identity, or the machine's."""
        return self.credentials or default_identity()

    @property
    def is_asynchronous(self) -> bool:
        """An endpoint of the connection is asynchronous."""
        return any(getattr(entry.own, "asynchronous", None) is not None for entry in self.models)

    def fingerprint_parts(self) -> object:
        """Return the region and the identity, which the machine may decide: an endpoint is of one account and region."""
        return self.region or region_in(
            self.base_url
        ) or self.identity.region(), self.identity.fingerprint_parts()


def region_of(settings: SageMakerSettings, identity: AwsIdentity) -> str:
    """Return the region.

    Raises:
        ConfigurationError: There is none, or what the machine is configured with is not a region.
    """
    region = settings.region or region_in(settings.base_url) or identity.region()
    if region is None:
        raise ConfigurationError(
            'no region is known: write region = "eu-central-1", or set AWS_REGION in the environment'
        )
    if fault := region_fault(region):  # a region from the environment also becomes part of the host
        raise ConfigurationError(fault)
    return region


def _variants(settings: SageMakerSettings) -> tuple[bool, bool]:
    """Return whether the hosts are those with FIPS 140, and those with IPv6: declared, or of the machine."""
    fips, dual_stack = settings.fips, settings.dual_stack
    return (
        settings.identity.wants_fips() if fips is None else fips,
        settings.identity.wants_dual_stack() if dual_stack is None else dual_stack,
    )


def _address(settings: SageMakerSettings, region: str, service: str) -> str:
    """Return an address of SageMaker. Source: AWS's endpoint rules in botocore 1.44.5 (2026-11).

    Args:
        settings: The connection's settings.
        region: The region.
        service: `runtime` or `api`.
    """
    fips, dual_stack = _variants(settings)
    domain = domain_of(region, dual_stack=dual_stack)
    name = f"{service}.sagemaker{'-fips' if fips else ''}"
    if fips and not dual_stack and domain == "amazonaws.com":
        # The names of older endpoints; in GovCloud all of the runtime's are of this kind.
        plain = service == "runtime" and region.startswith("us-gov-")
        name = f"{service}{'' if plain else '-fips'}.sagemaker"
    return f"https://{name}.{region}.{domain}"


def s3_address(settings: SageMakerSettings, region: str, bucket: str) -> str:
    """Return the address of a bucket; one with dots in its name is in the path, because TLS does not accept such a host."""
    if settings.s3_url is not None:
        return f"{settings.s3_url.rstrip('/')}/{bucket}"
    fips, dual_stack = _variants(settings)
    host = f"s3{'-fips' if fips else ''}.{'dualstack.' if dual_stack else ''}{region}.{domain_of(region)}"
    return f"https://{host}/{bucket}" if "." in bucket else f"https://{bucket}.{host}"


def control_address(settings: SageMakerSettings) -> str:
    """Return the address where endpoints are listed."""
    if settings.control_url is not None:
        return settings.control_url.rstrip("/")
    region = region_of(settings, settings.identity)
    return _address(settings, region, "api")


def access(settings: SageMakerSettings) -> HttpAccess:
    """Return the address and the authentication, with that of S3 if an endpoint is asynchronous.

    Raises:
        ConfigurationError: The region is unknown.
    """
    identity = settings.identity
    region = region_of(settings, identity)
    base_url = settings.base_url or _address(settings, region, "runtime")

    def signer(service: str) -> Any:
        return identity.signer(
            service=service, region=region, proxy=settings.proxy, ca_bundle=settings.ca_bundle
        )

    if not settings.is_asynchronous:
        return HttpAccess(base_url=base_url, auth=signer("sagemaker"))
    return HttpAccess(base_url=base_url, auth=signer("sagemaker"), named_auth={"s3": signer("s3")})
