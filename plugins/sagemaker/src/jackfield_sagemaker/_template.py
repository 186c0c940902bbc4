"""The custom query template: a request and the reading of its answer, declared in configuration.

No template language: the body is a tree, as the configuration has it. A string that is one placeholder is replaced by
the value with its type; `{{prompt}}`, `{{system}}` and `{{text}}` may stand inside longer strings too. Values are put
into the parsed tree, which is made JSON afterwards, and are never looked through for placeholders. There is nothing to
call, no attribute to reach and no expression to evaluate. Answers are read by JMESPath, which has no side effects.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import attrs

from jackfield import ConfigurationError, Message, UnsupportedError
from jackfield.plugin import (
    UNSET,
    Capabilities,
    ChatRequest,
    CompletionRequest,
    EmbedRequest,
    Kind,
    ModelRef,
    ParameterWriter,
    Request,
    SummarizeRequest,
    Translation,
    Wire,
    unserved,
)

__all__ = ["Template", "TemplateStream", "kinds_of", "translate_by_template"]

_KIND_BY_PLACE: Final[Mapping[str, Kind]] = {
    "messages": "chat", "prompt": "completion", "text": "summarization", "texts": "embedding",
}  # fmt: skip
_OPTIONS: Final = (
    "max_tokens", "temperature", "top_p", "top_k", "stop", "seed", "presence_penalty", "frequency_penalty", "n", "user",
    "dimensions", "input_type", "truncate",
)  # fmt: skip
_KNOWN: Final = (*_KIND_BY_PLACE, "system", "stream", *_OPTIONS)
_INSIDE_STRINGS: Final = frozenset({"prompt", "system", "text"})
_PLACE: Final = re.compile(r"\{\{ *([a-z_]+) *\}\}")
_ROLES: Final = ("system", "user", "assistant", "tool", "role", "content")
_ABSENT: Final = object()


@attrs.frozen(kw_only=True)
class TemplateStream:
    """How a container's stream is read.

    Attributes:
        framing: Server-sent events, lines of JSON, JSON objects one after the other, or plain text.
        text: JMESPath of the piece of text in each item; not for plain text.
        finish: JMESPath of the reason of the end; the stream is whole when it is there. Without it, a clean end is.
        accept: The media type that is asked for.
    """

    framing: Literal["sse", "jsonlines", "json", "text"]
    text: str | None = None
    finish: str | None = None
    accept: str | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse what cannot work, all of it at once, when the config is loaded."""
        if faults := tuple(self._faults()):
            raise ConfigurationError("; ".join(faults), mistakes=faults)

    def _faults(self) -> Iterator[str]:
        if (self.framing == "text") != (self.text is None):
            yield 'text is the path of the text in each item; it is left out for framing = "text"'
        yield from _path_faults(self, ("text", "finish"))


