"""Requests of real clients, as they were captured, go through the gateway as a whole; and the cases of Open Responses."""

import json
from collections import Counter

import pytest
from captured_requests import SURFACES_BY_PATH, requests
from gateway_running import running
from openresponses_types import ResponseResource
from recordings import counted

from jackfield.testing import FakeAnswer, FakeProvider

PATHS = {surface: path for path, surface in SURFACES_BY_PATH.items()}
ENDS = {
    "openai.chat": "data: [DONE]",
    "openai.responses": '"type":"response.completed"',
    "anthropic.messages": '"type":"message_stop"',
}
# They need what was stored: an answer, an item, a compaction; or name no model.
REFUSED = {
    "previous_response_not_found": counted(11),
    "item_not_found": counted(1),
    "unsupported_parameter": counted(1),
    "missing_required_parameter": counted(1),
}


def answer(request):
    return FakeAnswer(thinking="hm", text="Well, yes.", tool_calls=[("read_file", {"path": "greet.py"})])


@pytest.mark.parametrize("stream", [True, False])
async def test_requests_of_real_clients_are_answered(stream):
    answered, refused = Counter(), Counter()
    async with running(fake=FakeProvider(answers=answer), unsupported="drop") as gateway:
        for file, number, surface, headers, body in requests():
            asked = {
                name: value for name, value in body.items() if name not in ("type", "generate", "stream")
            }
            asked |= {"model": "best"} if "model" in body else {}
            if stream and surface in ENDS:
                asked["stream"] = True
            sent = {
                name: value
                for name, value in headers.items()
                if name.lower()
                not in ("host", "content-length", "accept-encoding", "connection", "content-encoding")
            }
            sent = {name: value for name, value in sent.items() if isinstance(value, str)}
            path = PATHS[surface]
            async with gateway.http.post(
                f"{gateway.url}{path}?beta=true", json=asked, headers=sent
            ) as response:
                text = await response.text()
            if response.status == 200:
                answered[surface] += 1
                assert (ENDS[surface] if "stream" in asked else '"') in text, (file, number)
                assert "event: error" not in text
            else:
                error = json.loads(text)["error"]
                refused[error["code"]] += 1
                assert response.status in (400, 404), (file, number, text)
    assert dict(refused) == REFUSED
    assert sum(answered.values()) == counted(77)


def open_responses():
    """Return the requests of the conformance suite of Open Responses that an HTTP service without a store answers."""
    return [
        body
        for file, _, surface, _, body in requests()
        if file == "openresponses_suite"
        and surface == "openai.responses"
        and body.get("type") != "response.create"
        and "compaction" not in json.dumps(body)
    ]


async def test_the_cases_of_open_responses_are_answered_by_its_schemas():
    count = 0
    async with running() as gateway:
        for body in open_responses():
            fake = FakeAnswer(tool_calls=[("get_weather", {"location": "San Francisco"})])
            gateway.fake.script(fake if "tools" in body else FakeAnswer(text="Hello there, you."))
            async with gateway.http.post(
                f"{gateway.url}/v1/responses", json={**body, "model": "best"}
            ) as response:
                text = await response.text()
            assert response.status == 200, (body, text)
            whole = text
            if body.get("stream"):
                events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
                assert text.rstrip().endswith("data: [DONE]")
                assert [event["sequence_number"] for event in events] == list(range(len(events)))
                whole = json.dumps(events[-1]["response"])
            found = ResponseResource.model_validate_json(whole)
            assert found.status == "completed"
            assert found.output
            if "tools" in body:
                assert json.loads(whole)["output"][0]["type"] == "function_call"
            count += 1
    assert count == counted(7)


async def test_compaction_is_refused(gateway):
    status, _, told = await gateway.post("/v1/responses/compact", {"model": "best", "input": "hi"})
    assert (status, told["error"]["code"]) == (405, "unknown_url")
