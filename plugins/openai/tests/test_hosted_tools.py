"""Tools that OpenAI runs, or has run: their items are kept as they are, and go back as they came.

The samples are written by us from the documented format of each item (OpenAI's Python SDK 3.54.0).
"""

from __future__ import annotations

import json

import pytest

from jackfield import Message, RawPart, Text, Tool, ToolResult
from jackfield.plugin import ChatRequest, Frame, Head, ModelRef, Options, Wire
from jackfield.testing import reply_of, translated
from jackfield_openai import OPENAI, compatible, decoder

PLUGIN = compatible(id="openai", base_url="http://127.0.0.1:9/v1", responses_path="/responses")
TEXT = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [
    {"type": "output_text", "text": "Done.", "annotations": []}]}  # fmt: skip
ITEMS = {
    "web_search": {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {
        "type": "search", "query": "snow", "queries": ["snow"], "sources": [{"type": "url", "url": "https://a.example"}]}},
    "file_search": {"type": "file_search_call", "id": "fs_1", "status": "completed", "queries": ["snow"], "results": [
        {"file_id": "file-1", "filename": "a.md", "score": 0.5, "text": "Snow.", "attributes": {}}]},
    "code_interpreter": {"type": "code_interpreter_call", "id": "ci_1", "status": "completed", "code": "print('ä')",
        "container_id": "cntr_1", "outputs": [{"type": "logs", "logs": "ä\n"}]},
    "image_generation": {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "aGk=",
        "output_format": "png", "quality": "low", "size": "1024x1024"},
    "computer": {"type": "computer_call", "id": "cu_1", "call_id": "call_1", "status": "completed",
        "actions": [{"type": "click", "button": "left", "x": 1, "y": 2}], "pending_safety_checks": []},
    "shell": {"type": "shell_call", "id": "sh_1", "call_id": "call_2", "status": "completed",
        "action": {"commands": ["ls"], "timeout_ms": None, "max_output_length": None}},
    "local_shell": {"type": "local_shell_call", "id": "ls_1", "call_id": "call_3", "status": "completed",
        "action": {"type": "exec", "command": ["ls"], "env": {}}},
    "apply_patch": {"type": "apply_patch_call", "id": "ap_1", "call_id": "call_4", "status": "completed",
        "operation": {"type": "update_file", "path": "a.py", "diff": "@@\n-a\n+b\n"}},
    "mcp_list_tools": {"type": "mcp_list_tools", "id": "mcpl_1", "server_label": "docs", "tools": [
        {"name": "find", "input_schema": {"type": "object"}, "annotations": None, "description": None}]},
    "mcp_call": {"type": "mcp_call", "id": "mcp_1", "server_label": "docs", "name": "find", "arguments": "{\"a\":1}",
        "output": "found", "error": None, "approval_request_id": None, "status": "completed"},
    "mcp_approval": {"type": "mcp_approval_request", "id": "mcpr_1", "server_label": "docs", "name": "find",
        "arguments": "{}"},
    "tool_search": {"type": "tool_search_call", "id": "ts_1", "execution": "server", "status": "completed",
        "call_id": None, "arguments": {"paths": ["crm"]}},
    "compaction": {"type": "compaction", "id": "cmp_1", "encrypted_content": "opaque"},
    "tomorrow": {"type": "teleport_call", "id": "tp_1", "to": {"x": [1, None, 2.5]}},
}  # fmt: skip
# What the programs that run a tool themselves send back, and the answer to a request for approval.
OUTPUTS = (
    {"type": "computer_call_output", "call_id": "call_1", "output": {"type": "computer_screenshot", "file_id": "file-2"}},
    {"type": "shell_call_output", "call_id": "call_2", "output": [
        {"stdout": "a.py\n", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}]},
    {"type": "local_shell_call_output", "id": "ls_1", "output": "a.py"},
    {"type": "apply_patch_call_output", "call_id": "call_4", "status": "completed"},
    {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True},
    {"type": "tool_search_output", "call_id": None, "execution": "client", "status": "completed", "tools": []},
    {"type": "item_reference", "id": "ws_1"},
)  # fmt: skip


def read(*events, stream=True):
    reading = decoder(OPENAI, Wire("/", {}, stream=stream, meta={"api": "responses"}))
    found = list(reading.start(Head(200)))
    for event in events:
        found += reading.feed(Frame(json.dumps(event).encode()))
    return reply_of(found + reading.finish(), provider="openai")


def response(*output):
    return {
        "id": "resp_1",
        "object": "response",
        "status": "completed",
        "model": "gpt-5.2",
        "output": list(output),
    }


