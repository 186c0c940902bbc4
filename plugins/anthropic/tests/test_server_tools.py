"""Tools that Anthropic runs: their blocks are kept as they are, and go back as they came, also after a paused turn.

The samples are written by us from the documented format of each block (types of Anthropic's Python SDK 2.12.0).
"""

from __future__ import annotations

import json

import pytest
from anthropic_requests import ADD, body

from jackfield import Message, RawPart, Text
from jackfield.plugin import Frame, Head, Wire
from jackfield.testing import reply_of
from jackfield_anthropic import ANTHROPIC, decoder

ASK = (Message("user", "Go"),)


def use(name, **more):
    return {"type": "server_tool_use", "id": "srvtoolu_1", "name": name, "input": {"q": "ä"}, **more}


def result(kind, content, **more):
    return {"type": f"{kind}_tool_result", "tool_use_id": "srvtoolu_1", "content": content, **more}


BLOCKS = {
    "web_search": (
        use("web_search", caller={"type": "direct"}),
        result("web_search", [{"type": "web_search_result", "title": "A", "url": "https://a.example",
            "encrypted_content": "opaque", "page_age": None}])),
    "web_search_failed": (
        use("web_search"),
        result("web_search", {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"})),
    "web_fetch": (
        use("web_fetch"),
        result("web_fetch", {"type": "web_fetch_result", "url": "https://a.example", "retrieved_at": None, "content":
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "A"}, "title": None}})),
    "code_execution": (
        use("code_execution"),
        result("code_execution", {"type": "code_execution_result", "stdout": "ä\n", "stderr": "", "return_code": 0,
            "content": [{"type": "code_execution_output", "file_id": "file_1"}]})),
    "bash_code_execution": (
        use("bash_code_execution"),
        result("bash_code_execution", {"type": "bash_code_execution_result", "stdout": "", "stderr": "no",
            "return_code": 1, "content": []})),
    "text_editor_code_execution": (
        use("text_editor_code_execution"),
        result("text_editor_code_execution",
            {"type": "text_editor_code_execution_create_result", "is_file_update": False})),
    "tool_search": (
        use("tool_search_tool_bm25"),
        result("tool_search", {"type": "tool_search_tool_search_result",
            "tool_references": [{"type": "tool_reference", "tool_name": "add"}]})),
    "mcp": (
        {"type": "mcp_tool_use", "id": "mcptoolu_1", "name": "find", "server_name": "docs", "input": {"q": 1}},
        {"type": "mcp_tool_result", "tool_use_id": "mcptoolu_1", "is_error": False,
            "content": [{"type": "text", "text": "found", "citations": None}]}),
    "container_upload": ({"type": "container_upload", "file_id": "file_1"},),
    "tomorrow": ({"type": "teleport_tool_use", "id": "x", "to": [1, None]},),
}  # fmt: skip


def message(blocks, stop):
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-4-6", "content": list(blocks),
        "stop_reason": stop, "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 2},
        "container": {"id": "container_1", "expires_at": "2026-12-01T00:00:00Z"},
    }  # fmt: skip


def read(*events, stream=True):
    reading = decoder(ANTHROPIC, Wire("/", {}, stream=stream, meta={"api": "messages"}))
    found = list(reading.start(Head(200)))
    for event in events:
        found += reading.feed(Frame(json.dumps(event).encode(), event["type"]))
    return reply_of(found + reading.finish(), provider="anthropic")


def whole(blocks, stop="end_turn"):
    return read(message(blocks, stop), stream=False)


def streamed(blocks, stop="end_turn"):
    """The blocks as the service streams them: the input of a call comes in pieces, everything else at once."""
    events = [{"type": "message_start", "message": {**message((), None), "container": None}}]
    for index, block in enumerate(blocks):
        begun, pieces = block, []
        if "input" in block:
            begun, text = {**block, "input": {}}, json.dumps(block["input"])
            pieces = ["", text[:4], text[4:]]
        events.append({"type": "content_block_start", "index": index, "content_block": begun})
        events += [
            {"type": "content_block_delta", "index": index, "delta": {"type": "input_json_delta", "partial_json": piece}}
            for piece in pieces
        ]  # fmt: skip
        events.append({"type": "content_block_stop", "index": index})
    end = {"stop_reason": stop, "container": {"id": "container_1", "expires_at": "2026-12-01T00:00:00Z"}}
    events.append({"type": "message_delta", "delta": end, "usage": {"output_tokens": 2}})
    return read(*events, {"type": "message_stop"})


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("way", [whole, streamed])
def test_blocks_come_untouched_and_go_back(name, way):
    blocks = [*BLOCKS[name], {"type": "text", "text": "Done."}]
    said = way(blocks).choices[0].message
    assert said.parts == (*(RawPart("anthropic", block) for block in BLOCKS[name]), Text("Done."))
    sent = body("claude-opus-4-6", (*ASK, said, Message("user", "On")))
    assert sent["messages"][1] == {"role": "assistant", "content": blocks}


@pytest.mark.parametrize("way", [whole, streamed])
def test_a_paused_turn_is_sent_back_as_it_is(way):
    paused = BLOCKS["web_search"][:1]
    reply = way(paused, "pause_turn")
    (choice,) = reply.choices
    assert (choice.finish_reason, choice.finish_raw) == ("pause", "pause_turn")
    sent = body("claude-opus-4-6", (*ASK, choice.message))
    assert sent["messages"][-1] == {"role": "assistant", "content": list(paused)}


@pytest.mark.parametrize("way", [whole, streamed])
def test_the_container_is_shown_and_can_be_named_again(way):
    (container,) = [event.data for event in way(BLOCKS["code_execution"]).raw if event.kind == "container"]
    sent = body("claude-opus-4-6", ASK, extra={"anthropic": {"container": container["id"]}})
    assert sent["container"] == "container_1"


def test_server_tools_stand_behind_the_callers_own():
    hosted = [{"type": "web_search_20250305", "name": "web_search"}]
    own = {"tools": hosted, "mcp_servers": [{"type": "url", "name": "docs", "url": "https://docs.example"}]}
    sent = body("claude-opus-4-6", ASK, tools=(ADD,), extra={"anthropic": own})
    assert [tool["name"] for tool in sent["tools"]] == ["add", "web_search"]
    assert sent["mcp_servers"] == own["mcp_servers"]
