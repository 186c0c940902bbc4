"""Gemini: `generateContent`, streamed or whole, and `countTokens`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jackfield.plugin import (
    Capabilities,
    ChatRequest,
    CountRequest,
    ModelRef,
    Options,
    ParameterWriter,
    Translation,
    Wire,
)

from ._messages import Conversation
from ._names import path_of, row_of
from ._tools import put_format, put_reasoning, put_tools

__all__ = ["translate_chat", "translate_count"]

_PLAIN: Final[Mapping[str, str]] = {
    "max_tokens": "generationConfig.maxOutputTokens",
    "temperature": "generationConfig.temperature",
    "top_p": "generationConfig.topP",
    "top_k": "generationConfig.topK",
    "n": "generationConfig.candidateCount",
    "seed": "generationConfig.seed",
    "presence_penalty": "generationConfig.presencePenalty",
    "frequency_penalty": "generationConfig.frequencyPenalty",
    "logprobs": "generationConfig.responseLogprobs",
    "top_logprobs": "generationConfig.logprobs",
}
_COUNTED: Final = frozenset({"system", "tools"})


def translate_chat(model: ModelRef, request: ChatRequest, capabilities: Capabilities) -> Translation:
    """Translate a chat. Source: google.cloud.aiplatform.v1 (2.7.0), google-genai 2.34."""
    options = request.options
    body: dict[str, Any] = {}
    writer = ParameterWriter.of(request, model, capabilities, body)
    row = row_of(model.known_as)
    _put_conversation(writer, request, row)
    put_tools(writer, options, row)
    for name, path in _PLAIN.items():
        if name in writer.left:
            writer.put(name, path)
    writer.put("stop", "generationConfig.stopSequences", list)
    put_format(writer, row)
    put_reasoning(writer, options, row)
    _put_safety(writer, model)
    _merge_extra(writer, options)
    method = "streamGenerateContent" if request.stream else "generateContent"
    # Without alt=sse a stream is one growing JSON array.
    query = {"alt": "sse"} if request.stream else {}
    wire = Wire(
        path_of(model, method),
        body,
        query=query,
        stream=request.stream,
        framing="sse" if request.stream else None,
        meta={"family": "gemini"},
    )
    return Translation(wire, writer.finish())


def translate_count(model: ModelRef, request: CountRequest, capabilities: Capabilities) -> Translation:
    """Translate a request to count tokens; options that do not change the count are dropped."""
    options = request.options
    given = options.given()
    body: dict[str, Any] = {}
    counted = {name: value for name, value in given.items() if name in _COUNTED}
    writer = ParameterWriter(counted, capabilities, options.unsupported, body, model=model.id)
    for name in given.keys() - counted:
        writer.drop(name, "the service only counts contents, system instruction and tools", given[name])
    row = row_of(model.known_as)
    _put_conversation(writer, request, row)
    put_tools(writer, options, row)
    _merge_extra(writer, options)
    wire = Wire(path_of(model, "countTokens"), body, meta={"family": "count"})
    return Translation(wire, writer.finish())


def _put_conversation(
    writer: ParameterWriter, request: ChatRequest | CountRequest, row: Mapping[str, Any]
) -> None:
    signed = row.get("signed", False)
    conversation = Conversation(writer, emulate=request.options.emulate, signed=signed)
    system, contents = conversation.write(writer.take("system"), request.messages)
    writer.body["contents"] = contents
    if system:
        writer.body["systemInstruction"] = {"parts": system}


def _put_safety(writer: ParameterWriter, model: ModelRef) -> None:
    safety = getattr(model.settings, "safety", None)
    if safety:
        settings = [{"category": category, "threshold": threshold} for category, threshold in safety.items()]
        writer.default("safety", "safetySettings", settings, "it is configured for the connection")


def _merge_extra(writer: ParameterWriter, options: Options) -> None:
    """Merge `extra`; its tools, which are the service's own, come after the caller's."""
    writer.merge_extra(options.extra, "vertex", joined=("tools",))
