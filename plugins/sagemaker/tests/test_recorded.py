"""Recorded traffic: every line of `sagemaker.jsonl` is read, its request built again; and containers' answers of `hf.jsonl`.

Most lines of SageMaker are built from documents; what a container says does not depend on SageMaker around it, so
the recordings of text-generation-inference and of Hugging Face's toolkit are played through the envelope, too.
"""

import base64
import json
from collections import Counter

import pytest
from botocore.eventstream import EventStreamBuffer
from recordings import BY_STATUS, counted, recorded
from sagemaker_endpoints import asked, enveloped, events_of, ref, translated

from jackfield import (
    ContextLengthExceededError,
    Finish,
    InvalidRequestError,
    NotFoundError,
    RawEvent,
    ServerError,
    TextDelta,
    UsageUpdate,
)
from jackfield.http import framer_for
from jackfield.plugin import (
    CompletionRequest,
    EmbeddingData,
    EmbedRequest,
    Failure,
    FailureInStream,
    Frame,
    Headers,
    Options,
)
from jackfield_sagemaker._errors import error

APIS = {"sagemaker.invoke": 6, "sagemaker.invoke_stream": 3}
REASONS = {"length": "length", "eos_token": "stop", "stop_sequence": "stop", None: "other"}
STREAM = "application/vnd.amazon.eventstream"


def rows():
    return recorded("sagemaker")


def mode_of(row):
    return "llama" if "llama2" in row["request"]["url"] else "lmi"


def completes_text(row):
    """Return whether a container completes text here; those that chat speak OpenAI's form, which is tested with `hf`."""
    body = row.get("request", {}).get("body")
    return isinstance(body, dict) and isinstance(body.get("inputs"), str)


def stream_of(row):
    body = row["response"]["body"]
    return base64.b64decode(body) if isinstance(body, str) else None


def body_of(row):
    body = row["response"]["body"]
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def test_every_line_is_counted():
    assert counted(dict(Counter(row["api"] for row in rows()))) == APIS


# Requests


def rebuilt(row):
    """Build a recorded request by our API; what our options cannot say goes into `extra`."""
    body = row["request"]["body"]
    parameters = dict(body.get("parameters", {}))
    names = {
        "max_new_tokens": "max_tokens",
        "temperature": "temperature",
        "top_p": "top_p",
        "top_k": "top_k",
        "seed": "seed",
    }
    options = {names[name]: parameters.pop(name) for name in list(parameters) if name in names}
    request = CompletionRequest(
        body["inputs"],
        Options(**options, extra={"sagemaker": {"parameters": parameters}} if parameters else {}),
        stream=bool(body.get("stream")),
    )
    endpoint = row["request"]["url"].split("/endpoints/")[1].split("/")[0]
    return translated(ref(mode_of(row), endpoint=endpoint), request)


def test_every_request_is_built_again():
    differences, built = Counter(), 0
    for row in rows():
        if not completes_text(row) or "parameters" not in row["request"]["body"]:
            continue
        built += 1
        wire = rebuilt(row).wire
        ours, theirs = json.loads(json.dumps(wire.body)), row["request"]["body"]
        if mode_of(row) == "llama" and "return_full_text" not in theirs["parameters"]:
            differences["return_full_text: false, so that the prompt is not repeated"] += 1
            assert ours["parameters"].pop("return_full_text") is False
        assert ours == theirs, row["id"]
        assert row["request"]["url"].endswith(wire.path)
    assert counted(built) == 5
    assert counted(dict(differences)) == {"return_full_text: false, so that the prompt is not repeated": 1}


# Answers