def whole(*output):
    return read(response(*output), stream=False)


def streamed(item, name):
    """An item as the service streams it: announced without its content, reported on, and then whole."""
    begun = {**{key: item[key] for key in ("type", "id")}, "status": "in_progress"}
    place = {"output_index": 0, "item_id": item["id"]}
    kind = f"response.{item['type']}"
    said = [
        {"type": f"{kind}.in_progress", **place}, {"type": f"{kind}.searching", **place},
        {"type": f"{kind}_arguments.delta", **place, "delta": "{"}, {"type": f"{kind}_code.delta", **place, "delta": "p"},
        {"type": f"{kind}.partial_image", **place, "partial_image_b64": "aGk=", "partial_image_index": 0},
        {"type": f"{kind}.completed", **place},
    ]  # fmt: skip
    return read(
        {"type": "response.created", "response": {**response(), "status": "in_progress"}},
        {"type": "response.output_item.added", "output_index": 0, "item": begun},
        *said,
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.output_item.done", "output_index": 1, "item": TEXT},
        {"type": "response.completed", "response": response(item, TEXT)},
    )


def sent(*messages, **options):
    request = ChatRequest(messages, Options(**options), stream=False)
    made = translated(PLUGIN, ModelRef("gpt-5.2", declared={"route": "responses"}), request)
    assert not [note for note in made.report if note.fate == "dropped"]
    return made.wire.body


@pytest.mark.parametrize("name", ITEMS)
def test_an_item_comes_whole_and_untouched_and_goes_back(name):
    item = ITEMS[name]
    reply = whole(item, TEXT)
    assert reply.choices[0].message.parts == (RawPart("openai", item), Text("Done."))
    body = sent(Message("user", "Go"), reply.choices[0].message, Message("user", "On"))
    assert body["input"][1:3] == [item, {"role": "assistant", "content": "Done."}]


@pytest.mark.parametrize("name", ITEMS)
def test_a_stream_gives_the_item_of_the_whole_answer(name):
    assert streamed(ITEMS[name], name).choices == whole(ITEMS[name], TEXT).choices


@pytest.mark.parametrize("name", ITEMS)
def test_an_item_that_only_the_end_of_a_stream_names_is_read(name):
    ended = read({"type": "response.completed", "response": response(ITEMS[name], TEXT)})
    assert ended.choices == whole(ITEMS[name], TEXT).choices


@pytest.mark.parametrize("output", OUTPUTS, ids=lambda output: output["type"])
@pytest.mark.parametrize("role", ["user", "tool"])
def test_what_a_program_answers_to_a_hosted_tool_is_an_item_of_its_own(output, role):
    body = sent(Message("user", "Go"), Message(role, (RawPart("openai", output),)))
    assert body["input"] == [{"role": "user", "content": "Go"}, output]


def test_such_an_answer_stands_beside_results_and_text():
    parts = (ToolResult("call_9", "7"), RawPart("openai", OUTPUTS[0]), Text("Go on"))
    assert sent(Message("user", parts))["input"] == [
        {"type": "function_call_output", "call_id": "call_9", "output": "7"},
        OUTPUTS[0],
        {"role": "user", "content": "Go on"},
    ]


def test_content_of_the_services_own_stays_content():
    part = {"type": "input_file", "file_id": "file-1"}
    body = sent(Message("user", (RawPart("openai", part), Text("Read it"))))
    assert body["input"] == [{"role": "user", "content": [part, {"type": "input_text", "text": "Read it"}]}]


@pytest.mark.parametrize("route", ["chat", "responses"])
def test_hosted_tools_stand_behind_the_callers_own(route):
    hosted = [
        {"type": "web_search"},
        {"type": "mcp", "server_label": "docs", "server_url": "https://docs.example"},
    ]
    extra = {"openai": {"tools": hosted}}
    options = Options(tools=(Tool("now"),), extra=extra)
    request = ChatRequest((Message("user", "hi"),), options, stream=False)
    body = translated(PLUGIN, ModelRef("gpt-5.2", declared={"route": route}), request).wire.body
    own, *rest = body["tools"]
    assert own.get("function", own)["name"] == "now"
    assert rest == hosted
    assert extra == {"openai": {"tools": hosted}}
    assert sent(Message("user", "hi"), extra=extra)["tools"] == hosted


def test_what_is_included_is_joined_too():
    body = sent(
        Message("user", "hi"),
        logprobs=True,
        extra={"openai": {"include": ["web_search_call.action.sources"]}},
    )
    assert body["include"] == ["message.output_text.logprobs", "web_search_call.action.sources"]
