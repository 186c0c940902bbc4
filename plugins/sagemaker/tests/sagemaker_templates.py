"""Translate requests by templates in tests, and read their answers."""

import json

from sagemaker_endpoints import events_of, ref, translated

from jackfield.plugin import CompletionRequest, Frame, Options

TEXT = {"text": "out"}


def wired(template, request):
    return translated(ref("template", template={**TEXT, **template}), request).wire


def body_of(body, request):
    return wired({"body": body}, request).body


def prompt(text="Hi", stream=False, **options):
    return CompletionRequest(text, Options(**options), stream)


def read(template, answer, request=None):
    wire = wired({"body": "{{prompt}}", **template}, request or prompt())
    return events_of(wire, [Frame(json.dumps(answer).encode())])
