"""Map a model's id to its names in the tables, and to the paths where it is called."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from jackfield import ConfigurationError
from jackfield.plugin import ModelRef, load_table, quote_segment

__all__ = ["bare_id", "claude_name", "cohere_name", "model_id", "path_of", "table"]

_NAMED: Final = ("foundation-model", "inference-profile")
# What ids of inference profiles begin with. Source: Bedrock user guide, "Geographic and global cross-Region inference" (2026).
_GEOGRAPHIES: Final = frozenset({"us", "us-gov", "eu", "apac", "jp", "au", "ca", "global"})
_VERSION: Final = re.compile(r"-v\d+([:-]\d+)*(:\d+k|:mm)?$")


def table() -> Mapping[str, Any]:
    """Return the table of models, which contains names."""
    return load_table(__file__, "models.json")


@lru_cache(maxsize=512)
def bare_id(name: str) -> str:
    """Return a model's id without ARN and region: `eu.anthropic.claude-…`, `arn:…:inference-profile/eu.anthropic…`.

    Returns:
        The id; "" for an ARN that does not name its model (a provisioned or custom model, an application profile).
    """
    if name.startswith("arn:"):
        # A model's id may contain colons.
        kind, _, name = name.split(":", 5)[-1].partition("/")
        if kind not in _NAMED:
            return ""
    first, _, rest = name.partition(".")
    maker, _, model = rest.partition(".")
    makers = table()["makers"]
    # The prefixes and the makers grow: one that is known tells the other.
    is_profile = model and first not in makers and (maker in makers or first in _GEOGRAPHIES)
    return rest if is_profile else name


def claude_name(name: str) -> str:
    """Return the name in Anthropic's own table of an id such as `us.anthropic.claude-3-5-sonnet-20241022-v2:0`."""
    name = bare_id(name).removeprefix("anthropic.")
    for begin, known in table()["claude_names"].items():
        if name.startswith(begin):
            return str(known)
    return _VERSION.sub("", name)


def cohere_name(name: str) -> str:
    """Return the name of an embedding model in Cohere's own table."""
    name = bare_id(name).removeprefix("cohere.").partition(":")[0]
    return f"{name}.0" if re.search(r"v\d$", name) else name


def model_id(model: ModelRef, *, profile: bool = True) -> str:
    """Return the id under which a model is called.

    Args:
        model: The model.
        profile: Prefix the inference profile; the operation that counts tokens does not accept one (recorded in 2025:
            "The provided model doesn't support counting tokens."), nor an ARN that does not name its model.

    Raises:
        ConfigurationError: An ARN and the connection have different regions.
    """
    if not profile:
        return bare_id(model.id) or _bedrock_id(model.known_as) or model.id
    settings = model.settings
    declared: Any = model.declared.get("inference_profile")
    chosen = getattr(settings, "inference_profile", None) if declared is None else declared
    return _id(model.id, chosen or "", getattr(settings, "region", None) or "")


def _bedrock_id(name: str) -> str | None:
    """Return the id of an underlying model; None if it is the name in another provider's table."""
    name = bare_id(name)
    return name if "." in name.partition("-")[0] else None


@lru_cache(maxsize=1024)
def _id(asked: str, chosen: str, region: str) -> str:
    if asked.startswith("arn:"):
        _refuse_other_region(asked, region)
        return asked
    if not chosen:
        return asked
    if chosen.startswith("arn:"):
        _refuse_other_region(chosen, region)
        return chosen
    return asked if bare_id(asked) != asked else f"{chosen.rstrip('.')}.{asked}"


def _refuse_other_region(arn: str, region: str) -> None:
    there = arn.split(":")[3]
    if there and region and there != region:
        raise ConfigurationError(
            f"{arn} is in {there}, and the connection in {region}; they must be the same"
        )


def path_of(model: ModelRef, operation: str, *, profile: bool = True) -> str:
    """Return the path of an operation on a model.

    Ids contain `:` and ARNs also `/`; they are encoded once, as AWS's own client does, and are signed as they are sent.
    """
    return _path(model_id(model, profile=profile), operation)


@lru_cache(maxsize=2048)
def _path(name: str, operation: str) -> str:
    return f"/model/{quote_segment(name)}/{operation}"
