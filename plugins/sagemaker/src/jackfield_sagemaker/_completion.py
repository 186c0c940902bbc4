"""Text generation by a container: the request, which is one text or one conversation, and options."""

from __future__ import annotations

import copy
from typing import Any, Final

from jackfield import Message, UnsupportedError
from jackfield.plugin import (
    UNSET,
    Capabilities,
    ChatRequest,
    CompletionRequest,
    ModelRef,
    Options,
    ParameterWriter,
    Request,
    SummarizeRequest,
    Translation,
    Wire,
    unserved,
)

from ._messages import build_messages
from ._models import ModeRow

__all__ = ["translate_text"]

_SAMPLING: Final = ("temperature", "top_p", "top_k")


def translate_text(
    mode: ModeRow, model: ModelRef, request: Request, capabilities: Capabilities
) -> Translation:
    """Translate a text completion, a chat or a summary.

    Raises:
        UnsupportedError: The mode does not support this kind of request, or cannot honour an option.
    """
    if not isinstance(request, ChatRequest | CompletionRequest | SummarizeRequest):
        raise unserved(f"the mode {mode.name}", request)
    options: Options = request.options
    meta: dict[str, Any] = {"api": "text", "logprobs": options.logprobs is True}
    body: dict[str, Any] = copy.deepcopy(dict(mode.fixed))
    writer = ParameterWriter(options.given(), capabilities, options.unsupported, body, model=model.id)
    content = _input_of(mode, model, request, capabilities, writer)
    if mode.content_type is not None:
        if options.extra.get("sagemaker"):
            writer.refuse("extra", "the body of this mode is the text itself")
        headers = {"Content-Type": mode.content_type}
        return Translation(Wire("/", str(content).encode(), headers=headers, meta=meta), writer.finish())
    body[mode.text or "inputs"] = content
    _put_options(mode, model, writer)
    if request.stream:
        body["stream"] = True
    writer.merge_extra(options.extra, "sagemaker")
    return Translation(Wire("/", body, stream=request.stream, meta=meta), writer.finish())


def _input_of(
    mode: ModeRow,
    model: ModelRef,
    request: ChatRequest | CompletionRequest | SummarizeRequest,
    known: Capabilities,
    writer: ParameterWriter,
) -> Any:
    """Return the input: a text, or a conversation."""
    if isinstance(request, SummarizeRequest):
        return request.text
    if isinstance(request, CompletionRequest):
        return request.prompt
    messages = request.messages
    system = writer.take("system")
    if system is not UNSET:
        messages = (Message("system", system), *messages)
        writer.note("system", "renamed", wire=mode.text, value=system)
    if mode.dialogs:
        return [build_messages(messages, writer)]
    # Without a prompt format: the underlying model is in the table of a plugin that chats with it by an API of its own.
    if known.chat_prompt is None:
        raise UnsupportedError(
            f"{model.id} completes text in the mode {mode.name}; declare the prompt format of its conversations "
            '(prompt = "llama-3"), or use the mode openai',
            parameter="messages",
        )
    prompt, _ = known.chat_prompt(messages)
    writer.note("chat", "emulated", wire=mode.text, why=f"written as one prompt ({known.chat_prompt_name})")
    return prompt


def _put_options(mode: ModeRow, model: ModelRef, writer: ParameterWriter) -> None:
    paths = mode.options
    if "max_tokens" in paths and writer.put("max_tokens", paths["max_tokens"]) is UNSET and mode.max_tokens:
        why = "the container stops after some 20 tokens by default"
        writer.default("max_tokens", paths["max_tokens"], mode.max_tokens, why)
    sampled = _put_sampling(mode, writer)
    for name in ("stop", "seed", "n", "presence_penalty", "frequency_penalty", "logprobs"):
        if name in paths:
            writer.put(name, paths[name], list if name == "stop" else None)
    if sampled and mode.do_sample:
        why = "sampling options apply only with it"
        writer.default("do_sample", "parameters.do_sample", True, why)
    if mode.full_text:
        writer.default(
            "return_full_text", "parameters.return_full_text", False, "the container repeats the prompt"
        )
    if mode.details and model.declared.get("details"):
        writer.default("details", "parameters.details", True, "declared for this endpoint")


def _put_sampling(mode: ModeRow, writer: ParameterWriter) -> bool:
    """Write temperature and the like; return whether the answer is sampled."""
    greedy = False
    sampled = False
    for name in _SAMPLING:
        path = mode.options.get(name)
        if path is None:
            continue
        value = writer.take(name)
        if value is UNSET:
            continue
        if name == "temperature" and value == 0 and mode.greedy:
            writer.write(name, "parameters.do_sample", False)
            greedy = True
            continue
        writer.write(name, path, value)
        sampled = True
    return sampled and not greedy
