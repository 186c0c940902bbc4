"""What the tests share: made-up identities, envelopes, entries of `models`, and the fold of an answer."""

import json

import jackfield_sagemaker
from jackfield import Message
from jackfield.plugin import ChatRequest, Head, Headers, ModelRef, Options
from jackfield.testing import encode_aws_event, translated as translated_by
from jackfield_sagemaker import SageMakerSettings
from jackfield_sagemaker._routes import decoder

EVENTS = "application/vnd.amazon.eventstream"
KEYS = {"access_key_id": "env:TEST_KEY_ID", "secret_access_key": "env:TEST_SECRET"}
MODE = {
    "claude": "claude-2.1", "cohere-chat": "command-r", "cohere-command": "command", "cohere-embed": "embed-english-v3.0",
    "jurassic2": "j2-mid", "llama": "llama-2-13b-chat", "llama-dialogs": "llama-2-7b-chat", "lmi": "llama-3-8b-instruct",
    "tgi": "mistral-7b-instruct",
}  # fmt: skip


def part(data):
    """A part of the container's bytes."""
    return encode_aws_event(
        {
            ":event-type": "PayloadPart",
            ":content-type": "application/octet-stream",
            ":message-type": "event",
        },
        data,
    )


def exception(name, **fields):
    """An exception inside a stream."""
    return encode_aws_event(
        {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"},
        json.dumps(fields).encode(),
    )


def enveloped(body, *, size=7):
    """A container's bytes, cut after every so many, in SageMaker's envelope."""
    return b"".join(part(body[start : start + size]) for start in range(0, len(body), size))


def ref(mode, underlying=None, **declared):
    """An entry in `models`, as the hooks see it."""
    entry = {"id": "my-endpoint", "mode": mode, **declared}
    underlying = MODE.get(mode) if underlying is None else underlying
    return ModelRef("my-endpoint", "c", None, underlying, entry, SageMakerSettings(region="eu-central-1"))


def asked(text="Why?", *, stream=False, **options):
    return ChatRequest((Message("user", text),), Options(**options), stream=stream)


def translated(model, request):
    return translated_by(jackfield_sagemaker, model, request)


def events_of(wire, frames, headers=None, status=200):
    """All events of an answer, by our decoder."""
    made = decoder(wire)
    events = list(made.start(Head(status, Headers(headers or {}))))
    for frame in frames:
        events += made.feed(frame)
    return events + made.finish()
