"""Recorded traffic of Azure's endpoints: answers read and compared with a simpler reading, requests built again."""

from __future__ import annotations

from collections import Counter

from openai_rebuilding import as_we_write_it, chat_of, compare
from openai_recordings import check_choices, message_in
from recordings import BY_STATUS, bodies_of, counted, events_by, head_of, raw_body, recorded
from unseen import check_unseen

import jackfield_azure_llm as azure
from jackfield import JackfieldError, ProviderError
from jackfield.plugin import Failure, FailureInStream, ModelRef, Wire
from jackfield.testing import reply_of, translated
from jackfield_azure_llm import AzureLLMSettings
from jackfield_azure_llm._dialect import DIALECT

# Every `api` of the file, and what reads it.
SERVED = {"azure_ml.chat": "chat"}
COUNTS = {"azure_ml.chat": 54}


def rows():
    return recorded("azure_ml")


def events_of(row, *, cut=None):
    wire = Wire("/", row["request"]["body"], stream=row["stream"], meta={"api": SERVED[row["api"]]})
    return events_by(azure.jackfield_decoder(wire), row, cut=cut)


def test_every_line_is_accounted_for():
    assert counted(Counter(row["api"] for row in rows())) == COUNTS
    assert {row["api"] for row in rows()} <= set(COUNTS) == set(SERVED)


def test_answers_are_read_as_recorded():
    read = [row for row in rows() if row["response"]["status"] < 400]
    assert counted(len(read)) == 49
    faults = {}
    for row in read:
        try:
            check_choices(row, reply_of(events_of(row), provider="azure-llm"))
        except (AssertionError, JackfieldError, FailureInStream, KeyError) as fault:
            faults[row["id"]] = f"{type(fault).__name__}: {str(fault)[:400]}"
    assert not faults


def test_cuts_of_the_network_change_nothing():
    streams = [row for row in rows() if row["response"]["body_kind"] == "sse"]
    assert counted(len(streams)) == 7
    for row in streams:
        whole = events_of(row)
        for cut in (1, 7, 64):
            assert events_of(row, cut=cut) == whole


def test_errors_are_classed_as_recorded():
    failed = [row for row in rows() if row["response"]["status"] >= 400]
    assert counted(Counter(row["response"]["status"] for row in failed)) == {401: 1, 404: 1, 429: 3}
    for row in failed:
        head = head_of(row)
        status = row["response"]["status"]
        error = azure.jackfield_error(Failure(status=status, headers=head.headers, body=raw_body(row)))
        assert isinstance(error, ProviderError)
        assert type(error).__name__ == BY_STATUS[status]
        assert error.message.startswith(message_in(row["response"]["body"])[:40])
        milliseconds, seconds = head.headers.get("retry-after-ms"), head.headers.get("retry-after")
        wait = float(milliseconds) / 1000 if milliseconds is not None else seconds
        assert error.retry_after == (None if wait is None else float(wait))


def model_of(row, body):
    uri = row["request"]["url"]
    declared = {"id": body["model"], "target_uri": uri}
    return ModelRef(body["model"], declared=declared, settings=AzureLLMSettings(target_uri=uri))


def rebuild(row, body, _, request):
    model = model_of(row, body)
    made = translated(azure, model, request).wire
    theirs, _, query = row["request"]["url"].partition("?")
    if "RESOURCE.openai.azure.com/chat" in theirs:  # recorded as a 404: a resource has nothing there
        theirs = theirs.replace("/chat", "/openai/v1/chat")
    assert made.path == theirs
    assert "&".join(f"{name}={value}" for name, value in made.query.items()) == query
    return made.body


def test_recorded_requests_are_built_again():
    lines = list(bodies_of(rows(), "azure_ml.chat"))
    equal, differences, odd, refused, faults = compare(lines, DIALECT, chat_of, as_we_write_it, rebuild)
    assert not faults
    assert counted((len(lines), equal)) == (54, 54)
    assert (odd, refused) == ({}, {})
    assert counted(differences) == {
        "an assistant turn without text says content: null": 1,
        "content of one text part is sent as a string": 7,
        "files of a tool's result are sent in a user's turn after it": 1,
        "stream: false is the default, and is not sent": 46,
    }


def test_fields_that_a_service_may_add_later_change_nothing():
    read = check_unseen([row for row in rows() if row["response"]["status"] < 400], events_of)
    assert counted(read) == 49
