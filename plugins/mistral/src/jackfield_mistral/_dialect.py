"""How Mistral differs from OpenAI's dialect, as values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from jackfield import Citation
from jackfield_openai import Dialect, read_usage as read_openai_usage

from ._models import capabilities_of
from ._usage import read_usage

__all__ = ["FIM", "MISTRAL", "RESPONSES"]


def _read_source(part: Mapping[str, Any]) -> Citation | None:
    """Read a content part that names a source; None for other parts.

    Source: `ReferenceChunk` and `ToolReferenceChunk` of the Python SDK 3.7.0.
    """
    kind = part.get("type")
    if kind == "reference":
        ids = ", ".join(str(number) for number in part.get("reference_ids") or ())
        return Citation(source_id=ids or None, data=part)
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
    source=_read_source,
    bridges_tools=True,
)
"""Chat and embeddings. Sources: API description of 2026-08-21 and Python SDK 3.7.0 (November 2026).

Unknown fields get status 422, so a field that the service does not have is never sent. Base64 embeddings are
documented, but no such answer has been recorded, so numbers are requested; both are read.
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

RESPONSES: Final = attrs.evolve(MISTRAL, responses_path="/v1/responses", usage=read_openai_usage)
"""Responses, and the endpoint that counts their tokens. Source: Python SDK 3.7.0 (November 2026)."""
