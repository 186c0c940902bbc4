"""What a streamed answer looks like: the order of events, and the shapes that clients rely on."""

import json
from itertools import pairwise

import pytest
from captured_requests import folder
from reading_back import CHATS, as_reply, ask, read_back, streamed_bytes, whole_bytes

from jackfield import (
    Citation,
    CitationDelta,
    Finish,
    LogprobsDelta,
    OverloadedError,
    PartAdded,
    RateLimitError,
    RawPart,
    RefusalDelta,
    Reply,
    ServerError,
    Started,
    TextDelta,
    ThinkingDelta,
    TokenLogprob,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    Usage,
    UsageUpdate,
)
from jackfield_surfaces import SURFACES

HEAD = Reply(provider="vertex", model="gemini")
CALL = [ToolCallStart(0, "c1", "read"), ToolCallDelta(0, '{"p": 1}'), ToolCallEnd(0), Finish("tool_calls")]


def write(surface, *events, provider="vertex", **fields):
    """Write a stream; return its events as JSON."""
    reply = as_reply(events, provider, "gemini")
    data = streamed_bytes(surface, events, reply, ask(surface, stream=True, **fields))
    return parsed(data)


def parsed(data):
    """Parse a stream: for each event its name and its data."""
    found = []
    for block in data.decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if line)
        if lines:
            text = lines["data"]
            found.append((lines.get("event"), text if text == "[DONE]" else json.loads(text)))
    return found


def types(events):
    return [data["type"] if isinstance(data, dict) else data for _, data in events]


def deltas(events):
    return [data["choices"][0]["delta"] for _, data in events if isinstance(data, dict) and data["choices"]]


# The frames of each API


