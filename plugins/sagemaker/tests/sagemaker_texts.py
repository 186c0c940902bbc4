"""Translate requests for text generation in tests."""

from sagemaker_endpoints import EVENTS, events_of, ref, translated

from jackfield.http import framer_for
from jackfield.plugin import CompletionRequest, Options


def prompt(text="Hi", *, stream=False, **options):
    return CompletionRequest(text, Options(**options), stream)


def body_of(mode, request, **declared):
    return translated(ref(mode, **declared), request).wire.body


LINES = b'{"token":{"id":1,"text":"H\xc3\xa4"}}\n{"token":{"id":2,"text":" \xf0\x9f\x8c\xa4 }\\""}}\n{"token":{"id":3,"text":"","special":true},"generated_text":"x","details":{"finish_reason":"length","generated_tokens":3}}\n'
WIRE = translated(ref("lmi"), prompt(stream=True)).wire


def played(data, inner="", headers=None):
    framer = framer_for(EVENTS, WIRE.framing)
    frames = [*framer.feed(data), *framer.close()]
    return events_of(WIRE, frames, {"x-amzn-sagemaker-content-type": inner} if inner else headers)
