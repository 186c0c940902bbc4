"""Recorded traffic of Azure OpenAI: answers read and compared with a simpler reading, requests built again."""

from __future__ import annotations

from collections import Counter
from urllib.parse import urlsplit

import pytest
from openai_rebuilding import (
    as_we_write_it,
    chat_of,
    compare,
    completion_as_we_write_it,
    completion_of,
    embedding_as_we_write_it,
    embedding_of,
    response_as_we_write_it,
    response_of,
)
from openai_recordings import check_choices, check_response, floats_of, message_in, values_of
from recordings import BY_STATUS, bodies_of, counted, events_by, head_of, raw_body, recorded
from unseen import check_unseen

import jackfield_azure_openai as azure
from jackfield import ContentFilteredError, JackfieldError, ProviderError, RawEvent, StreamInterruptedError
from jackfield.plugin import EmbeddingData, Failure, FailureInStream, ModelRef, Wire
from jackfield.testing import reply_of, translated
from jackfield_azure_openai import AzureOpenAISettings
from jackfield_azure_openai._dialect import dialect_of

# Every `api` of the file, and what reads it.
SERVED = {
    "azure_openai.chat": "chat",
    "azure_openai.completions": "completion",
    "azure_openai.embeddings": "embedding",
    "azure_openai.responses": "responses",
}
COUNTS = {
    "azure_openai.chat": 48,
    "azure_openai.completions": 3,
    "azure_openai.embeddings": 4,
    "azure_openai.responses": 12,
}


def rows():
    return recorded("azure_openai")


def is_cut(row):
    """Return whether a recording was shortened by hand, so that its stream lacks its end."""
    return row["fidelity"] == "wire_excerpt"


def answers_of(api):
    return [r for r in rows() if r["api"] == api and r["response"]["status"] < 400 and not is_cut(r)]


def events_of(row, *, cut=None):
    request = (row.get("request") or {}).get("body")
    body = request if isinstance(request, dict) else {}
    wire = Wire("/", body, stream=row["stream"], meta={"api": SERVED[row["api"]]})
    return events_by(azure.jackfield_decoder(wire), row, cut=cut)


def test_every_line_is_accounted_for():
    assert counted(Counter(row["api"] for row in rows())) == COUNTS
    assert {row["api"] for row in rows()} <= set(COUNTS) == set(SERVED)


@pytest.mark.parametrize(
    ("api", "answers", "check"),
    [
        ("azure_openai.chat", 41, check_choices),
        ("azure_openai.completions", 2, check_choices),
        ("azure_openai.responses", 12, check_response),
    ],
)
def test_answers_are_read_as_recorded(api, answers, check):
    read = answers_of(api)
    assert counted(len(read)) == answers
    faults = {}
    for row in read:
        try:
            check(row, reply_of(events_of(row), provider="azure-openai"))
        except (AssertionError, JackfieldError, FailureInStream, KeyError) as fault:
            faults[row["id"], row.get("variant")] = f"{type(fault).__name__}: {str(fault)[:400]}"
    assert not faults


def test_a_stream_without_its_end_is_interrupted():
    short = [row for row in rows() if is_cut(row)]
    assert counted(len(short)) == 1
    for row in short:
        with pytest.raises(StreamInterruptedError):
            events_of(row)


def test_embeddings_are_read_as_recorded():
    read = answers_of("azure_openai.embeddings")
    assert counted(len(read)) == 3
    for row in read:
        vectors = {e.index: e.vector.tolist() for e in events_of(row) if isinstance(e, EmbeddingData)}
        data = row["response"]["body"]["data"]
        assert vectors == {entry["index"]: floats_of(entry["embedding"]) for entry in data}


# -- what the content filter says --------------------------------------------------------------------------------

SEVERITY = ("safe", "low", "medium", "high")


