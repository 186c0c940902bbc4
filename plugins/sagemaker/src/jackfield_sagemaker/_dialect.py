"""How containers differ that use another service's dialect: OpenAI's, Anthropic's text completions, Cohere's."""

from __future__ import annotations

from typing import Final

from jackfield.plugin import ModelRef
from jackfield_anthropic import Dialect as Claude
from jackfield_cohere import Dialect as Cohere
from jackfield_openai import Dialect as OpenAI

__all__ = ["CLAUDE", "COHERE", "OPENAI"]

_HERE: Final = "/"
"""The path within the container does not matter: the envelope has one."""

OPENAI: Final = OpenAI(
    id="sagemaker", chat_path=_HERE, completion_path=_HERE, embedding_path=_HERE, models_path=None,
    send_model=False, end="finish",
)  # fmt: skip
"""Source: djl-serving, LMI chat completions schema; text-generation-inference, Messages API (2026-11-22)."""


def _name(model: ModelRef) -> str:
    # A Claude without `underlying` is known to complete text, as all of its time do.
    return "claude-2" if model.underlying is None else model.known_as


CLAUDE: Final = Claude(
    id="sagemaker", name=_name, messages_path=_HERE, count_path=None, complete_path=_HERE,
    models_path=None, send_model=False, send_stream=False, body_version=None, framing="aws_eventstream",
)  # fmt: skip

COHERE: Final = Cohere(
    id="sagemaker", paths=dict.fromkeys(("generate", "chat_v1", "embed"), _HERE), route="v1",
    send_model=False, stop="stop_sequences", base64=False,
)  # fmt: skip
"""Source: cohere-aws 0.8.18."""
