"""The live list of models: foundation models, then inference profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from jackfield import MalformedResponseError, ModelCard
from jackfield.plugin import Capability, Head, Kind, Listing, ModelRef, Wire, read_json

from ._models import capabilities
from ._settings import BedrockSettings, control_url

__all__ = ["listing"]

_SOURCE: Final = "listing"
_PAGE: Final = {"maxResults": "1000"}


def listing(settings: BedrockSettings) -> Listing:
    """Return how to list models. Source: AWS's service model in botocore 1.44.5 (2026-11).

    The list contains lifecycles, modalities and streaming, but not context windows, prices or tools.
    """
    host = control_url(settings)
    profiles = Wire(f"{host}/inference-profiles", method="GET", query=_PAGE)

    def parse(_: Head, body: bytes) -> tuple[Sequence[ModelCard], Wire | None]:
        value = read_json(body)
        if isinstance(value, dict) and isinstance(value.get("modelSummaries"), list):
            return [_model(one) for one in value["modelSummaries"]], profiles
        if not isinstance(value, dict) or not isinstance(value.get("inferenceProfileSummaries"), list):
            raise MalformedResponseError("the listing has neither models nor profiles", body=body)
        token = value.get("nextToken")
        more = attrs.evolve(profiles, query={**_PAGE, "nextToken": token}) if token else None
        return [_profile(one) for one in value["inferenceProfileSummaries"]], more

    return Listing(Wire(f"{host}/foundation-models", method="GET"), parse)


def _model(summary: Mapping[str, Any]) -> ModelCard:
    name = str(summary["modelId"])
    known = capabilities(ModelRef(name))
    outputs = summary.get("outputModalities") or ()
    kinds: frozenset[Kind] = known.kinds
    if not known.known:  # what the service lists is more than what a name suggests
        kinds = frozenset({"embedding"} if "EMBEDDING" in outputs else {"chat"} if "TEXT" in outputs else ())
    features = dict(known.features)
    if summary.get("responseStreamingSupported") is not None and "chat" in kinds:
        features["streaming"] = Capability(bool(summary["responseStreamingSupported"]), _SOURCE)
    if summary.get("inputModalities") and "chat" in kinds:
        features["images"] = Capability("IMAGE" in summary["inputModalities"], _SOURCE)
    life = summary.get("modelLifecycle") or {}
    return ModelCard(
        id=name,
        title=summary.get("modelName"),
        kinds=kinds,
        capabilities=attrs.evolve(known, kinds=kinds, features=features),
        limits=known.limits,
        retired=_day(life.get("endOfLifeTime")) or known.retired,
        data=summary,
    )


def _profile(summary: Mapping[str, Any]) -> ModelCard:
    """Read an inference profile; one of the account's own is called by its ARN."""
    arns = [str(one.get("modelArn")) for one in summary.get("models") or ()]
    model = arns[0].partition("foundation-model/")[2] if arns else ""
    own = summary.get("type") == "APPLICATION"
    known = capabilities(ModelRef(model or str(summary["inferenceProfileId"])))
    return ModelCard(
        id=str(summary["inferenceProfileArn" if own else "inferenceProfileId"]),
        title=summary.get("inferenceProfileName"),
        kinds=known.kinds,
        capabilities=known,
        limits=known.limits,
        underlying=f"bedrock:{model}" if model else None,
        data=summary,
    )


def _day(value: Any) -> str | None:
    return value[:10] if isinstance(value, str) else None
