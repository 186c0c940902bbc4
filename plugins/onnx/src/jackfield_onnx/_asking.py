"""Read a wire's body as a request to the engine."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Final

from ._engine import GenerateRequest
from ._errors import RequestError
from ._text import Turn

__all__ = ["read_request"]

_PLAIN: Final = (
    "max_tokens", "temperature", "top_p", "top_k", "min_p", "seed", "presence_penalty", "frequency_penalty",
    "repetition_penalty",
)  # fmt: skip
_KNOWN: Final = frozenset(
    {
        *_PLAIN,
        "model",
        "folder",
        "chat_template",
        "prompt",
        "messages",
        "stop",
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "n",
    }
)


def read_request(body: Mapping[str, Any]) -> GenerateRequest:
    """Read a body of `chat`, `completion` or `count`.

    Raises:
        RequestError: It holds what the engine does not know, or a value that it cannot use.
    """
    for name in body:
        if name not in _KNOWN:
            near = difflib.get_close_matches(name, _KNOWN, n=1)
            raise RequestError(
                "the engine has no such parameter",
                name,
                f"Did you mean {near[0]!r}?" if near else "Leave it out.",
            )
    given = {name: body[name] for name in _PLAIN if name in body}
    try:
        return GenerateRequest(
            prompt=body["prompt"] if "prompt" in body else tuple(_turns(body["messages"])),
            stop=tuple(body.get("stop", ())),
            logit_bias={int(token): float(bias) for token, bias in body.get("logit_bias", {}).items()},
            top_logprobs=_top_logprobs(body),
            **given,
        )
    except (TypeError, ValueError) as error:
        raise RequestError(f"a parameter cannot be read: {error}", "the request") from error


def _turns(messages: list[dict[str, str]]) -> list[Turn]:
    return [Turn(message["role"], message["content"]) for message in messages]


def _top_logprobs(body: Mapping[str, Any]) -> int | None:
    """Say how many alternatives are wanted; None for no log-probabilities at all."""
    top: int | None = body.get("top_logprobs")
    if body.get("logprobs", top is not None) is False:
        return None
    return 0 if top is None else top