def filtered_in(row):
    """The worst verdict of each category of choice 0, the plain way."""
    worst = {}
    for value in values_of(row):
        for choice in value.get("choices") or []:
            if choice.get("index", 0) == 0:
                for name, said in (choice.get("content_filter_results") or {}).items():
                    if isinstance(said, dict):
                        worst.setdefault(name, []).append(said)
    return worst


def test_verdicts_on_answers_can_be_read():
    seen = 0
    for row in [*answers_of("azure_openai.chat"), *answers_of("azure_openai.completions")]:
        choice = reply_of(events_of(row)).choices[0]
        expected = filtered_in(row)
        told = (choice.finish_detail or {}).get("content_filter_results", {})
        assert set(told) >= set(expected)
        for name, said in expected.items():
            assert told[name].get("filtered") == any(one.get("filtered") for one in said)
            assert told[name].get("severity") == max(
                (one.get("severity") for one in said), key=lambda s: -1 if s is None else SEVERITY.index(s)
            )
        seen += bool(expected)
    assert counted(seen) == 27


PROMPT_VERDICTS = ("prompt_filter_results", "prompt_annotations")


def test_verdicts_on_prompts_can_be_read():
    seen = Counter()
    for row in rows():
        if row["response"]["status"] >= 400 or row["api"] == "azure_openai.embeddings" or is_cut(row):
            continue
        said = {n for value in values_of(row) for n in value if n in PROMPT_VERDICTS and value[n] is not None}
        kept = {event.kind for event in events_of(row) if isinstance(event, RawEvent)}
        assert said <= kept
        seen.update(said)
        if row["api"] == "azure_openai.responses" and "content_filter_results" in row["tags"]:
            assert "content_filters" in kept
            seen["content_filters"] += 1
    assert counted(seen) == {"prompt_filter_results": 40, "prompt_annotations": 1, "content_filters": 10}


# -- errors -------------------------------------------------------------------------------------------------------


def test_errors_are_classed_as_recorded():
    failed = [row for row in rows() if row["response"]["status"] >= 400]
    assert counted(Counter(row["response"]["status"] for row in failed)) == {400: 3, 401: 2, 404: 1, 429: 2}
    for row in failed:
        status, body = row["response"]["status"], row["response"]["body"]
        error = azure.jackfield_error(
            Failure(status=status, headers=head_of(row).headers, body=raw_body(row))
        )
        assert isinstance(error, ProviderError)
        filtered = "content_filter" in str(body)
        assert type(error).__name__ == ("ContentFilteredError" if filtered else BY_STATUS[status])
        assert error.message.startswith(message_in(body))
        if isinstance(error, ContentFilteredError):
            verdicts = body["error"]["innererror"]["content_filter_result"]
            for name, said in verdicts.items():
                assert (f"{name} " in f"{error.message} ".replace(")", " ")) == said["filtered"]
    waits = [azure.jackfield_error(Failure(status=429, body=raw_body(row))).retry_after for row in failed
             if row["response"]["status"] == 429]  # fmt: skip
    assert counted(sorted(waits)) == [2, 86400]


# -- requests -----------------------------------------------------------------------------------------------------

CASES = {
    "azure_openai.chat": (chat_of, as_we_write_it),
    "azure_openai.completions": (completion_of, completion_as_we_write_it),
    "azure_openai.embeddings": (embedding_of, embedding_as_we_write_it),
    "azure_openai.responses": (response_of, response_as_we_write_it),
}


def address_of(row):
    """Scheme, host, deployment and version of a recorded address."""
    parts = urlsplit(row["request"]["url"])
    words = parts.path.split("/")
    deployment = words[words.index("deployments") + 1] if "deployments" in words else None
    version = parts.query.removeprefix("api-version=") or None
    return f"{parts.scheme}://{parts.netloc}", deployment, version


def model_of(row, body):
    host, deployment, version = address_of(row)
    if "/openai/v1/" not in row["request"]["url"] and version is None:
        version = "2024-10-21"  # one recording lost its query
    settings = AzureOpenAISettings(endpoint=host, api_version=version)
    declared = {"route": "responses"} if row["api"].endswith("responses") else {}
    return ModelRef(deployment or body.get("model", ""), declared={"id": "*", **declared}, settings=settings)