def test_every_whole_answer_is_read():
    read = 0
    for row in rows():
        if row["response"]["status"] != 200 or stream_of(row) or not completes_text(row):
            continue
        read += 1
        wire = translated(ref(mode_of(row)), CompletionRequest("x")).wire
        events = events_of(wire, [Frame(body_of(row))])
        items = row["response"]["body"]
        for choice, item in enumerate(items if isinstance(items, list) else [items]):
            own = [e for e in events if getattr(e, "choice", choice) == choice]
            details = item.get("details") or {}
            assert "".join(e.text for e in own if isinstance(e, TextDelta)) == item["generated_text"]
            assert [e.reason for e in own if isinstance(e, Finish)] == [
                REASONS.get(details.get("finish_reason"), "other")
            ]
            used = [e.usage.output_tokens for e in own if isinstance(e, UsageUpdate)]
            assert used == ([details["generated_tokens"]] if "generated_tokens" in details else [])
    assert counted(read) == 2


def test_every_stream_is_read():
    """The container's bytes are read a second time by botocore's parser and by the simplest splitting."""
    ends = Counter()
    for row in rows():
        data = stream_of(row)
        if data is None:
            continue
        buffer = EventStreamBuffer()
        buffer.add_data(data)
        inner = b"".join(event.payload for event in buffer)
        lines = [
            line.removeprefix(b"data:") for line in inner.split(b"\n") if line.strip() not in (b"", b"data:")
        ]
        items = [json.loads(line) for line in lines if line.strip().startswith(b"{")]
        wire = translated(ref("lmi"), CompletionRequest("x", Options(), stream=True)).wire
        framer = framer_for(STREAM, wire.framing)
        frames = [*framer.feed(data), *framer.close()]
        reason = (items[-1].get("details") or {}).get("finish_reason")
        if reason == "error":
            with pytest.raises(FailureInStream) as caught:
                events_of(wire, frames, row["response"]["headers"])
            assert isinstance(error(caught.value.failure), ServerError)
            ends["error"] += 1
            continue
        events = events_of(wire, frames, row["response"]["headers"])
        said = "".join(i["token"]["text"] for i in items if not i["token"].get("special_token"))
        assert "".join(e.text for e in events if isinstance(e, TextDelta)) == said
        assert [e.raw for e in events if isinstance(e, Finish)] == [reason]
        ends["read"] += 1
    assert counted(dict(ends)) == {"read": 2, "error": 1}


ERRORS = {"ValidationError": NotFoundError, "ModelError": InvalidRequestError, "InternalFailure": ServerError,
          "InternalDependencyException": ServerError}  # fmt: skip


def test_every_error_is_read():
    found = Counter()
    for row in rows():
        answer = row["response"]
        if answer["status"] < 400:
            continue
        made = error(Failure(answer["status"], Headers(answer["headers"]), body_of(row)))
        code = answer["headers"].get("x-amzn-errortype", "")
        # A container's own status counts for its error; a code that the tests have not met counts by its status.
        said = answer["body"] if isinstance(answer["body"], dict) else {}
        status = said.get("OriginalStatusCode", answer["status"])
        met = code in ERRORS and (code != "ModelError" or status == 400)
        assert type(made).__name__ == (ERRORS[code].__name__ if met else BY_STATUS.get(status, "ServerError"))
        assert made.status == answer["status"]
        found[code] += 1
        if code == "ModelError":
            assert said.get("LogStreamArn", "") in made.message
            assert "Received client error" not in made.message
        if "unable to find an engine" in said.get("Message", ""):
            assert "unable to find an engine" in made.message
    assert counted(dict(found)) == dict.fromkeys(ERRORS, 1)


# What containers say, in whatever envelope


def hugging_face(api, status=200):
    return [row for row in recorded("hf") if row["api"] == api and row["response"]["status"] == status]


def test_answers_of_containers_are_read():
    read = Counter()
    wire = translated(ref("tgi"), CompletionRequest("x")).wire
    for row in hugging_face("hf.generate"):
        body = row["response"]["body"]
        if row["response"]["body_kind"] != "json":
            kind = row["response"]["body_kind"]
            read[kind if kind == "sse" else f"not served: {kind}"] += 1
            continue
        items = body if isinstance(body, list) else [body]
        known = [i for i in items if isinstance(i, dict) and ("generated_text" in i or "summary_text" in i)]
        if len(known) != len(items) or not items:
            read["not served: another task"] += 1
            continue
        events = events_of(wire, [Frame(json.dumps(body).encode())])
        for choice, item in enumerate(items):
            text = item["generated_text"] if "generated_text" in item else item["summary_text"]
            details = item.get("details") or {}
            said = "".join(e.text for e in events if isinstance(e, TextDelta) and e.choice == choice)
            assert said == text, row["id"]
            ended = [e for e in events if isinstance(e, Finish) and e.choice == choice]
            assert [e.raw for e in ended] == [details.get("finish_reason")]
        read["read"] += 1
    assert counted(dict(read)) == {
        "read": 74, "not served: another task": 17, "not served: text": 1, "sse": 9,
    }  # fmt: skip


