"""How Bedrock differs in the dialects of other makers; paths depend on the model."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import attrs

from jackfield_anthropic import Dialect as Claude
from jackfield_cohere import Dialect as Cohere
from jackfield_openai import Dialect as OpenAI

from ._names import claude_name, cohere_name

__all__ = [
    "CLAUDE_KNOWN",
    "COHERE_KNOWN",
    "LIKE_OPENAI",
    "OPENAI",
    "claude",
    "cohere",
    "like_openai",
    "openai",
]

# Source: Bedrock user guide, Anthropic Claude Messages API (2024-2026): the body has the version and the betas, but
# neither model nor stream.
CLAUDE_KNOWN: Final = Claude(
    id="bedrock",
    name=lambda model: claude_name(model.known_as),
    count_path=None,
    models_path=None,
    api_version="2023-06-01",
    body_version="bedrock-2023-05-31",
    send_model=False,
    send_stream=False,
    framing="aws_eventstream",
    betas="body",
)

# Source: Bedrock user guide, Cohere Command, Command R and Embed models (2024-2026).
COHERE_KNOWN: Final = Cohere(
    id="bedrock",
    name=lambda model: cohere_name(model.known_as),
    paths={},
    route="v1",
    send_model=False,
    framing="aws_eventstream",
    stop="stop_sequences",
    base64=False,
)

OPENAI: Final = OpenAI(id="bedrock", end="clean")
LIKE_OPENAI: Final = OpenAI(id="bedrock", send_model=False, usage_option=False, end="finish", effort=None)
"""Bodies of Jamba and of Mistral's chats: OpenAI's messages, without a model, and `stop_reason` for the end."""


@lru_cache(maxsize=256)
def claude(path: str, stream_path: str, *, text: bool) -> Claude:
    """Return Claude's dialect for a model's paths; the body of a text completion has no version."""
    return attrs.evolve(
        CLAUDE_KNOWN,
        messages_path=path,
        stream_path=stream_path,
        complete_path=path,
        complete_stream_path=stream_path,
        body_version=None if text else CLAUDE_KNOWN.body_version,
    )


@lru_cache(maxsize=256)
def cohere(path: str, stream_path: str, *, generate: bool) -> Cohere:
    """Return Cohere's dialect for a model's paths; only a streamed `generate` has `stream` in its body."""
    apis = ("chat_v1", "generate", "embed")
    return attrs.evolve(
        COHERE_KNOWN,
        paths=dict.fromkeys(apis, path),
        stream_paths=dict.fromkeys(apis, stream_path),
        send_stream=generate,
    )


@lru_cache(maxsize=64)
def openai(prefix: str) -> OpenAI:
    """Return OpenAI's dialect for a prefix of the path."""
    return attrs.evolve(OPENAI, chat_path=f"{prefix}/chat/completions", responses_path=f"{prefix}/responses")


@lru_cache(maxsize=256)
def like_openai(path: str) -> OpenAI:
    """Return the dialect of a native body that is like OpenAI's."""
    return attrs.evolve(LIKE_OPENAI, chat_path=path)
