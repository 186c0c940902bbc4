"""Recorded traffic of Mistral: answers read and compared with a simpler reading, requests built again.

The recordings lie beside the repository; where they are absent the tests are skipped, in CI that is a failure.
"""

from __future__ import annotations

import copy
import re
from collections import Counter

import pytest
from openai_rebuilding import (
    as_we_write_it,
    chat_of,
    compare,
    completion_as_we_write_it,
    completion_of,
    embedding_as_we_write_it,
    embedding_of,
)
from openai_recordings import floats_of, same_arguments, values_of
from recordings import BY_STATUS, bodies_of, counted, events_by, head_of, raw_body, recorded
from unseen import check_unseen

import jackfield_mistral as mistral
from jackfield import JackfieldError, RawEvent, Thinking
from jackfield.plugin import EmbeddingData, Failure, FailureInStream, ModelRef, Wire
from jackfield.testing import reply_of, translated
from jackfield_mistral._dialect import FIM, MISTRAL
from jackfield_mistral._messages import make_id

# Every `api` of the file, and what reads it; None: not served, and why is in the page of the documentation.
SERVED = {
    "mistral.agents_chat": "chat",  # the answer has the shape of a chat's; the request names an agent, and is not made
    "mistral.chat": "chat",
    "mistral.embeddings": "embedding",
    "mistral.fim": "completion",
    "mistral.models": "models",
}
COUNTS = {
    "mistral.agents_chat": 2,
    "mistral.chat": 187,
    "mistral.embeddings": 5,
    "mistral.fim": 2,
    "mistral.models": 1,
}


def rows():
    return recorded("mistral")


def answers_of(api):
    return [row for row in rows() if row["api"] == api and row["response"]["status"] < 400]


def events_of(row, *, cut=None):
    request = (row.get("request") or {}).get("body")
    body = request if isinstance(request, dict) else {}
    wire = Wire("/", body, stream=row["stream"], meta={"api": SERVED[row["api"]]})
    return events_by(mistral.jackfield_decoder(wire), row, cut=cut)


def test_every_line_is_accounted_for():
    assert counted(Counter(row["api"] for row in rows())) == COUNTS
    assert {row["api"] for row in rows()} <= COUNTS.keys() == SERVED.keys()


# -- answers: the second reading ---------------------------------------------------------------------------------


def pieces_of(row, value):
    for choice in value.get("choices") or []:
        yield choice["index"], choice, choice.get("delta") or choice.get("message") or {}


def expected(row):
    """`{index: [text, thinking, [[id, name, arguments]], raw]}` by the documented format, and the last usage."""
    found, usage = {}, {}
    for value in values_of(row):
        usage = value.get("usage") or usage
        for index, choice, piece in pieces_of(row, value):
            state = found.setdefault(index, ["", "", [], None])
            content = piece.get("content")
            for part in content if isinstance(content, list) else [{"type": "text", "text": content or ""}]:
                if part["type"] == "text":
                    state[0] += part["text"]
                elif part["type"] == "thinking":
                    state[1] += "".join(inner.get("text", "") for inner in part["thinking"])
            for call in piece.get("tool_calls") or []:
                add_call(state[2], call)
            state[3] = choice.get("finish_reason") or state[3]
    return found, usage


def add_call(calls, call):
    """A new id begins a call; without an id, a piece continues the call of its index, or the last one."""
    identity, function = call.get("id"), call["function"]
    known = next((old for old in calls if identity and old[0] == identity), None)
    if known is None and identity:
        known = [identity, "", "", call.get("index")]
        calls.append(known)
    elif known is None:
        same = [old for old in calls if old[3] == call.get("index")]
        known = (same or calls)[-1]
    known[1] = known[1] or function.get("name") or ""
    known[2] += function.get("arguments") or ""


FINISH = {"stop": "stop", "length": "length", "model_length": "length", "tool_calls": "tool_calls"}


def counts_in(usage):
    """Input, output and cached tokens; audio is input that `prompt_tokens` does not include."""
    inside = usage.get("prompt_tokens_details") or usage.get("prompt_token_details") or {}
    read = usage.get("prompt_tokens")
    if inside.get("audio_tokens"):
        read = usage["total_tokens"] - usage["completion_tokens"]
    return read, usage.get("completion_tokens"), inside.get("cached_tokens", usage.get("num_cached_tokens"))


def check(row):
    choices, usage = expected(row)
    answer = reply_of(events_of(row), provider="mistral")
    assert {choice.index for choice in answer.choices} == set(choices)
    for choice in answer.choices:
        text, thinking, calls, raw = choices[choice.index]
        assert choice.text == text
        assert "".join(p.text for p in choice.message.parts if isinstance(p, Thinking)) == thinking
        assert [(c.id, c.name) for c in choice.message.tool_calls] == [(c[0], c[1]) for c in calls]
        for ours, theirs in zip(choice.message.tool_calls, calls, strict=True):
            assert same_arguments(ours, theirs[2])
        assert choice.finish_raw == raw
        assert choice.finish_reason == ("tool_calls" if calls and raw == "stop" else FINISH[raw])
    used = answer.usage
    assert (used.input_tokens, used.output_tokens, used.cached_input_tokens) == counts_in(usage)
    assert answer.service_tier == usage.get("service_tier")
    first = values_of(row)[0]
    assert (answer.id, answer.model) == (first["id"], first["model"])
    # What the decoder does not know is kept; in these recordings there is nothing of the kind.
    assert not [event for event in answer.raw if isinstance(event, RawEvent)]


