"""What differs between services that speak OpenAI's dialect, as one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias

import attrs

from jackfield import Citation, Usage
from jackfield.plugin import Capabilities, ModelRef, quote_segment

from ._usage import read_usage

__all__ = ["OPENAI", "CacheMark", "Dialect", "EndRule"]

CacheMark: TypeAlias = Literal["prompt_cache_breakpoint", "cache_control"]
EndRule: TypeAlias = Literal["finish", "clean"]


def _unknown(_: ModelRef) -> Capabilities:
    return Capabilities()


def _no_source(_: Mapping[str, Any]) -> Citation | None:
    return None


@attrs.frozen(kw_only=True)
class Dialect:
    """How one service speaks.

    The defaults are what most OpenAI-compatible servers have in common.

    Attributes:
        id: The provider's id; tags thinking and raw parts, and names the service's own options in `extra`.
        also: Further ids whose `extra`, thinking and raw parts this service understands.
        capabilities: What is known of a model offline.
        chat_path: Where chats go; likewise the other paths. The model's id replaces `{model}`.
        completion_path: Where text completions go.
        embedding_path: Where embeddings go.
        responses_path: Where the Responses API is; None if there is none.
        models_path: Where models are listed; None if they are not.
        max_tokens: The name of the limit of a chat's answer.
        system_role: The role of system messages.
        usage_option: A stream tells its usage only if `stream_options` ask for it.
        base64: Embeddings are asked for as base64.
        effort: Where a reasoning effort goes, a dotted path; None if nowhere.
        reasoning_budget: Where a reasoning budget in tokens goes; None if nowhere.
        renamed: Other options under other names: ours to theirs, a dotted path. None: there is no such option.
        send_model: The body names the model.
        end: When a stream without `[DONE]` is whole: "finish", a finish reason for each choice; "clean",
            also without one, if the body ended cleanly and something was said.
        cache_mark: The field that marks the end of a cacheable prefix: OpenAI's own, or Anthropic's, which
            services that resell Claude take.
        usage: Reads the service's count of tokens.
        source: Reads a content part of an answer that names a source (Mistral); None for all other parts.
        cost: Where in its usage the service says what the call cost in USD; None if nowhere.
        late_finish: A filter may still block after the finish reason (Azure's asynchronous filter), so the
            end of a choice is told at the end of the answer.
        input_types: The service's words for our `input_type` of embeddings; empty if it has none.
    """

    id: str
    also: tuple[str, ...] = ()
    capabilities: Callable[[ModelRef], Capabilities] = _unknown
    chat_path: str = "/chat/completions"
    completion_path: str = "/completions"
    embedding_path: str = "/embeddings"
    responses_path: str | None = None
    models_path: str | None = "/models"
    max_tokens: str = "max_tokens"
    system_role: str = "system"
    usage_option: bool = True
    base64: bool = False
    effort: str | None = "reasoning_effort"
    reasoning_budget: str | None = None
    renamed: Mapping[str, str | None] = attrs.field(factory=dict)
    send_model: bool = True
    end: EndRule = "clean"
    cache_mark: CacheMark = "prompt_cache_breakpoint"
    usage: Callable[[Mapping[str, Any]], Usage] = read_usage
    source: Callable[[Mapping[str, Any]], Citation | None] = _no_source
    cost: str | None = None
    late_finish: bool = False
    input_types: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids under which callers may address this service."""
        return (self.id, *self.also)

    def start(self, path: str, model: ModelRef) -> tuple[str, dict[str, Any]]:
        """Begin a wire: the path and the body."""
        if "{model}" in path:
            path = path.replace("{model}", quote_segment(model.id))
        return path, {"model": model.id} if self.send_model else {}


def _openai_capabilities(model: ModelRef) -> Capabilities:
    from ._models import capabilities

    return capabilities(model.known_as)


OPENAI: Final = Dialect(
    id="openai",
    capabilities=_openai_capabilities,
    responses_path="/responses",
    max_tokens="max_completion_tokens",
    base64=True,
    renamed={"top_k": None},
    end="finish",
)
"""OpenAI itself. Source: OpenAI's Python SDK 3.54.0, November 2026.

System messages keep the role `system`: the service turns `system` and `developer` into one another.
"""
