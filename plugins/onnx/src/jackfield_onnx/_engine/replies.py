"""A request for one reply, and the parts in which the reply arrives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from jackfield_onnx._local_errors import (
    RequestError,
)
from jackfield_onnx._text.constraint import TokenConstraint
from jackfield_onnx._text.template import Turn

from .scheduler import FinishReason

__all__ = ["GenerateRequest", "Step", "TokenDetail", "Usage"]


@attrs.frozen(kw_only=True)
class GenerateRequest:
    """A request for one reply. None leaves an option to the model's default.

    Args:
        prompt: A conversation, to be rendered by the model's chat template; or a text to continue.
        max_tokens: Maximum number of tokens; None leaves it to the engine's `max_output` and the context.
        stop: Strings that end the reply and are not part of it.
        temperature: See `Sampling`, as for the following up to `top_logprobs`.
        tools: Tools for the chat template, in the shape that templates expect.
        constraint: Constrains the reply to a grammar; created for this request only.
        shown: Control tokens whose names are part of the reply's text.
    """

    prompt: str | tuple[Turn, ...]
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: Mapping[int, float] = attrs.field(factory=dict)
    seed: int | None = None
    top_logprobs: int | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    constraint: TokenConstraint | None = None
    shown: Mapping[int, str] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        if self.max_tokens is not None and self.max_tokens < 1:
            raise RequestError(f"max_tokens must be 1 or more, not {self.max_tokens}", "max_tokens")
        if "" in self.stop:
            raise RequestError("a stop string must not be empty", "stop")


@attrs.frozen
class TokenDetail:
    """A token with its text (U+FFFD for part of a character), its log-probability, and the most probable tokens."""

    token: int
    text: str
    logprob: float
    top: tuple[TokenDetail, ...] = ()


@attrs.define
class Step:
    """A new part of a reply.

    Args:
        text: Complete characters, without stop strings.
        tokens: Ids of its tokens, including an end token.
        logprobs: One entry per token, if they were requested.
        finish: `stop` or `length` in the last step, else None.
    """

    text: str
    tokens: tuple[int, ...]
    logprobs: tuple[TokenDetail, ...] | None = None
    finish: FinishReason | None = None


@attrs.frozen(kw_only=True)
class Usage:
    """What a reply has used so far.

    Args:
        prompt_tokens: Tokens of the prompt.
        generated_tokens: Tokens generated, including the end token and those removed by a stop string.
        queued_seconds: Time in the queue.
        prompt_seconds: Time for reading the prompt.
        seconds: Time for which the model worked on the reply: reading its prompt, and its share of each step that it took
            part in with others. The shares of all replies add up to the time for which the model was busy.
    """

    prompt_tokens: int
    generated_tokens: int
    queued_seconds: float
    prompt_seconds: float
    seconds: float