@attrs.frozen(kw_only=True)
class Template:
    """How a container is asked and how its answer is read.

    Attributes:
        body: The body, a tree with placeholders; for a content type that is not JSON, a string with one placeholder.
        content_type: The media type of the body.
        accept: The media type that is asked for.
        roles: What roles and the keys of a turn are called: `{ assistant = "bot", content = "text" }`.
        text: JMESPath of the text, of chats, completions and summaries; a list is several choices.
        embeddings: JMESPath of the list of vectors.
        finish: JMESPath of the reason of the end.
        finish_map: What the container's reasons mean: stop, length, content_filter.
        input_tokens: JMESPath of the count of input tokens.
        output_tokens: JMESPath of the count of output tokens.
        error: JMESPath of an error that comes with a good status.
        stream: How a stream is read; without it the endpoint does not stream.
    """

    body: Any
    content_type: str = "application/json"
    accept: str | None = None
    roles: Mapping[str, str] = attrs.field(factory=dict)
    text: str | None = None
    embeddings: str | None = None
    finish: str | None = None
    finish_map: Mapping[str, Literal["stop", "length", "content_filter"]] = attrs.field(factory=dict)
    input_tokens: str | None = None
    output_tokens: str | None = None
    error: str | None = None
    stream: TemplateStream | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse what cannot work, all of it at once, when the config is loaded."""
        if faults := tuple(self._faults()):
            raise ConfigurationError("; ".join(faults), mistakes=faults)

    def _faults(self) -> Iterator[str]:
        yield from _place_faults(self.body, "body")
        places = {name for name, _ in _paths(self.body)}
        if not places & _KIND_BY_PLACE.keys():
            wanted = ", ".join(f"{{{{{name}}}}}" for name in _KIND_BY_PLACE)
            yield f"body asks for nothing; it needs one of the placeholders {wanted}"
        alone = isinstance(self.body, str) and _PLACE.fullmatch(self.body)
        if not _is_json(self.content_type) and not alone:
            yield f"body must be one placeholder for the content type {self.content_type}"
        if ("texts" in places) != (self.embeddings is not None):
            yield "the placeholder {{texts}} and the path embeddings belong together"
        if places & {"messages", "prompt", "text"} and self.text is None:
            yield "text is missing: the JMESPath of the answer's text"
        for name in self.roles:
            if name not in _ROLES:
                yield f"roles knows no {name}; it knows {', '.join(_ROLES)}"
        yield from _path_faults(
            self, ("text", "embeddings", "finish", "input_tokens", "output_tokens", "error")
        )


def _is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower().endswith("json")


def _path_faults(template: object, names: tuple[str, ...]) -> Iterator[str]:
    import jmespath

    for name in names:
        path = getattr(template, name)
        if path is not None:
            try:
                jmespath.compile(path)
            except Exception as error:  # its parser raises what it happens to trip over, too
                yield f"{name} is no JMESPath: {str(error).splitlines()[0]}"


def _place_faults(node: Any, where: str) -> Iterator[str]:
    """Say which placeholders of a tree are not known, or stand where none may stand."""
    if isinstance(node, str):
        names = _PLACE.findall(node)
        if "{{" in _PLACE.sub("", node) or not set(names) <= set(_KNOWN):
            known = ", ".join(f"{{{{{name}}}}}" for name in _KNOWN)
            yield f"{where}: {node!r} is no placeholder that is known; there are {known}"
        elif not _PLACE.fullmatch(node) and not set(names) <= _INSIDE_STRINGS:
            yield f"{where}: in a longer string only {{{{prompt}}}}, {{{{system}}}}, {{{{text}}}}"
    elif isinstance(node, Mapping):
        for key, value in node.items():
            if "{{" in str(key):
                yield f"{where}: a key is no place for a placeholder: {key!r}"
            yield from _place_faults(value, f"{where}.{key}")
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield from _place_faults(value, f"{where}[{index}]")


def _paths(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Give placeholder and place of every placeholder of a tree."""
    if isinstance(node, str):
        yield from ((name, path) for name in _PLACE.findall(node))
    elif isinstance(node, Mapping):
        for key, value in node.items():
            yield from _paths(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield from _paths(value, f"{path}[{index}]")


def kinds_of(template: Mapping[str, Any]) -> frozenset[Kind]:
    """Say which kinds of request a declared template can carry, by its placeholders."""
    return frozenset(
        _KIND_BY_PLACE[name] for name, _ in _paths(template.get("body")) if name in _KIND_BY_PLACE
    )


def translate_by_template(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Fill a template in.

    Raises:
        UnsupportedError: The template has no place for the kind of request, or for an option.
    """
    template: Mapping[str, Any] = model.declared["template"]
    places = dict(_paths(template["body"]))
    given, extra, policy = _options_of(request)
    # What the admin's body says stays as it is: rules of the underlying model's own service do not rename anything.
    writer = ParameterWriter(given, capabilities, policy, {}, model=model.id)
    if isinstance(request, ChatRequest) and "messages" not in places and capabilities.chat_prompt is not None:
        request = _written_out(request, capabilities, writer)
    values = _values(model, request, template, places, writer)
    for name in _OPTIONS:
        if name in places and (value := writer.take(name)) is not UNSET:
            values[name] = list(value) if isinstance(value, tuple) else value
            fate = "sent" if places[name] == name else "renamed"
            writer.note(name, fate, wire=places[name], value=values[name])  # type: ignore[arg-type]
    body = _filled(template["body"], values)
    headers = {"Content-Type": template.get("content_type", "application/json")}
    stream: Mapping[str, Any] = template.get("stream") or {}
    accept = stream.get("accept") if request.stream else template.get("accept")
    if accept is not None:
        headers["Accept"] = accept
    if not _is_json(headers["Content-Type"]):
        body = str(body).encode()
    elif isinstance(body, dict):
        writer.body = body
        writer.merge_extra(extra, "sagemaker")
    meta = {"api": "template", "inputs": len(values.get("texts", ())), "template": _reading(template)}
    if request.stream:
        meta["framing"] = stream["framing"]
    return Translation(Wire("/", body, headers=headers, stream=request.stream, meta=meta), writer.finish())


def _written_out(request: ChatRequest, known: Capabilities, writer: ParameterWriter) -> CompletionRequest:
    """Write a conversation for a template that takes a prompt, where the entry declares that it chats."""
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


def _reading(template: Mapping[str, Any]) -> dict[str, Any]:
    """Give what the decoder needs of a template."""
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
    name, said = _said(request)
    if name not in places:
        raise UnsupportedError(
            f"the template of {model.id} has no place for this kind of request ({{{{{name}}}}})",
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
        from ._texts import turns_of

        said = turns_of(messages, writer, template.get("roles"))
    elif "system" in places and (system := writer.take("system")) is not UNSET:
        values["system"] = system
        writer.note("system", "renamed", wire=places["system"], value=system)
    values[name] = said
    return values


def _said(request: Request) -> tuple[str, Any]:
    if isinstance(request, ChatRequest):
        return "messages", None
    if isinstance(request, CompletionRequest):
        return "prompt", request.prompt
    if isinstance(request, SummarizeRequest):
        return "text", request.text
    return "texts", list(getattr(request, "inputs", ()))


def _filled(node: Any, values: Mapping[str, Any]) -> Any:
    """Give a copy of a tree with its placeholders replaced; what has no value is left out."""
    if isinstance(node, str):
        alone = _PLACE.fullmatch(node)
        if alone is not None:
            return values.get(alone[1], _ABSENT)
        return _PLACE.sub(lambda found: str(values.get(found[1], "")), node)
    if isinstance(node, Mapping):
        filled = {str(key): _filled(value, values) for key, value in node.items()}
        return {key: value for key, value in filled.items() if value is not _ABSENT}
    if isinstance(node, list | tuple):
        return [value for value in (_filled(item, values) for item in node) if value is not _ABSENT]
    return node