def test_a_chat_has_chunks_without_names_and_an_end_marker():
    *chunks, end = write(
        "openai.chat", Started("id-1", "m-1"), TextDelta("Hi"), Finish("stop"), UsageUpdate(Usage(3, 2))
    )
    assert end == (None, "[DONE]")
    assert {name for name, _ in chunks} == {None}
    assert {(data["id"], data["model"], data["object"]) for _, data in chunks} == {
        ("id-1", "m-1", "chat.completion.chunk")
    }
    assert deltas(chunks) == [{"role": "assistant", "content": "", "refusal": None}, {"content": "Hi"}, {}]
    assert [data["choices"][0]["finish_reason"] for _, data in chunks[:-1]] == [None, None, "stop"]
    assert [data["usage"] for _, data in chunks[:-1]] == [None, None, None]
    assert chunks[-1][1]["choices"] == []
    assert chunks[-1][1]["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def test_a_chat_has_no_usage_that_was_not_asked_for():
    events = [TextDelta("Hi"), Finish("stop"), UsageUpdate(Usage(3, 2))]
    chunks = write("openai.chat", *events, stream_options=None)
    assert not any("usage" in data for _, data in chunks if isinstance(data, dict))


def test_responses_have_a_name_for_each_event_and_count_them():
    events = write(
        "openai.responses",
        Started("resp_1", "m-1"),
        TextDelta("Hi"),
        Finish("stop"),
        UsageUpdate(Usage(3, 2)),
    )
    assert events[-1] == (None, "[DONE]")
    assert all(name == data["type"] for name, data in events[:-1])
    assert [data["sequence_number"] for _, data in events[:-1]] == list(range(len(events) - 1))
    assert types(events) == [
        "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
        "response.output_text.delta", "response.output_text.done", "response.content_part.done",
        "response.output_item.done", "response.completed", "[DONE]",
    ]  # fmt: skip
    assert events[-2][1]["response"]["usage"]["total_tokens"] == 5


def test_messages_have_a_name_for_each_event_and_both_usages():
    events = write(
        "anthropic.messages",
        Started("msg_1", "m-1"),
        TextDelta("Hi"),
        Finish("stop"),
        UsageUpdate(Usage(3, 2, 1)),
    )
    assert all(name == data["type"] for name, data in events)
    assert types(events) == [
        "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop",
    ]  # fmt: skip
    assert events[0][1]["message"]["usage"] == {"input_tokens": 0, "output_tokens": 0}
    assert events[-2][1]["usage"]["input_tokens"] == 2
    assert events[-2][1]["usage"]["cache_read_input_tokens"] == 1
    assert events[-2][1]["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}


def test_input_that_is_known_at_the_start_stands_at_the_start():
    events = write(
        "anthropic.messages",
        UsageUpdate(Usage(30, 1)),
        TextDelta("Hi"),
        Finish("stop"),
        UsageUpdate(Usage(30, 2)),
    )
    assert events[0][1]["message"]["usage"]["input_tokens"] == 30


@pytest.mark.parametrize("dialect", ["responses", "messages"])
@pytest.mark.parametrize("case", ["thinking_text_call", "parallel_calls", "text"])
def test_streams_have_the_events_that_all_clients_took(dialect, case):
    """Streams that eleven clients took without complaint: ours have the same events, in the same order."""
    accepted = json.loads((folder() / "accepted_answers.json").read_text("utf-8"))["answers"][case][dialect]
    surface = {"responses": "openai.responses", "messages": "anthropic.messages"}[dialect]
    data = b"".join(
        b"event: %b\ndata: %b\n\n" % (e["type"].encode(), json.dumps(e).encode()) for e in accepted
    )
    from reading_back import READERS

    from jackfield.http import framer_for
    from jackfield.plugin import Head, Headers, Wire

    plugin, meta = READERS[surface]
    decoder = plugin.jackfield_decoder(Wire("/", {}, stream=True, meta=meta))
    events = list(decoder.start(Head(200, Headers())))
    framer = framer_for("text/event-stream", "sse")
    for frame in [*framer.feed(data), *framer.close()]:
        events += decoder.feed(frame)
    events += decoder.finish()
    ours = write(surface, *events, provider=surface.partition(".")[0])
    assert kinds(types(ours)) == kinds([event["type"] for event in accepted])
    for event in [event for event in accepted if event["type"] != "ping"]:
        mine = next(data for _, data in ours if isinstance(data, dict) and data["type"] == event["type"])
        assert event.keys() - mine.keys() <= {"obfuscation", "context_management"}


def kinds(names):
    """Return names of events without pings, end markers, and repetitions of one piece after the other."""
    kept = [name for name in names if name not in ("ping", "[DONE]")]
    return [b for a, b in pairwise(["", *kept]) if a != b or not b.endswith("delta")]


# Calls of tools


def test_arguments_that_come_at_once_are_a_piece_and_an_end():
    assert types(write("openai.responses", *CALL))[2:6] == [
        "response.output_item.added", "response.function_call_arguments.delta", "response.function_call_arguments.done",
        "response.output_item.done",
    ]  # fmt: skip
    blocks = [
        data for _, data in write("anthropic.messages", *CALL) if data["type"].startswith("content_block")
    ]
    assert blocks[1]["delta"] == {"type": "input_json_delta", "partial_json": '{"p": 1}'}
    pieces = [
        delta["tool_calls"][0] for delta in deltas(write("openai.chat", *CALL)) if "tool_calls" in delta
    ]
    assert pieces == [
        {"index": 0, "id": "c1", "type": "function", "function": {"name": "read", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"p": 1}'}},
    ]


@pytest.mark.parametrize("surface", CHATS)
@pytest.mark.parametrize("pieces", [[], [ToolCallDelta(0, "")]])
def test_a_call_without_arguments_has_an_empty_object(surface, pieces):
    events = [ToolCallStart(0, "c1", "now"), *pieces, ToolCallEnd(0), Finish("tool_calls")]
    reply = as_reply(events)
    for data, stream in (
        (streamed_bytes(surface, events, reply), True),
        (whole_bytes(surface, reply), False),
    ):
        (call,) = read_back(surface, data, stream=stream).tool_calls
        assert (call.arguments, call.arguments_raw) == ({}, None)
    text = streamed_bytes(surface, events, reply).decode()
    assert '"arguments":"{}"' in text or surface == "anthropic.messages"


@pytest.mark.parametrize("surface", ["openai.responses", "anthropic.messages"])
def test_calls_that_come_mixed_are_written_one_after_the_other(surface):
    events = [
        ToolCallStart(0, "a", "f"), ToolCallDelta(0, '{"x":'), ToolCallStart(1, "b", "g"), ToolCallDelta(1, '{"y":'),
        ToolCallDelta(0, " 1}"), ToolCallDelta(1, " 2}"), TextDelta("Done."), ToolCallEnd(0), ToolCallEnd(1), Finish("tool_calls"),
    ]  # fmt: skip
    written = write(surface, *events)
    open_blocks, order = 0, []
    for _, data in written:
        kind = data["type"] if isinstance(data, dict) else ""
        open_blocks += kind in ("content_block_start", "response.output_item.added")
        open_blocks -= kind in ("content_block_stop", "response.output_item.done")
        assert open_blocks in (0, 1)
        if kind in ("content_block_start", "response.output_item.added"):
            block = data.get("content_block") or data["item"]
            order.append(block.get("name") or block["type"])
    assert order[:2] == ["f", "g"]
    again = read_back(surface, streamed_bytes(surface, events, as_reply(events)), stream=True)
    assert [(call.name, dict(call.arguments)) for call in again.tool_calls] == [
        ("f", {"x": 1}),
        ("g", {"y": 2}),
    ]
    assert again.text == "Done."


def test_the_first_of_two_calls_is_streamed_while_it_comes_and_ends_when_it_is_whole():
    encoder = SURFACES["anthropic.messages"].encoder(ask("anthropic.messages", stream=True))
    encoder.start(HEAD)
    assert encoder.feed(ToolCallStart(0, "a", "f"))
    assert encoder.feed(ToolCallDelta(0, '{"x": 1}'))
    opened = b"".join(encoder.feed(ToolCallStart(1, "b", "g")))
    assert b"content_block_stop" in opened
    assert b'"name":"g"' in opened


def test_a_call_that_never_ended_is_ended():
    events = [ToolCallStart(0, "a", "f"), ToolCallDelta(0, "{}"), Finish("tool_calls")]
    for surface in CHATS:
        again = read_back(surface, streamed_bytes(surface, events, as_reply(events)), stream=True)
        assert [call.name for call in again.tool_calls] == ["f"]


def test_numbers_of_calls_in_a_chat_have_no_gaps():
    events = [ToolCallStart(n, f"c{n}", "f") for n in (3, 5)] + [
        ToolCallDelta(5, "{}"),
        ToolCallDelta(3, "{}"),
        Finish("tool_calls"),
    ]
    pieces = [d["tool_calls"][0]["index"] for d in deltas(write("openai.chat", *events)) if "tool_calls" in d]
    assert pieces == [0, 1, 1, 0]


CUSTOM = {
    "type": "custom",
    "name": "patch",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"},
}


def test_a_custom_tool_of_responses_gets_its_text():
    events = [ToolCallStart(0, "c", "patch"), ToolCallDelta(0, '{"input": "a\\n'), ToolCallDelta(0, '\\"b\\""}'), ToolCallEnd(0),
              Finish("tool_calls")]  # fmt: skip
    written = write("openai.responses", *events, tools=[CUSTOM])
    items = [
        data["item"]
        for _, data in written
        if isinstance(data, dict) and data["type"] == "response.output_item.done"
    ]
    assert [(item["type"], item["name"], item["input"]) for item in items] == [
        ("custom_tool_call", "patch", 'a\n"b"')
    ]
    assert "response.custom_tool_call_input.delta" in types(written)
    (tool,) = ask("openai.responses", tools=[CUSTOM]).options["tools"]
    assert "start: x" in tool.parameters["properties"]["input"]["description"]


def test_a_tool_of_a_namespace_is_named_as_the_client_named_it():
    inner = [{"type": "function", "name": "spawn", "parameters": {}}, {**CUSTOM, "name": "exec"}]
    tools = [{"type": "namespace", "name": "team", "tools": inner}]
    events = [ToolCallStart(0, "c", "team__spawn"), ToolCallDelta(0, "{}"), ToolCallEnd(0), ToolCallStart(1, "d", "team__exec"),
              ToolCallDelta(1, '{"input":"x"}'), ToolCallEnd(1), Finish("tool_calls")]  # fmt: skip
    written = write("openai.responses", *events, tools=tools)
    items = [
        data["item"]
        for _, data in written
        if isinstance(data, dict) and data["type"] == "response.output_item.done"
    ]
    assert [(i["type"], i["namespace"], i["name"]) for i in items] == [
        ("function_call", "team", "spawn"), ("custom_tool_call", "team", "exec"),
    ]  # fmt: skip


def test_a_custom_tool_of_chats_gets_its_text():
    tools = [{"type": "custom", "custom": {"name": "patch"}}]
    events = [
        ToolCallStart(0, "c", "patch"),
        ToolCallDelta(0, '{"input": "x"}'),
        ToolCallEnd(0),
        Finish("tool_calls"),
    ]
    pieces = [
        d["tool_calls"][0] for d in deltas(write("openai.chat", *events, tools=tools)) if "tool_calls" in d
    ]
    assert pieces == [
        {"index": 0, "id": "c", "type": "custom", "custom": {"name": "patch", "input": ""}},
        {"index": 0, "custom": {"input": "x"}},
    ]
    whole = json.loads(whole_bytes("openai.chat", as_reply(events), ask("openai.chat", tools=tools)))
    assert whole["choices"][0]["message"]["tool_calls"] == [
        {"id": "c", "type": "custom", "custom": {"name": "patch", "input": "x"}}
    ]


# Thinking, refusals, ends


def test_thinking_is_shown_and_its_data_sealed():
    events = [ThinkingDelta("Hm.", data={"signature": "s"}), TextDelta("Yes."), Finish("stop")]
    chat = deltas(write("openai.chat", *events))
    assert chat[1] == {"reasoning_content": "Hm."}
    assert chat[2]["reasoning_details"][0]["type"] == "reasoning.encrypted"
    blocks = [
        data for _, data in write("anthropic.messages", *events) if data["type"] == "content_block_delta"
    ]
    assert [block["delta"]["type"] for block in blocks] == ["thinking_delta", "signature_delta", "text_delta"]
    items = [
        d["item"]
        for _, d in write("openai.responses", *events)
        if isinstance(d, dict) and d["type"] == "response.output_item.done"
    ]
    assert items[0]["summary"] == [{"type": "summary_text", "text": "Hm."}]
    assert items[0]["encrypted_content"]
    assert '"s"' not in json.dumps([chat, blocks, items])


def test_signatures_of_claude_are_its_own_for_clients_of_claude():
    events = [
        ThinkingDelta("Hm.", data={"signature": "s"}),
        ThinkingDelta("", block=2, data={"data": "hidden"}),
        Finish("stop"),
    ]
    whole = json.loads(whole_bytes("anthropic.messages", as_reply(events, "anthropic", "claude")))
    assert whole["content"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        {"type": "redacted_thinking", "data": "hidden"},
    ]


def test_a_refusal_ends_as_it_does_at_each_service():
    events = [RefusalDelta("I cannot."), Finish("refusal")]
    chat = write("openai.chat", *events)
    assert {"refusal": "I cannot."} in deltas(chat)
    assert chat[-2][1]["choices"] == [] or chat[-2][1]["choices"][0]["finish_reason"] == "stop"
    assert (
        json.loads(whole_bytes("openai.chat", as_reply(events)))["choices"][0]["message"]["content"] is None
    )
    response = write("openai.responses", *events)[-2][1]["response"]
    assert response["status"] == "completed"
    assert response["output"][0]["content"] == [{"type": "refusal", "refusal": "I cannot."}]
    stop = write("anthropic.messages", *events)[-2][1]["delta"]
    assert stop["stop_reason"] == "refusal"
    assert stop["stop_details"]["type"] == "refusal"


def test_an_answer_that_was_cut_says_so():
    events = [TextDelta("Hi"), Finish("length")]
    assert write("openai.chat", *events)[-2][1]["choices"][0]["finish_reason"] == "length"
    response = write("openai.responses", *events)[-2][1]
    assert response["type"] == "response.incomplete"
    assert response["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
    assert response["response"]["output"][-1]["status"] == "incomplete"
    assert write("anthropic.messages", *events)[-2][1]["delta"]["stop_reason"] == "max_tokens"


def test_a_stop_sequence_is_named_if_the_service_named_it():
    known = Finish("stop", raw="stop_sequence", detail={"stop_sequence": "END"})
    stop = write("anthropic.messages", TextDelta("Hi"), known)[-2][1]["delta"]
    assert stop == {"stop_reason": "stop_sequence", "stop_sequence": "END"}
    stop = write("anthropic.messages", TextDelta("Hi"), Finish("stop", raw="stop"))[-2][1]["delta"]
    assert stop == {"stop_reason": "end_turn", "stop_sequence": None}


def test_a_window_that_was_exceeded_is_named_in_messages():
    end = Finish("length", raw="model_context_window_exceeded")
    assert (
        write("anthropic.messages", TextDelta("Hi"), end)[-2][1]["delta"]["stop_reason"]
        == "model_context_window_exceeded"
    )


def test_citations_stand_where_clients_look():
    cited = Citation(text="words", title="T", url="https://a.example", start=0, end=2)
    events = [TextDelta("Hi"), CitationDelta(cited), Finish("stop")]
    (note,) = [d["annotations"][0] for d in deltas(write("openai.chat", *events)) if "annotations" in d]
    assert note["url_citation"]["url"] == "https://a.example"
    assert "response.output_text.annotation.added" in types(write("openai.responses", *events))
    block = json.loads(whole_bytes("anthropic.messages", as_reply(events)))["content"]
    assert [(b["text"], b["citations"][0]["url"]) for b in block] == [("Hi", "https://a.example")]


def test_log_probabilities_stand_where_clients_look():
    token = TokenLogprob("Hi", -0.5, b"Hi", (TokenLogprob("Ho", -1.0),))
    events = [TextDelta("Hi"), LogprobsDelta([token]), Finish("stop")]
    want = [
        {
            "token": "Hi",
            "logprob": -0.5,
            "bytes": [72, 105],
            "top_logprobs": [{"token": "Ho", "logprob": -1.0, "bytes": None}],
        }
    ]
    whole = json.loads(whole_bytes("openai.chat", as_reply(events)))
    assert whole["choices"][0]["logprobs"]["content"] == want
    item = json.loads(whole_bytes("openai.responses", as_reply(events)))["output"][0]
    assert item["content"][0]["logprobs"] == want


def test_blocks_of_tools_that_claude_ran_are_its_own_for_clients_of_claude():
    raw = {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "x"}}
    events = [PartAdded(RawPart("anthropic", raw)), TextDelta("Hi"), Finish("stop")]
    assert json.loads(whole_bytes("anthropic.messages", as_reply(events, "anthropic")))["content"][0] == raw


# Errors


def test_an_error_in_a_chat_is_an_event_and_there_is_no_end_marker():
    encoder = SURFACES["openai.chat"].encoder(ask("openai.chat", stream=True))
    encoder.start(HEAD)
    out = encoder.feed(TextDelta("Hi")) + encoder.fail(OverloadedError("busy"))
    events = parsed(b"".join(out))
    assert events[-1][1] == {
        "error": {"message": "busy", "type": "server_error", "param": None, "code": "server_is_overloaded"}
    }


def test_an_error_in_responses_is_told_twice():
    encoder = SURFACES["openai.responses"].encoder(ask("openai.responses", stream=True))
    encoder.start(HEAD)
    out = encoder.feed(TextDelta("Hi")) + encoder.fail(RateLimitError("slow", retry_after=1.5))
    events = parsed(b"".join(out))
    assert types(events)[-3:] == ["error", "response.failed", "[DONE]"]
    assert events[-3][1]["error"]["code"] == "rate_limit_exceeded"
    failed = events[-2][1]["response"]
    assert (failed["status"], failed["error"]["code"]) == ("failed", "rate_limit_exceeded")
    assert "try again in 1.5s" in failed["error"]["message"]


def test_an_error_in_messages_is_an_event():
    encoder = SURFACES["anthropic.messages"].encoder(ask("anthropic.messages", stream=True))
    encoder.start(HEAD)
    out = encoder.feed(TextDelta("Hi")) + encoder.fail(ServerError("broken", body=b"secret"))
    events = parsed(b"".join(out))
    assert events[-1][0] == "error"
    assert events[-1][1]["error"] == {"type": "api_error", "message": "broken"}


@pytest.mark.parametrize("surface", [*CHATS, "openai.completions"])
def test_what_keeps_a_connection_open_changes_nothing(surface):
    events = [TextDelta("Hi"), Finish("stop")]
    reply = as_reply(events)
    encoder = SURFACES[surface].encoder(ask(surface, stream=True))
    out = encoder.start(Reply(provider="openai", model="m")) + encoder.keep_alive()
    for event in events:
        out += [*encoder.feed(event), *encoder.keep_alive()]
    data = b"".join(out + encoder.finish(reply))
    again = read_back(surface, data, stream=True)
    assert (again.text, again.finish_reason) == ("Hi", "stop")


@pytest.mark.parametrize("surface", [*CHATS, "openai.completions"])
def test_nothing_is_sent_before_the_first_event(surface):
    """Until then the call may be sent again, or to another target."""
    encoder = SURFACES[surface].encoder(ask(surface, stream=True))
    assert encoder.start(HEAD) == []
    assert encoder.feed(Started("id", "m")) == []
    assert encoder.feed(UsageUpdate(Usage(1, 1))) == []
    assert encoder.feed(TextDelta("Hi"))


@pytest.mark.parametrize("surface", [*CHATS, "openai.completions"])
def test_an_answer_without_anything_is_an_answer(surface):
    reply = as_reply([Finish("stop")])
    for events in ([], [Finish("stop")]):
        data = streamed_bytes(surface, events, reply)
        assert read_back(surface, data, stream=True).finish_reason == "stop"
    assert read_back(surface, whole_bytes(surface, reply), stream=False).finish_reason == "stop"
