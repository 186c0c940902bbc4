"""The keyword options of calls, for type checkers and editors: making these classes takes as long as ten calls, and no call needs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from jackfield._faces import show_in
from jackfield._types.content import Tool
from jackfield._types.option_rules import UnsupportedPolicy
from jackfield._types.replies import Reply

__all__ = ["ChatOptions", "EmbedOptions", "RerankOptions"]


class ChatOptions(TypedDict, total=False):
    """The keyword options of `chat`, `complete`, `summarize`, their streams, `count_tokens` and `explain`.

    What is not given is not sent; 0, False, "" and [] are given. See `Options` for their meaning. Never sent are `timeout`, and
    for whom the call is made: `owner`, a path such as "org/team/app", and `labels`, texts by name. Limits, logs and traces use
    them.
    """

    system: str
    max_tokens: int
    temperature: float
    top_p: float
    top_k: int
    stop: str | Sequence[str]
    seed: int
    presence_penalty: float
    frequency_penalty: float
    logit_bias: Mapping[str, float] | Mapping[int, float]
    logprobs: bool
    top_logprobs: int
    n: int
    tools: Sequence[Tool | Mapping[str, Any]]
    tool_choice: str
    parallel_tool_calls: bool
    response_format: str | Mapping[str, Any]
    reasoning: str | Mapping[str, Any]
    user: str
    suffix: str
    store: bool
    continue_from: Reply
    background: bool
    extra: Mapping[str, Mapping[str, Any]]
    timeout: float | Mapping[str, float]
    owner: str
    labels: Mapping[str, str]
    unsupported: UnsupportedPolicy
    emulate: bool


class EmbedOptions(TypedDict, total=False):
    """The keyword options of `embed`."""

    dimensions: int
    input_type: str
    truncate: str
    user: str
    extra: Mapping[str, Mapping[str, Any]]
    timeout: float | Mapping[str, float]
    owner: str
    labels: Mapping[str, str]
    unsupported: UnsupportedPolicy


class RerankOptions(TypedDict, total=False):
    """The keyword options of `rerank`."""

    top_n: int
    truncate: str
    extra: Mapping[str, Mapping[str, Any]]
    timeout: float | Mapping[str, float]
    owner: str
    labels: Mapping[str, str]
    unsupported: UnsupportedPolicy


show_in("jackfield", ChatOptions, EmbedOptions, RerankOptions)
