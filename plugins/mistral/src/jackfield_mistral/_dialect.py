"""How Mistral differs from OpenAI's dialect, as values, and how it counts and cites."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import attrs

from jackfield import Citation, Usage
from jackfield.plugin import Decoder, Wire
from jackfield_openai import Dialect, decoder as openai_decoder, read_usage as openai_usage

from ._models import capabilities_of

__all__ = ["FIM", "MISTRAL", "decoder", "read_source", "read_usage"]


def read_usage(raw: Mapping[str, Any]) -> Usage:
    """Read Mistral's count of tokens.

    Sources: API description of 2026-08-21, which spells `prompt_token_details` in one place; recorded answers of
    2026: `num_cached_tokens` on its own; `prompt_tokens` leaves out `audio_tokens`, which `total_tokens` holds.
    """
    inside = raw.get("prompt_tokens_details") or raw.get("prompt_token_details") or {}
    usage = openai_usage(
        {**raw, "prompt_tokens_details": inside, "cached_tokens": raw.get("num_cached_tokens")}
    )
    heard, told = inside.get("audio_tokens") or 0, usage.total_tokens
    if heard and told is not None and raw.get("total_tokens") == told + heard:
        usage = attrs.evolve(usage, input_tokens=told + heard - (usage.output_tokens or 0))
    seconds = raw.get("prompt_audio_seconds")
    if seconds:
        usage = attrs.evolve(usage, units={"input_audio_second": Decimal(str(seconds))})
    return usage


def read_source(part: Mapping[str, Any]) -> Citation | None:
    """Read a content part that names a source; None for other parts.

    Source: `ReferenceChunk` and `ToolReferenceChunk` of the Python SDK 3.7.0.
    """
    kind = part.get("type")
    if kind == "reference":
        named = ", ".join(str(number) for number in part.get("reference_ids") or ())
        return Citation(source_id=named or None, data=part)
    if kind == "tool_reference":
        return Citation(title=part.get("title"), url=part.get("url"), data=part)
    return None


MISTRAL: Final = Dialect(
    id="mistral",
    capabilities=capabilities_of,
    chat_path="/v1/chat/completions",
    completion_path="/v1/fim/completions",
    embedding_path="/v1/embeddings",
    models_path="/v1/models",
    usage_option=False,
    renamed={"seed": "random_seed", "dimensions": "output_dimension", "user": None, "logit_bias": None},
    end="finish",
    usage=read_usage,
    source=read_source,
)
"""Chat and embeddings. Sources: API description of 2026-08-21 and Python SDK 3.7.0 (November 2026).

Unknown fields are answered with 422, so what the service does not have is never sent. Base64 embeddings are
documented, but no answer with them was seen, so numbers are asked for; both are read.
"""

FIM: Final = attrs.evolve(
    MISTRAL,
    renamed={
        **MISTRAL.renamed,
        "n": None,
        "top_k": None,
        "presence_penalty": None,
        "frequency_penalty": None,
    },
)
"""Fill-in-the-middle, the only text completion. Source: `FIMCompletionRequest` of the Python SDK 3.7.0."""


def decoder(wire: Wire) -> Decoder:
    """Give the decoder for the answer to a wire; fill-in-the-middle answers like a chat."""
    return openai_decoder(MISTRAL, wire)
