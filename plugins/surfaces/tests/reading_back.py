"""Write answers in the form of a surface, and read them again by the plugins of OpenAI and Anthropic."""

import attrs

import jackfield_anthropic
import jackfield_openai
from jackfield import Reply
from jackfield.http import framer_for
from jackfield.plugin import Head, Headers, Wire
from jackfield.testing import reply_of
from jackfield_surfaces import SURFACES
from jackfield_surfaces._losses import expected

__all__ = [
    "BODIES",
    "CHATS",
    "READERS",
    "as_reply",
    "ask",
    "lossy",
    "read_back",
    "streamed_bytes",
    "view",
    "whole_bytes",
]

CHATS = ("openai.chat", "openai.responses", "anthropic.messages")

READERS = {
    "openai.chat": (jackfield_openai, {"api": "chat"}),
    "openai.responses": (jackfield_openai, {"api": "responses"}),
    "openai.completions": (jackfield_openai, {"api": "completion"}),
    "anthropic.messages": (jackfield_anthropic, {"api": "messages"}),
}
BODIES = {
    "openai.chat": {
        "messages": [{"role": "user", "content": "Hi"}],
        "stream_options": {"include_usage": True},
    },
    "openai.responses": {"input": "Hi"},
    "openai.completions": {"prompt": "Hi", "stream_options": {"include_usage": True}},
    "anthropic.messages": {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 100},
}


def ask(surface, **fields):
    """Read a plain request of a surface."""
    return SURFACES[surface].read({}, {"model": "c:m", **BODIES[surface], **fields})


def as_reply(events, provider="openai", model="m"):
    """Return the reply that a call of a mesh would return."""
    folded = reply_of(events, provider=provider, model=model)
    return Reply(
        id=folded.id,
        model=folded.model or model,
        provider=provider,
        connection="c",
        choices=folded.choices,
        usage=folded.usage,
    )


def streamed_bytes(surface, events, reply, asked=None):
    """Write a streamed answer."""
    encoder = SURFACES[surface].encoder(asked or ask(surface, stream=True))
    out = encoder.start(Reply(provider=reply.provider, model="m"))
    for event in events:
        out += encoder.feed(event)
    return b"".join([*out, *encoder.finish(reply)])


def whole_bytes(surface, reply, asked=None):
    """Write a whole answer."""
    return SURFACES[surface].whole(asked or ask(surface), reply)


def read_back(surface, data, *, stream, cut=None):
    """Read what a surface wrote."""
    plugin, meta = READERS[surface]
    kind = "text/event-stream" if stream else "application/json"
    decoder = plugin.jackfield_decoder(Wire("/", {}, stream=stream, meta=meta))
    framer = framer_for(kind, "sse" if stream else None)
    events = list(decoder.start(Head(200, Headers({"content-type": kind}))))
    pieces = [data] if cut is None else [data[at : at + cut] for at in range(0, len(data), cut)]
    for frames in (*(framer.feed(piece) for piece in pieces), framer.close()):
        for frame in frames:
            events += decoder.feed(frame)
    return as_reply([*events, *decoder.finish()], provider=surface.partition(".")[0])


def view(reply):
    """Return what a client sees of a reply."""
    return {
        "choices": tuple((choice.text, choice.finish_reason) for choice in reply.choices),
        "text": reply.text,
        "refusal": reply.refusal,
        "thinking": reply.thinking,
        "tool_calls": tuple(attrs.evolve(call, provider_data=None) for call in reply.tool_calls),
        "citations": tuple(attrs.evolve(citation, data=None) for citation in reply.citations),
        "finish_reason": reply.finish_reason,
        "logprobs": reply.logprobs,
        "usage": reply.usage,
    }


def lossy(surface, reply, *, stream):
    """Return what a client sees of a reply in a surface's form."""
    seen = expected(surface, view(reply))
    if surface == "anthropic.messages":
        if stream:  # pieces of arguments are text
            seen["tool_calls"] = view(reply)["tool_calls"]
        if reply.provider == "anthropic":  # its own words, and its own citations
            before = view(reply)
            seen["citations"] = before["citations"]
            if reply.choices and reply.choices[0].finish_raw in ("end_turn", "stop_sequence"):
                seen["finish_reason"] = before["finish_reason"]
    if surface in ("openai.responses", "anthropic.messages"):
        seen["choices"] = ((seen["text"], seen["finish_reason"]),)
    else:
        seen["choices"] = ((seen["text"], seen["finish_reason"]), *seen["choices"][1:])
    return seen
