"""From ids of models to rows of the table, families and paths."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from jackfield.plugin import ModelRef, load_table, quote_path, quote_segment

__all__ = ["claude_name", "family_of", "path_of", "row_of", "table"]

_VERSION: Final = re.compile(r"(@.*|-\d{3})$")
_EMBEDDING: Final = re.compile(r"embedding.*-\d{3}$")
_MARKS: Final = "@"
_RESOURCE: Final = re.compile(r"endpoints/[^/]+|publishers/[^/]+/models/[^/]+")
"""Ids of resources at the connection's location; in other ids a slash is part of the model's name."""
_NOWHERE: Final = "/v1/projects/-/locations/-"


def table() -> Mapping[str, Any]:
    """Return the table of models."""
    return load_table(__file__, "models.json")


def _bare(name: str) -> str:
    """Return a model's name without publisher and version: `publishers/google/models/gemini-1.5-pro-002`."""
    name = name.rpartition("/")[2]
    if name in table()["models"] or _EMBEDDING.search(name):
        return name
    name = _VERSION.sub("", name)
    return str(table()["aliases"].get(name, name))


@lru_cache(maxsize=512)
def row_of(name: str) -> Mapping[str, Any]:
    """Return the row of a model, or what its name implies; `known` says which."""
    bare = _bare(name)
    row = table()["models"].get(bare)
    if row is not None:
        return {**row, "known": True}
    for pattern, family, facts in table()["patterns"]:
        if re.search(pattern, bare):
            return {"family": family, "known": False, **facts}
    return {"family": "gemini", "known": False}


def family_of(name: str) -> str:
    """Return the family of a model: gemini, claude, palm-chat, palm-text, palm-code or embedding."""
    return str(row_of(name)["family"])


def claude_name(name: str) -> str:
    """Return the id of a model such as `claude-3-5-sonnet-v2@20241022` in Anthropic's own table."""
    return re.sub(r"-v\d+(?=@|$)", "", name.rpartition("/")[2]).replace("@", "-").removesuffix("-default")


def path_of(model: ModelRef, method: str) -> str:
    """Return the path of a model's method.

    An id of digits, or `endpoints/ID`, is a tuned model's endpoint; `projects/…` is a resource's whole name;
    `publishers/NAME/models/ID` names the publisher; else it follows from the model.

    Raises:
        ConfigurationError: The id cannot be part of a path.
    """
    prefix = getattr(model.settings, "prefix", _NOWHERE)
    name = model.id
    if name.startswith("projects/"):
        # A project of a domain has a colon ("example.com:name"); after the last segment it would name a method.
        parent, _, last = name.rpartition("/")
        return f"/v1/{quote_path(parent, safe=_MARKS + ':')}/{quote_segment(last, safe=_MARKS)}:{method}"
    if _RESOURCE.fullmatch(name):
        name = quote_path(name, safe=_MARKS)
    elif name.isdigit():
        name = f"endpoints/{name}"
    else:
        publisher = "anthropic" if family_of(model.known_as) == "claude" else "google"
        name = f"publishers/{publisher}/models/{quote_segment(name, safe=_MARKS)}"
    return f"{prefix}/{name}:{method}"