def test_streams_of_containers_are_read_through_the_envelope():
    read = Counter()
    for row in hugging_face("hf.generate"):
        if row["response"]["body_kind"] != "sse":
            continue
        data = row["response"]["body"].encode()
        items = [
            json.loads(line[5:]) for line in data.split(b"\n") if line.startswith(b"data:") and b"{" in line
        ]
        if any("choices" in item for item in items):
            mode = "openai"
            said = "".join(c["delta"].get("content") or "" for i in items for c in i.get("choices", ()))
        else:
            mode = "tgi"
            said = "".join(i["token"]["text"] for i in items if "token" in i and not i["token"]["special"])
        request = CompletionRequest("x", stream=True) if mode == "tgi" else None
        wire = translated(
            ref(mode, "gpt-4o" if mode == "openai" else None), request or asked(stream=True)
        ).wire
        framer = framer_for(STREAM, wire.framing)
        frames = [*framer.feed(enveloped(data, size=5)), *framer.close()]
        head = {"x-amzn-sagemaker-content-type": "text/event-stream"}
        if any("error" in item for item in items):
            with pytest.raises(FailureInStream) as caught:
                events_of(wire, frames, head)
            made = error(caught.value.failure)
            too_long = "inputs` tokens" in items[-1]["error"]
            assert type(made) is (ContextLengthExceededError if too_long else InvalidRequestError)
            read["errors"] += 1
            continue
        events = events_of(wire, frames, head)
        assert "".join(e.text for e in events if isinstance(e, TextDelta)) == said, row["id"]
        assert any(isinstance(e, Finish) for e in events)
        assert not [e for e in events if isinstance(e, RawEvent)]
        read[mode] += 1
    assert counted(dict(read)) == {"tgi": 4, "openai": 1, "errors": 4}


def test_vectors_of_containers_are_read():
    read = 0
    for row in hugging_face("hf.feature_extraction"):
        body = row["response"]["body"]
        inputs = row["request"]["body"]["inputs"] if "request" in row else "x"
        number = len(inputs) if isinstance(inputs, list) else 1
        wire = translated(ref("embedding"), EmbedRequest(inputs=("x",) * number)).wire
        events = events_of(wire, [Frame(json.dumps(body).encode())])
        vectors = [e for e in events if isinstance(e, EmbeddingData)]
        assert len(vectors) == number
        flat = body
        while isinstance(flat[0], list):
            flat = flat[0]
        assert len(vectors[0].vector) == len(flat)
        read += 1
    assert counted(read) == 5


def test_errors_of_containers_are_read_inside_sagemakers_own():
    found = Counter()
    for row in recorded("hf"):
        status = row["response"]["status"]
        if row["api"] != "hf.generate" or status not in BY_STATUS:
            continue
        body = row["response"]["body"]
        original = body if isinstance(body, str) else json.dumps(body)
        said = {"Message": "Received client error", "OriginalStatusCode": status, "OriginalMessage": original}
        head = Headers({"x-amzn-errortype": "ModelError"})
        made = error(Failure(424, head, json.dumps(said).encode()))
        too_long = status in (400, 413, 422) and "`inputs` tokens" in original
        assert type(made).__name__ == ("ContextLengthExceededError" if too_long else BY_STATUS[status])
        found[status, type(made).__name__] += 1
    assert counted(sum(found.values())) == 18
    assert counted(found[422, "ContextLengthExceededError"]) == 1
    assert counted(found[503, "OverloadedError"] > 0)
