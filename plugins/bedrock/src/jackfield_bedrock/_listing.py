"""The models that an account sees: foundation models, then inference profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
import orjson

from jackfield import MalformedResponseError, ModelCard
from jackfield.plugin import Capability, Head, Kind, Listing, ModelRef, Wire

from ._models import capabilities
from ._settings import BedrockSettings, control_url

__all__ = ["listing"]

_SOURCE: Final = "listing"
_PAGE: Final = {"maxResults": "1000"}


def listing(settings: BedrockSettings) -> Listing:
    """Say how to list models. Source: AWS's service model in botocore 1.44.5 (2026-11).

    The list tells lives, modalities and streams, but neither windows nor prices nor tools.
    """
    host = control_url(settings)
    profiles = Wire(f"{host}/inference-profiles", method="GET", query=_PAGE)

    def parse(_: Head, body: bytes) -> tuple[Sequence[ModelCard], Wire | None]:
        value = orjson.loads(body)
        if isinstance(value, dict) and isinstance(value.get("modelSummaries"), list):
            return [_model(one) for one in value["modelSummaries"]], profiles
        if not isinstance(value, dict) or not isinstance(value.get("inferenceProfileSummaries"), list):
            raise MalformedResponseError("the listing has neither models nor profiles", body=body)
        token = value.get("nextToken")
        more = attrs.evolve(profiles, query={**_PAGE, "nextToken": token}) if token else None
        return [_profile(one) for one in value["inferenceProfileSummaries"]], more

    return Listing(Wire(f"{host}/foundation-models", method="GET"), parse)


def _model(told: Mapping[str, Any]) -> ModelCard:
    name = str(told["modelId"])
    known = capabilities(ModelRef(name))
    outputs = told.get("outputModalities") or ()
    kinds: frozenset[Kind] = known.kinds
    if not known.known:  # what a name alone tells is less than what the service tells
        kinds = frozenset({"embedding"} if "EMBEDDING" in outputs else {"chat"} if "TEXT" in outputs else ())
    features = dict(known.features)
    if told.get("responseStreamingSupported") is not None and "chat" in kinds:
        features["streaming"] = Capability(bool(told["responseStreamingSupported"]), _SOURCE)
    if told.get("inputModalities") and "chat" in kinds:
        features["images"] = Capability("IMAGE" in told["inputModalities"], _SOURCE)
    life = told.get("modelLifecycle") or {}
    return ModelCard(
        id=name,
        title=told.get("modelName"),
        kinds=kinds,
        capabilities=attrs.evolve(known, kinds=kinds, features=features),
        limits=known.limits,
        retired=_day(life.get("endOfLifeTime")) or known.retired,
        data=told,
    )


def _profile(told: Mapping[str, Any]) -> ModelCard:
    """Read a profile; one of the account's own is called by its ARN."""
    arns = [str(one.get("modelArn")) for one in told.get("models") or ()]
    model = arns[0].partition("foundation-model/")[2] if arns else ""
    own = told.get("type") == "APPLICATION"
    known = capabilities(ModelRef(model or str(told["inferenceProfileId"])))
    return ModelCard(
        id=str(told["inferenceProfileArn" if own else "inferenceProfileId"]),
        title=told.get("inferenceProfileName"),
        kinds=known.kinds,
        capabilities=known,
        limits=known.limits,
        underlying=f"bedrock:{model}" if model else None,
        data=told,
    )


def _day(value: Any) -> str | None:
    return value[:10] if isinstance(value, str) else None
