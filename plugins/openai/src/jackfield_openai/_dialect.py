"""How services differ that use OpenAI's dialect, as one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias

import attrs

from jackfield import Citation, Usage
from jackfield.plugin import Capabilities, ModelRef, quote_segment

from ._usage import read_usage

__all__ = ["OPENAI", "CacheMark", "Dialect", "EndRule"]

CacheMark: TypeAlias = Literal["prompt_cache_breakpoint", "cache_control"]
EndRule: TypeAlias = Literal["finish", "marker", "clean"]


def _know_nothing(_: ModelRef) -> Capabilities:
    return Capabilities()


def _read_no_source(_: Mapping[str, Any]) -> Citation | None:
    return None


@attrs.frozen(
    kw_only=True, eq=False, repr=False
)  # there are few, and each method takes a millisecond to make
class Dialect:
    """How one service uses the dialect.

    The defaults are what most OpenAI-compatible servers have in common.

    Attributes:
        id: The provider's id: the `provider` of thinking and raw parts, and the key of the service's own options
            in `extra`.
        also: Further ids whose `extra`, thinking and raw parts this service accepts.
        capabilities: Returns the capabilities of a model, without a request.
        chat_path: The path of chats. In each of the paths, the model's id replaces `{model}`.
        completion_path: The path of text completions.
        embedding_path: The path of embeddings.
        responses_path: The path of the Responses API; None if the service does not have it.
        models_path: The path of the list of models; None if there is no list.
        max_tokens: The service's name of `max_tokens` in chats.
        system_role: The role of system messages.
        usage_option: A stream reports its usage only if `stream_options` request it.
        base64: Embeddings are requested as base64.
        effort: The place of a reasoning effort in the body, with dots; None if the service does not accept one.
        reasoning_budget: The place of a reasoning budget in tokens; None if the service does not accept one.
        renamed: The service's names of other options, with dots, by ours; None for an option that it does not have.
        send_model: The body names the model.
        end: When a stream is complete: "finish" requires a finish reason for each choice, with or without `[DONE]` behind
            it; for "marker", `[DONE]` is enough, of services that send no reasons; for "clean", a body that ended cleanly
            and contained each choice is, and with `[DONE]` but without reasons an answer is read, but not `complete`.
        cache_mark: The field that marks the end of a cacheable prefix: OpenAI's, or Anthropic's, which services
            that resell Claude accept.
        usage: Reads the service's token counts.
        source: Reads a content part that names a source (Mistral); returns None for all other parts.
        cost: The place of the cost of a call in USD in the service's usage; None if it does not report one.
        bridges_tools: An assistant's turn must stand between a tool's result and a user's turn, whatever the model
            (Mistral); it is put there for models whose names say that they are Mistral's anyway.
        narrow_strict: Strict schemas must not limit values (`pattern`, `minimum` and the like) (Azure).
        background: The Responses API computes answers in the background. The connection's `HttpAccess` then needs
            `named_transports=NAMED_TRANSPORTS`.
        input_types: The service's values of `input_type` for embeddings, by ours; empty if it has no such option.
    """

    id: str
    also: tuple[str, ...] = ()
    capabilities: Callable[[ModelRef], Capabilities] = _know_nothing
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
    source: Callable[[Mapping[str, Any]], Citation | None] = _read_no_source
    cost: str | None = None
    bridges_tools: bool = False
    narrow_strict: bool = False
    background: bool = False
    input_types: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids that callers may use for this service in `extra`."""
        return (self.id, *self.also)

    def is_narrow(self, model: ModelRef) -> bool:
        """Return whether strict schemas of a model must not limit values; those of fine-tuned models must not."""
        return self.narrow_strict or model.known_as.startswith("ft:")

    def start(self, path: str, model: ModelRef) -> tuple[str, dict[str, Any]]:
        """Return the path and the initial body of a wire."""
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
    background=True,
)
"""OpenAI itself. Source: OpenAI's Python SDK 3.54.0, November 2026.

System messages keep the role `system`, which the service treats like `developer`.
"""