@pytest.mark.parametrize(
    ("api", "answers"), [("mistral.chat", 178), ("mistral.fim", 2), ("mistral.agents_chat", 2)]
)
def test_answers_are_read_as_recorded(api, answers):
    read = answers_of(api)
    assert counted(len(read)) == answers
    faults = {}
    for row in read:
        try:
            check(row)
        except (AssertionError, JackfieldError, FailureInStream, KeyError) as fault:
            faults[row["id"]] = f"{type(fault).__name__}: {str(fault)[:400]}"
    assert not faults


def test_recordings_contain_what_is_tested():
    """The recordings contain what the tests are for."""
    seen = Counter()
    for row in answers_of("mistral.chat"):
        choices, usage = expected(row)
        seen["several choices"] += len(choices) > 1
        seen["thinking"] += any(state[1] for state in choices.values())
        seen["calls"] += any(state[2] for state in choices.values())
        seen["parallel calls"] += any(len(state[2]) > 1 for state in choices.values())
        seen["cached"] += bool(counts_in(usage)[2])
        seen["tier"] += usage.get("service_tier") is not None
        seen["audio"] += "prompt_audio_seconds" in usage and usage["prompt_audio_seconds"] is not None
    assert counted(seen) == SEEN


SEEN = {
    "several choices": 3,
    "thinking": 8,
    "calls": 62,
    "parallel calls": 5,
    "cached": 34,
    "tier": 79,
    "audio": 2,
}


def test_embeddings_are_read_as_recorded():
    read = answers_of("mistral.embeddings")
    assert counted(len(read)) == 4
    for row in read:
        events = events_of(row)
        body = row["response"]["body"]
        vectors = {e.index: e.vector.tolist() for e in events if isinstance(e, EmbeddingData)}
        assert vectors == {entry["index"]: floats_of(entry["embedding"]) for entry in body["data"]}
        assert reply_of(events).usage.input_tokens == body["usage"]["prompt_tokens"]


def test_cuts_of_the_network_change_nothing():
    streams = [row for row in rows() if row["response"]["body_kind"] == "sse"]
    assert counted(len(streams)) == STREAMS
    for row in streams:
        whole = events_of(row)
        for cut in (1, 7, 64):
            assert events_of(row, cut=cut) == whole


STREAMS = 55


# -- thinking goes back byte for byte ----------------------------------------------------------------------------


def test_thinking_is_sent_back_unchanged():
    seen = 0
    for row in answers_of("mistral.chat"):
        body = row["response"]["body"]
        if row["response"]["body_kind"] != "json" or not isinstance(
            body["choices"][0]["message"].get("content"), list
        ):
            continue
        (choice,) = reply_of(events_of(row), provider="mistral").choices
        wire = built(ModelRef(row["model"]), chat_of({"model": "m", "messages": []}, MISTRAL), choice.message)
        assert wire["messages"][0]["content"] == body["choices"][0]["message"]["content"]
        seen += 1
    assert counted(seen) == 4


def built(model, request, *messages):
    request = type(request)(tuple(messages), request.options, request.stream)
    return translated(mistral, model, request).wire.body


# -- errors -------------------------------------------------------------------------------------------------------


def test_errors_are_classed_as_recorded():
    failed = [row for row in rows() if row["response"]["status"] >= 400]
    assert counted(Counter(row["response"]["status"] for row in failed)) == {400: 6, 401: 4, 429: 1}
    for row in failed:
        status, body = row["response"]["status"], row["response"]["body"]
        error = mistral.jackfield_error(
            Failure(status=status, headers=head_of(row).headers, body=raw_body(row))
        )
        unknown = body.get("type") == "invalid_model"
        assert type(error).__name__ == ("NotFoundError" if unknown else BY_STATUS[status])
        assert error.message == (body.get("message") or body["detail"])
        assert (error.status, error.code) == (status, body.get("code") or body.get("type"))
        assert error.is_retryable == (status in {408, 409, 429} or status >= 500)


# -- requests -----------------------------------------------------------------------------------------------------


def request_of(body, dialect):
    """Build a chat; `random_seed` is our `seed`, and content in Mistral's form becomes our parts."""
    body = copy.deepcopy(body)
    named = {("seed" if name == "random_seed" else name): value for name, value in body.items()}
    for message in named.get("messages", ()):
        for part in message["content"] if isinstance(message.get("content"), list) else ():
            if part["type"] == "input_audio" and isinstance(part["input_audio"], str):
                part["input_audio"] = {"data": part["input_audio"], "format": "wav"}
        for call in message.get("tool_calls") or ():
            call.setdefault("type", "function")
    named["tools"] = [{"type": "function", **tool} for tool in body["tools"]] if body.get("tools") else None
    if body.get("tool_choice") == "any":
        named["tool_choice"] = "required"
    return chat_of(named, dialect)


