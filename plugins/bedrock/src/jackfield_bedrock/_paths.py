"""Where a model is called: its id as one percent-encoded segment of a path, behind an inference profile or not."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from jackfield import ConfigurationError
from jackfield.plugin import ModelRef, quote_segment

from ._models import bare

__all__ = ["model_id", "path_of"]


def model_id(model: ModelRef, *, profile: bool = True) -> str:
    """Give the id that the service is told.

    Args:
        model: The model.
        profile: Put the inference profile before it; the operation that counts tokens takes no profile (recorded
            in 2025: "The provided model doesn't support counting tokens.").

    Raises:
        ConfigurationError: An ARN is of another region than the connection.
    """
    settings = model.settings
    declared: Any = model.declared.get("inference_profile")
    chosen = getattr(settings, "inference_profile", None) if declared is None else declared
    return _id(model.id, chosen or "", getattr(settings, "region", None) or "", profile=profile)


@lru_cache(maxsize=1024)
def _id(asked: str, chosen: str, region: str, *, profile: bool) -> str:
    if not profile:
        return bare(asked) or asked
    if asked.startswith("arn:"):
        _refuse_other_region(asked, region)
        return asked
    if not chosen:
        return asked
    if chosen.startswith("arn:"):
        _refuse_other_region(chosen, region)
        return chosen
    return asked if bare(asked) != asked else f"{chosen.rstrip('.')}.{asked}"


def _refuse_other_region(arn: str, region: str) -> None:
    there = arn.split(":")[3]
    if there and region and there != region:
        raise ConfigurationError(
            f"{arn} is in {there}, and the connection in {region}; they must be the same"
        )


def path_of(model: ModelRef, operation: str, *, profile: bool = True) -> str:
    """Give the path of a model's operation.

    Ids hold `:` and ARNs also `/`; they are encoded once, as AWS's own client does, and are signed as they are sent.
    """
    return _path(model_id(model, profile=profile), operation)


@lru_cache(maxsize=2048)
def _path(name: str, operation: str) -> str:
    return f"/model/{quote_segment(name)}/{operation}"
