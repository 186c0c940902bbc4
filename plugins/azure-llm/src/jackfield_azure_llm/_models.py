"""Capabilities of the models behind endpoints. The table is Azure OpenAI's."""

from __future__ import annotations

from typing import Final

import attrs

from jackfield import ConfigurationError
from jackfield.plugin import Capabilities, Capability, ModelRef
from jackfield_anthropic import capabilities as of_claude
from jackfield_azure_openai.dialect import capabilities_of, is_openai, name_of, with_name_of_limit

from ._dialect import CLAUDE
from ._names import is_claude
from ._settings import AzureLLMSettings

__all__ = ["capabilities"]

_NO: Final = Capability(value=False, source="table 2026-11-22")


def capabilities(model: ModelRef) -> Capabilities:
    """Return the capabilities of an endpoint's model.

    Most models require `max_tokens`, OpenAI's own `max_completion_tokens`. Claude's are those of Anthropic's own table.
    """
    name = name_of(model)
    if is_claude(name) or _by_messages(model):
        return _of_claude(model)
    known = Capabilities() if name is None else capabilities_of(name, "foundry")
    features = {**known.features, "count_tokens": _NO}
    if name is None or not is_openai(name, "foundry"):
        return attrs.evolve(known, features=features)
    known = attrs.evolve(known, features={**features, "documents": _NO})
    return with_name_of_limit(known, "max_completion_tokens") if "chat" in known.kinds else known


def _by_messages(model: ModelRef) -> bool:
    settings = model.settings
    try:
        return isinstance(settings, AzureLLMSettings) and settings.target(model.declared).messages
    except ConfigurationError:  # the settings report it when they are complete
        return False


def _of_claude(model: ModelRef) -> Capabilities:
    version = getattr(model.settings, "anthropic_version", None)
    known = of_claude(attrs.evolve(CLAUDE, api_version=version), model)
    # Foundry has messages only, none of Anthropic's models for text completions.
    return attrs.evolve(known, kinds=frozenset({"chat"}), chat_prompt=None, chat_prompt_name=None)
