"""A model's id: under which name the tables know it, and where it is called.

A path has the id as one percent-encoded segment, behind an inference profile or not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from jackfield import ConfigurationError
from jackfield.plugin import ModelRef, load_table, quote_segment

__all__ = ["bare", "claude_name", "cohere_name", "model_id", "path_of", "table"]

_NAMED: Final = ("foundation-model", "inference-profile")
_VERSION: Final = re.compile(r"-v\d+([:-]\d+)*(:\d+k|:mm)?$")


def table() -> Mapping[str, Any]:
    """Return the table of models, of which names are a part."""
    return load_table(__file__, "models.json")


@lru_cache(maxsize=512)
def bare(name: str) -> str:
    """Give a model's id without ARN and region: `eu.anthropic.claude-…`, `arn:…:inference-profile/eu.anthropic…`.

    Returns:
        The id; "" for an ARN that does not tell its model (a provisioned, custom or application's own).
    """
    if name.startswith("arn:"):
        # A model's id may hold colons itself.
        kind, _, name = name.split(":", 5)[-1].partition("/")
        if kind not in _NAMED:
            return ""
    first, _, rest = name.partition(".")
    makers = table()["makers"]
    return rest if first not in makers and rest.partition(".")[0] in makers else name


def claude_name(name: str) -> str:
    """Give the id under which Anthropic's own table knows a model: `us.anthropic.claude-3-5-sonnet-20241022-v2:0`."""
    name = bare(name).removeprefix("anthropic.")
    for begin, known in table()["claude_names"].items():
        if name.startswith(begin):
            return str(known)
    return _VERSION.sub("", name)


def cohere_name(name: str) -> str:
    """Give the id under which Cohere's own table knows an embedding model."""
    name = bare(name).removeprefix("cohere.").partition(":")[0]
    return f"{name}.0" if re.search(r"v\d$", name) else name


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
