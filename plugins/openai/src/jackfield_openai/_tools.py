"""JSON schemas as the service wants them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["follows_strict_rules", "schema_name"]


def follows_strict_rules(schema: Any) -> bool:
    """Say whether `strict` can be asked for: every object is closed and requires all that it has.

    Source: OpenAI's guide to structured outputs; a schema that breaks this gives 400 with `strict: true`.
    """
    if isinstance(schema, Mapping):
        if schema.get("type") == "object" or "properties" in schema:
            properties = schema.get("properties", {})
            if schema.get("additionalProperties") is not False or set(schema.get("required", ())) != set(
                properties
            ):
                return False
        return all(follows_strict_rules(value) for value in schema.values())
    if isinstance(schema, list | tuple):
        return all(follows_strict_rules(value) for value in schema)
    return True


def schema_name(schema: Mapping[str, Any]) -> str:
    """Give a schema the name that the service requires: its title in the allowed letters, else "response"."""
    title = schema.get("title")
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", title)[:64].strip("_") if isinstance(title, str) else ""
    return name or "response"
