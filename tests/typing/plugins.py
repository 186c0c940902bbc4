"""The public types of the plugins, and the plugins by the types of the contract. Read by type checkers alone, never run."""

from __future__ import annotations

from pathlib import Path

from jackfield import Mesh, Secret
from jackfield.plugin import CredentialKind, Middleware, MiddlewareKind
from jackfield.testing import FullProviderPlugin
from jackfield_audit import AUDIT, AuditLog, AuditSettings
from jackfield_aws import CREDENTIALS as AWS, AwsCredentials, AwsIdentity, default_identity
from jackfield_cache import CACHE, CacheSettings, ResponseCache
from jackfield_openai import CompatiblePlugin, Dialect, OpenAISettings, compatible
from jackfield_pii import PII, PiiGuard, PiiSettings
from jackfield_vertex import CREDENTIALS as GOOGLE

acme: FullProviderPlugin = compatible(id="acme", base_url="https://llm.acme.example/v1")
also: CompatiblePlugin = compatible(id="acme", base_url="https://llm.acme.example/v1", end="finish")
nameless = compatible(base_url="https://llm.acme.example/v1")  # type: ignore[call-arg]

dialect = Dialect(id="acme", end="finish", renamed={"seed": None})
wrong_end = Dialect(id="acme", end="never")  # type: ignore[arg-type]
settings = OpenAISettings(api_key=Secret("sk-0"), base_url="https://llm.acme.example/v1")
open_key = OpenAISettings(api_key="sk-0")  # type: ignore[arg-type]

installed: list[MiddlewareKind] = [AUDIT, CACHE, PII]
made: list[Middleware] = [
    AuditLog(AuditSettings(path=Path("audit.jsonl"))),
    ResponseCache(CacheSettings(ttl=60.0)),
    PiiGuard(PiiSettings(mode="block")),
    PII({"mode": "report"}),
]
wrong_mode = PiiSettings(mode="hide")  # type: ignore[arg-type]
mesh = Mesh.from_config("jackfield.toml", middlewares=made)

shared: list[CredentialKind] = [AWS, GOOGLE]
identities: list[AwsIdentity] = [default_identity(), AwsIdentity(AwsCredentials(profile="prod"))]
