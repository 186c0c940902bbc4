"""Capabilities of the models behind endpoints. The table is Azure OpenAI's."""

from __future__ import annotations

from typing import Final

import attrs

from jackfield.plugin import Capabilities, Capability, ModelRef
from jackfield_azure_openai.dialect import capabilities_of, is_openai, name_of, with_name_of_limit

__all__ = ["capabilities"]

_NO: Final = Capability(value=False, source="table 2026-11-22")


def capabilities(model: ModelRef) -> Capabilities:
    """Return the capabilities of an endpoint's model.

    Most models require `max_tokens`, OpenAI's own `max_completion_tokens`.
    """
    name = name_of(model)
    known = Capabilities() if name is None else capabilities_of(name, "foundry")
    features = {**known.features, "count_tokens": _NO}
    if name is None or not is_openai(name, "foundry"):
        return attrs.evolve(known, features=features)
    known = attrs.evolve(known, features={**features, "documents": _NO})
    return with_name_of_limit(known, "max_completion_tokens") if "chat" in known.kinds else known
