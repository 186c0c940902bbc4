"""Recorded answers of all services as events of their plugins' decoders.

The recordings lie beside the repository (`../shared/wire`), not in it. Where they are absent the tests are skipped; in
CI that is a failure.
"""

import base64
import importlib
import json
from functools import cache

from recordings import recorded

from jackfield import JackfieldError, Message
from jackfield.http import framer_for
from jackfield.plugin import ChatRequest, CompletionRequest, FailureInStream, Head, Headers, ModelRef, Wire
from jackfield.testing import encode_aws_event

__all__ = ["APIS", "answers", "decoded"]

# Every `api` that is a chat or a completion: its file, the plugin that reads it, and what the plugin's decoder wants to know.
APIS = {
    "openai.chat": ("openai", "openai", {"api": "chat"}),
    "openai.completions": ("openai", "openai", {"api": "completion"}),
    "openai.responses": ("openai", "openai", {"api": "responses"}),
    "azure_openai.chat": ("azure_openai", "azure_openai", {"api": "chat"}),
    "azure_openai.responses": ("azure_openai", "azure_openai", {"api": "responses"}),
    "azure_ml.chat": ("azure_ml", "azure_llm", {"api": "chat"}),
    "mistral.chat": ("mistral", "mistral", {"api": "chat"}),
    "databricks.chat": ("databricks", "databricks", {"api": "chat"}),
    "snowflake.openai_chat": ("snowflake", "snowflake", {"api": "chat"}),
    "cohere.chat_v1": ("cohere", "cohere", {"api": "chat_v1"}),
    "cohere.chat_v2": ("cohere", "cohere", {"api": "chat"}),
    "compat.chat": ("compat", "compatible", {"api": "chat"}),
    "hf.chat": ("hf", "compatible", {"api": "chat"}),
    "anthropic.messages": ("anthropic", "anthropic", {"api": "messages"}),
    "bedrock.converse": ("bedrock", "bedrock", {"family": "converse"}),
    "bedrock.converse_stream": ("bedrock", "bedrock", {"family": "converse"}),
    "bedrock.invoke": ("bedrock", "bedrock", "invoke"),
    "bedrock.invoke_stream": ("bedrock", "bedrock", "invoke"),
    "bedrock.openai_chat": ("bedrock", "bedrock", {"family": "openai", "api": "chat"}),
    "bedrock.openai_responses": ("bedrock", "bedrock", {"family": "openai", "api": "responses"}),
    "vertex.generateContent": ("vertex", "vertex", {"family": "gemini"}),
    "vertex.streamGenerateContent": ("vertex", "vertex", {"family": "gemini"}),
    "vertex.rawPredict": ("vertex", "vertex", {"family": "claude", "api": "messages"}),
    "vertex.streamRawPredict": ("vertex", "vertex", {"family": "claude", "api": "messages"}),
}
_NAMED = ("anthropic.", "cohere.", "vertex.streamRawPredict")
_TYPES = {
    "sse": "text/event-stream",
    "eventstream": "application/vnd.amazon.eventstream",
    "ndjson": "application/stream+json",
}


class _Compatible:
    """A plugin for any service that is compatible with OpenAI's."""

    @staticmethod
    def jackfield_decoder(wire):
        from jackfield_openai import Dialect, decoder

        return decoder(Dialect(id="compatible"), wire)


def _plugin(name):
    return _Compatible if name == "compatible" else importlib.import_module(f"jackfield_{name}")


def _call(hook, **given):
    """Call a hook with the arguments that it takes."""
    names = hook.__code__.co_varnames[: hook.__code__.co_argcount]
    return hook(**{name: given[name] for name in names})


def _wire(row, plugin, meta):
    body = (row.get("request") or {}).get("body")
    if meta != "invoke":
        return Wire("/", body if isinstance(body, dict) else {}, stream=row["stream"], meta=meta)
    model = ModelRef(row["model"] or "unknown.model", declared={"route": "invoke"})
    known = plugin.jackfield_capabilities(model)
    if "embedding" in known.kinds:
        return None
    whole = row["response"]["body"]
    plain = "chat" not in known.kinds or (isinstance(whole, dict) and "outputs" in whole)
    message = (Message("user", "Hi"),)
    request = (
        CompletionRequest("Hi", stream=row["stream"]) if plain else ChatRequest(message, stream=row["stream"])
    )
    return plugin.jackfield_translate(model, request, known).wire


def _bytes(row):
    kind, body, api = row["response"]["body_kind"], row["response"]["body"], row["api"]
    if kind == "eventstream":
        return base64.b64decode(body), kind
    if kind in ("sse", "ndjson", "text"):
        return body.encode(), kind
    if kind != "parsed_events":
        return json.dumps(body).encode(), "json"
    if api.startswith("bedrock.") and "openai" not in api:
        return b"".join(_aws(api, event) for event in body), "eventstream"
    named = api.startswith(_NAMED)
    events = [
        (f"event: {event['type']}\n" if named else "") + f"data: {json.dumps(event)}\n\n" for event in body
    ]
    end = [] if named or api.startswith("vertex.") else ["data: [DONE]\n\n"]
    return "".join([*events, *end]).encode(), "sse"


def _aws(api, event):
    if api == "bedrock.invoke_stream":
        payload = {"bytes": base64.b64encode(json.dumps(event).encode()).decode()}
        return encode_aws_event(
            {":message-type": "event", ":event-type": "chunk"}, json.dumps(payload).encode()
        )
    ((name, payload),) = event.items()
    return encode_aws_event({":message-type": "event", ":event-type": name}, json.dumps(payload).encode())


def decoded(row):
    """Return the events of a recorded answer; None if it is none of a chat or a completion."""
    _, name, meta = APIS[row["api"]]
    plugin = _plugin(name)
    wire = _wire(row, plugin, meta)
    if wire is None:
        return None
    data, kind = _bytes(row)
    headers = {**(row["response"].get("headers") or {}), "content-type": _TYPES.get(kind, "application/json")}
    head = Head(row["response"]["status"], Headers(headers))
    decoder = _call(plugin.jackfield_decoder, model=ModelRef(row["model"] or "m"), wire=wire)
    framer = framer_for(head.headers["content-type"], wire.framing or ("sse" if row["stream"] else None))
    events = list(decoder.start(head))
    for frame in [*framer.feed(data), *framer.close()]:
        events += decoder.feed(frame)
    return [*events, *decoder.finish()]


@cache
def answers(api):
    """Return all recorded answers of an API that its plugin reads: the row, the provider's id and the events."""
    file, name, _ = APIS[api]
    found = []
    for row in recorded(file):
        if row["api"] != api or row["response"]["status"] >= 400:
            continue
        try:
            events = decoded(row)
        except (
            JackfieldError,
            FailureInStream,
        ):  # errors in good answers, which the plugin's own tests are about
            continue
        if events is not None:
            found.append((row, name.replace("_", "-"), events))
    return found
