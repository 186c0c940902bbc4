"""Write answers in the form of a surface, and read them again by the plugins of OpenAI and Anthropic."""

import jackfield_anthropic
import jackfield_openai
from jackfield import Reply
from jackfield.http import framer_for
from jackfield.plugin import Head, Headers, Wire
from jackfield.testing import reply_of
from jackfield_surfaces import SURFACES

__all__ = ["as_reply", "ask", "read_back", "streamed_bytes", "whole_bytes"]

_READERS = {
    "openai.chat": (jackfield_openai, {"api": "chat"}),
    "openai.responses": (jackfield_openai, {"api": "responses"}),
    "openai.completions": (jackfield_openai, {"api": "completion"}),
    "anthropic.messages": (jackfield_anthropic, {"api": "messages"}),
}
_BODIES = {
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
    return SURFACES[surface].read({}, {"model": "c:m", **_BODIES[surface], **fields})


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
    plugin, meta = _READERS[surface]
    kind = "text/event-stream" if stream else "application/json"
    decoder = plugin.jackfield_decoder(Wire("/", {}, stream=stream, meta=meta))
    framer = framer_for(kind, "sse" if stream else None)
    events = list(decoder.start(Head(200, Headers({"content-type": kind}))))
    pieces = [data] if cut is None else [data[at : at + cut] for at in range(0, len(data), cut)]
    for frames in (*(framer.feed(piece) for piece in pieces), framer.close()):
        for frame in frames:
            events += decoder.feed(frame)
    return as_reply([*events, *decoder.finish()], provider=surface.partition(".")[0])
