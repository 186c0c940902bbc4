"""The custom query template: a request whose body is declared in the configuration.

It is not a template language: there are no calls, attributes or expressions. Answers are read by JMESPath, which has no
side effects.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield import Message, UnsupportedError
from jackfield.plugin import (
    UNSET,
    Capabilities,
    ChatRequest,
    CompletionRequest,
    EmbedRequest,
    ModelRef,
    ParameterWriter,
    Request,
    SummarizeRequest,
    Translation,
    Wire,
    unserved,
)

from ._messages import build_messages
from ._placeholders import OPTIONS, fill, is_json, places_in

__all__ = ["translate_by_template"]


def translate_by_template(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Translate a request by filling in a template.

    Raises:
        UnsupportedError: The template has no placeholder for the kind of request, or for an option.
    """
    template: Mapping[str, Any] = model.declared["template"]
    places = dict(places_in(template["body"]))
    given, extra, policy = _options_of(request)
    # The declared body decides the names of options, not the rules of the underlying model's own service.
    writer = ParameterWriter(given, capabilities, policy, {}, model=model.id)
    if isinstance(request, ChatRequest) and "messages" not in places and capabilities.chat_prompt is not None:
        request = _as_completion(request, capabilities, writer)
    values = _values(model, request, template, places, writer)
    for name in OPTIONS:
        if name in places and (value := writer.take(name)) is not UNSET:
            values[name] = list(value) if isinstance(value, tuple) else value
            fate = "sent" if places[name] == name else "renamed"
            writer.note(name, fate, wire=places[name], value=values[name])  # type: ignore[arg-type]
    body = fill(template["body"], values)
    headers = {"Content-Type": template.get("content_type", "application/json")}
    stream: Mapping[str, Any] = template.get("stream") or {}
    accept = stream.get("accept") if request.stream else template.get("accept")
    if accept is not None:
        headers["Accept"] = accept
    if not is_json(headers["Content-Type"]):
        body = str(body).encode()
    elif isinstance(body, dict):
        writer.merge_extra(extra, "sagemaker", into=body)
    meta = {"api": "template", "inputs": len(values.get("texts", ())), "template": _paths_of(template)}
    if request.stream:
        meta["framing"] = stream["framing"]
    return Translation(Wire("/", body, headers=headers, stream=request.stream, meta=meta), writer.finish())


def _as_completion(request: ChatRequest, known: Capabilities, writer: ParameterWriter) -> CompletionRequest:
    """Convert a chat into a text completion, for a template with `{{prompt}}` whose entry declares the kind chat."""
    messages = request.messages
    system = writer.take("system")
    if system is not UNSET:
        messages = (Message("system", system), *messages)
        writer.note("system", "renamed", wire="prompt", value=system)
    prompt, _ = known.chat_prompt(messages) if known.chat_prompt is not None else ("", ())
    writer.note("chat", "emulated", why=f"written as one prompt ({known.chat_prompt_name})")
    return CompletionRequest(prompt, request.options, request.stream)


def _options_of(request: Request) -> tuple[dict[str, Any], Mapping[str, Mapping[str, Any]], Any]:
    if isinstance(request, ChatRequest | CompletionRequest | SummarizeRequest):
        return request.options.given(), request.options.extra, request.options.unsupported
    if isinstance(request, EmbedRequest):
        return request.given(), request.extra, request.unsupported
    raise unserved("a template", request)


def _paths_of(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a template that the decoder needs."""
    names = (
        "text",
        "embeddings",
        "finish",
        "finish_map",
        "input_tokens",
        "output_tokens",
        "error",
        "stream",
        "accept",
    )
    return {name: template[name] for name in names if template.get(name) is not None}


def _values(
    model: ModelRef,
    request: Request,
    template: Mapping[str, Any],
    places: Mapping[str, str],
    writer: ParameterWriter,
) -> dict[str, Any]:
    values: dict[str, Any] = {"stream": request.stream}
    name, content = _input_of(request)
    if name not in places:
        raise UnsupportedError(
            f"the template of {model.id} has no placeholder for this kind of request ({{{{{name}}}}})",
            parameter="kind",
        )
    if isinstance(request, ChatRequest):
        messages: tuple[Message, ...] = request.messages
        system = writer.take("system")
        if system is not UNSET and "system" not in places:
            messages = (Message("system", system), *messages)
            writer.note("system", "renamed", wire=f"{places[name]}[0]", value=system)
        elif system is not UNSET:
            values["system"] = system
            writer.note("system", "renamed", wire=places["system"], value=system)
        content = build_messages(messages, writer, template.get("roles"))
    elif "system" in places and (system := writer.take("system")) is not UNSET:
        values["system"] = system
        writer.note("system", "renamed", wire=places["system"], value=system)
    values[name] = content
    return values


def _input_of(request: Request) -> tuple[str, Any]:
    if isinstance(request, ChatRequest):
        return "messages", None
    if isinstance(request, CompletionRequest):
        return "prompt", request.prompt
    if isinstance(request, SummarizeRequest):
        return "text", request.text
    return "texts", list(getattr(request, "inputs", ()))