def new_id(old):
    return old if re.fullmatch("[a-zA-Z0-9]{9}", old) else make_id(old)


def as_mistral_has_it(body, dialect, ours, reasons):
    body, marked = copy.deepcopy(body), False
    for message in body["messages"]:
        if "prefix" in message:
            marked = message.pop("prefix")
            reasons["prefix: false is the default, and is not sent"] += not marked
    body = as_we_write_it(body, dialect, ours, reasons)
    if marked:
        body["messages"][-1]["prefix"] = True
    for place in range(len(body["messages"]) - 1, 0, -1):
        if [message["role"] for message in body["messages"][place - 1 : place + 1]] == ["tool", "user"]:
            body["messages"].insert(place, {"role": "assistant", "content": "OK."})
            reasons["an assistant's turn stands between a tool's result and a user's turn"] += 1
    if body.get("tool_choice") == "none" and "tools" in body:
        del body["tools"], body["tool_choice"]
        reasons["tools are left out where none may be called"] += 1
    if body.get("tool_choice") == "any":
        body["tool_choice"] = "required"
        reasons["any and required are one word to the service"] += 1
    if "tool_choice" in body and not body.get("tools"):
        del body["tool_choice"]
        reasons["tool_choice is not sent without tools"] += 1
    for tool in body.get("tools") or ():
        if "type" not in tool:
            tool["type"] = "function"
            reasons["a tool is told to be a function"] += 1
    for message in body["messages"]:
        for part in message["content"] if isinstance(message.get("content"), list) else ():
            if part["type"] == "input_audio" and isinstance(part["input_audio"], dict):
                part["input_audio"] = part["input_audio"]["data"]
                reasons["audio is sent as a plain string, as the API describes it"] += 1
        if message["role"] == "assistant" and message.get("content") in (None, []):
            message["content"] = ""
            reasons["an assistant turn without text says an empty string"] += 1
        for holder, name in [
            (message, "tool_call_id"),
            *((c, "id") for c in message.get("tool_calls") or ()),
        ]:
            if name in holder and new_id(holder[name]) != holder[name]:
                holder[name] = new_id(holder[name])
                reasons["ids of calls are nine letters and digits"] += 1
    return body


def rebuild(row, body, dialect, request):
    model = ModelRef(body["model"])
    made = translated(mistral, model, request).wire
    assert "https://api.mistral.ai" + made.path == row["request"]["url"]
    return made.body


CASES = {
    "mistral.chat": (MISTRAL, request_of, as_mistral_has_it),
    "mistral.fim": (FIM, completion_of, completion_as_we_write_it),
    "mistral.embeddings": (MISTRAL, embedding_of, embedding_as_we_write_it),
}
EQUAL = {
    "mistral.chat": {
        "lines": 178,
        "equal": 176,
        "differences": {
            "a tool call's index is none of the request's documented fields": 13,
            "a tool is told to be a function": 26,
            "an assistant turn without text says an empty string": 2,
            "an assistant turn without text says content: null": 2,
            "an assistant's turn stands between a tool's result and a user's turn": 3,
            "any and required are one word to the service": 27,
            "arguments are written without spaces": 7,
            "audio is sent as a plain string, as the API describes it": 1,
            "content of one text part is sent as a string": 9,
            "empty content is sent as an empty string": 11,
            "ids of calls are nine letters and digits": 9,
            "prefix: false is the default, and is not sent": 25,
            "stream: false is the default, and is not sent": 86,
            "tool_choice is not sent without tools": 1,
            "tools are left out where none may be called": 8,
        },
        "odd": {"a request without a model": 1},
        "refused": {"logprobs (400)": 1},
    },
    "mistral.fim": {
        "lines": 2,
        "equal": 2,
        "differences": {"stream: false is the default, and is not sent": 1},
        "odd": {},
        "refused": {},
    },
    "mistral.embeddings": {
        "lines": 4,
        "equal": 4,
        "differences": {"one input is sent as a list": 1},
        "odd": {},
        "refused": {},
    },
}


@pytest.mark.parametrize("api", CASES)
def test_recorded_requests_are_built_again(api):
    dialect, make, rewrite = CASES[api]
    lines = [(row, copy.deepcopy(body)) for row, body in bodies_of(rows(), api)]
    equal, differences, odd, refused, faults = compare(lines, dialect, make, rewrite, rebuild)
    assert not faults
    found = {"lines": len(lines), "equal": equal, "differences": dict(sorted(differences.items())),
             "odd": odd, "refused": {f"{name} ({status})": n for (status, name), n in refused.items()}}  # fmt: skip
    assert counted(found) == EQUAL[api]


def test_fields_that_a_service_may_add_later_change_nothing():
    read = check_unseen(answers_of("mistral.chat"), events_of)
    assert counted(read) == 178