def rebuild_with_address(row, body, _, request):
    model = model_of(row, body)
    made = translated(azure, model, request).wire
    base, _, query = azure.jackfield_transport(model.settings).base_url.partition("?")
    theirs = row["request"]["url"].replace(".com//", ".com/")
    ours = f"{base}{made.path}"
    assert ours == theirs.partition("?")[0]
    if "?" in theirs:
        assert query == theirs.partition("?")[2]
    return made.body


def rewriting(rewrite):
    """Add what differs for every request to a deployment: the name in the body means nothing to the service."""

    def rewritten(body, dialect, ours, reasons):
        body = rewrite(body, dialect, ours, reasons)
        if body.get("model") != ours["model"]:
            body["model"] = ours["model"]
            reasons["the deployment stands in the path, and is the body's model as the SDK's"] += 1
        return body

    return rewritten


EQUAL = {
    "azure_openai.chat": {
        "lines": 41,
        "equal": 41,
        "differences": {
            "a message's annotations is none of the request's documented fields": 2,
            "a stream is asked for its usage": 3,
            "an assistant turn without text says content: null": 5,
            "arguments are written without spaces": 2,
            "developer and system are one role to the service": 2,
            "max_tokens is deprecated for chats: max_completion_tokens": 1,
            "null is the same as not given, and is not sent": 3,
            "stream: false is the default, and is not sent": 16,
            "the deployment stands in the path, and is the body's model as the SDK's": 20,
        },
        "odd": {},
        "refused": {},
    },
    "azure_openai.completions": {
        "lines": 3,
        "equal": 3,
        "differences": {"the deployment stands in the path, and is the body's model as the SDK's": 3},
        "odd": {},
        "refused": {},
    },
    "azure_openai.embeddings": {
        "lines": 4,
        "equal": 4,
        "differences": {
            "base64 is asked for": 2,
            "one input is sent as a list": 3,
            "the deployment stands in the path, and is the body's model as the SDK's": 2,
        },
        "odd": {},
        "refused": {},
    },
    "azure_openai.responses": {
        "lines": 12,
        "equal": 12,
        "differences": {
            "content of one text part is sent as a string": 7,
            "developer and system are one role to the service": 6,
            "stream: false is the default, and is not sent": 4,
        },
        "odd": {},
        "refused": {},
    },
}


@pytest.mark.parametrize("api", CASES)
def test_recorded_requests_are_built_again(api):
    make, rewrite = CASES[api]
    lines = list(bodies_of(rows(), api))
    equal, differences, odd, refused, faults = 0, Counter(), Counter(), Counter(), {}
    for row, body in lines:
        dialect = dialect_of(model_of(row, body))
        named = {"model": "unnamed", **body}
        one = compare([(row, named)], dialect, make, rewriting(rewrite), rebuild_with_address)
        equal += one[0]
        differences.update(one[1])
        odd.update(one[2])
        refused.update({f"{name} ({status})": n for (status, name), n in one[3].items()})
        faults.update(one[4])
    assert not faults
    found = {"lines": len(lines), "equal": equal, "differences": dict(sorted(differences.items())),
             "odd": dict(odd), "refused": dict(refused)}  # fmt: skip
    assert counted(found) == EQUAL[api]


def test_cuts_of_the_network_change_nothing():
    streams = [row for row in rows() if row["response"]["body_kind"] == "sse" and not is_cut(row)]
    assert counted(len(streams)) == 9
    for row in streams:
        whole = events_of(row)
        for cut in (1, 7, 64):
            assert events_of(row, cut=cut) == whole


def test_fields_that_a_service_may_add_later_change_nothing():
    read = check_unseen([*answers_of("azure_openai.chat"), *answers_of("azure_openai.responses")], events_of)
    assert counted(read) == 53
