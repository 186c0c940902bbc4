"""Requests of one API for models of another: what is sent, and what is reported."""

import json

import pytest
from captured_requests import of_file
from meshes_of_fakes import mesh_of
from reading_back import ask

from jackfield import Mesh, Message, Text, Tool, ToolCall, ToolResult
from jackfield.testing import FakeProvider
from jackfield_surfaces import SURFACES, SurfaceError, serve

CONFIG = {
    "connections": {
        "openai": {"provider": "openai", "api_key": "none"},
        "claude": {"provider": "anthropic", "api_key": "none"},
        "mistral": {"provider": "mistral", "api_key": "none"},
    }
}


@pytest.fixture(scope="module")
def mesh():
    return Mesh.from_config(CONFIG)


def read(file, number=-1, *, unsupported="drop"):
    surface, headers, body = of_file(file)[number]
    return SURFACES[surface].read(headers, body, unsupported=unsupported)


def plan(mesh, target, asked):
    return mesh.explain(target, *asked.arguments, **asked.options)


def fates(notes):
    return {note.name: note.fate for note in notes}


# Claude Code


def test_claude_code_asks_a_model_of_chat_completions(mesh):
    asked = read("claude_unknown_model")
    sent = plan(mesh, "openai:gpt-4o", asked)
    body = sent.wire.body
    assert [message["role"] for message in body["messages"]][:3] == ["system", "user", "system"]
    assert not any("x-anthropic-billing-header" in str(message) for message in body["messages"])
    assert len(body["tools"]) == 11
    assert not any("defer_loading" in tool["function"] for tool in body["tools"])
    assert body["max_completion_tokens"] == 16384
    assert body.keys() <= {
        "model",
        "messages",
        "max_completion_tokens",
        "user",
        "tools",
        "stream",
        "stream_options",
    }
    assert fates(sent.parameters.changed()) | {"max_tokens": "clamped", "reasoning": "dropped"} == fates(
        sent.parameters.changed()
    )
    assert fates(asked.notes) == {
        "system.0": "dropped",
        "tools.10": "dropped",
        "metadata.user_id": "emulated",
    }
    assert {field.name for field in asked.left_out({"openai"})} == {
        "thinking",
        "anthropic-beta",
        "context_management",
    }
    assert asked.left_out({"anthropic"}) == ()


def test_no_device_and_no_session_of_a_user_leaves_for_another_service(mesh):
    asked = read("claude_unknown_model")
    assert "device" not in asked.options["user"]
    assert len(asked.options["user"]) == 32
    assert read("claude_unknown_model").options["user"] == asked.options["user"]


def test_claude_code_asks_claude_as_it_would_without_a_mesh(mesh):
    _, _, body = of_file("claude_plain")[-1]
    sent = plan(mesh, "claude:claude-sonnet-5", read("claude_plain")).wire
    assert sent.body["output_config"] == body["output_config"] | {
        "effort": sent.body["output_config"]["effort"]
    }
    assert sent.body["context_management"] == body["context_management"]
    assert sent.body["thinking"] == body["thinking"]
    turns = [m["role"] for m in body["messages"] if m["role"] != "system"]
    assert [m["role"] for m in sent.body["messages"] if m["role"] != "system"] == turns


def test_a_tool_that_a_result_has_loaded_is_offered():
    asked = read("claude_tool_search")
    names = [tool.name for tool in asked.options["tools"]]
    assert {"WebFetch", "NotebookEdit"} <= set(names)
    assert "DeferredToolPlaceholder" not in names
    (results,) = [message for message in asked.arguments[0] if message.role == "tool"]
    assert "WebFetch" in results.parts[0].text


def test_tools_that_anthropic_runs_go_to_anthropic_alone(mesh):
    asked = read("claude_server_web_search")
    assert plan(mesh, "claude:claude-sonnet-5", asked).wire.body["tools"] == [
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}
    ]
    assert "tools" not in plan(mesh, "openai:gpt-4o", asked).wire.body
    assert [field.name for field in asked.left_out({"openai"}) if field.changes] == ["tools.0", "tool_choice"]


def test_results_of_parallel_calls_are_found_by_their_ids(mesh):
    for file, target in (
        ("claude_parallel_calls", "openai:gpt-4o"),
        ("codex_parallel_calls", "claude:claude-sonnet-4-6"),
    ):
        asked = read(file)
        calls = [c.id for m in asked.arguments[0] for c in m.tool_calls]
        results = [p.tool_call_id for m in asked.arguments[0] if m.role == "tool" for p in m.parts]
        assert sorted(calls) == sorted(results)
        sent = plan(mesh, target, asked).wire.body["messages"]
        if target == "openai:gpt-4o":
            first = next(n for n, m in enumerate(sent) if m.get("tool_calls"))
            assert [m["role"] for m in sent[first + 1 : first + 3]] == ["tool", "tool"]
        else:
            blocks = [
                b
                for m in sent
                if isinstance(m["content"], list)
                for b in m["content"]
                if b["type"] == "tool_result"
            ]
            assert [b["tool_use_id"] for b in blocks] == results


@pytest.mark.parametrize("file", ["claude_image_result", "codex_view_image"])
def test_pictures_in_results_of_tools_go_to_a_turn_of_the_user_in_chats(mesh, file):
    sent = plan(mesh, "openai:gpt-4o", read(file))
    *_, result, pictures = sent.wire.body["messages"]
    assert result["role"] == "tool"
    assert isinstance(result["content"], str)
    assert pictures["role"] == "user"
    assert pictures["content"][-1]["type"] == "image_url"
    assert any(
        note.fate == "emulated" and "files were sent in a user's turn" in note.why for note in sent.parameters
    )


def test_a_picture_of_codex_is_a_block_of_the_result_for_claude(mesh):
    sent = plan(mesh, "claude:claude-sonnet-4-6", read("codex_view_image")).wire.body["messages"]
    (block,) = sent[-1]["content"]
    assert block["content"][0]["source"]["type"] == "base64"


# Codex


def test_codex_asks_claude_with_its_tools_of_the_first_wire(mesh):
    asked = read("codex_http_plain")
    sent = plan(mesh, "claude:claude-sonnet-4-6", asked).wire.body
    assert "multi_agent_v1__spawn_agent" in [tool["name"] for tool in sent["tools"]]
    assert sent["max_tokens"] == 128000
    assert fates(asked.notes)["tools[8]"] == "dropped"  # web_search, which Codex adds by itself
    assert fates(asked.notes)["client_metadata"] == "dropped"
    assert "/workspace" not in str(asked.options.get("extra"))


def test_codex_asks_claude_with_tools_in_items(mesh):
    asked = read("codex_http_lite")
    sent = plan(mesh, "claude:claude-sonnet-4-6", asked).wire.body
    (tool,) = [tool for tool in sent["tools"] if tool["name"] == "functions__exec"]
    assert tool["input_schema"]["required"] == ["input"]
    calls = [
        b
        for m in sent["messages"]
        if isinstance(m["content"], list)
        for b in m["content"]
        if b["type"] == "tool_use"
    ]
    assert {call["name"] for call in calls} == {"functions__exec"}
    assert all(call["input"].keys() == {"input"} for call in calls)


def test_settings_that_an_item_changes_hold():
    asked = read("codex_ws_refused_404")
    assert asked.options["reasoning"]["effort"]
    assert any("settings hold for the whole call" in (note.why or "") for note in asked.notes)


def test_structured_output_has_one_meaning(mesh):
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    named = {"name": "answer", "schema": schema, "strict": True}
    for asked in (
        ask("openai.chat", response_format={"type": "json_schema", "json_schema": named}),
        ask("openai.responses", text={"format": {"type": "json_schema", **named}}),
        ask("anthropic.messages", output_config={"format": {"type": "json_schema", "schema": schema}}),
    ):
        form = asked.options["response_format"]
        assert {k: v for k, v in form.items() if k != "title"} == schema
        assert plan(mesh, "claude:claude-sonnet-4-6", asked).wire.body["output_config"]["format"]["schema"][
            "required"
        ] == ["a"]
        assert (
            plan(mesh, "openai:gpt-4o", asked).wire.body["response_format"]["json_schema"]["strict"] is True
        )
    assert ask("openai.chat", response_format={"type": "json_object"}).options["response_format"] == "json"
    assert "response_format" not in ask("openai.chat", response_format={"type": "text"}).options


def test_the_output_format_of_codex_is_kept(mesh):
    asked = read("codex_output_schema_and_image")
    assert asked.options["response_format"]["title"] == "codex_output_schema"
    body = plan(mesh, "openai:gpt-4o", asked).wire.body
    assert body["response_format"]["json_schema"]["name"] == "codex_output_schema"


# Conversations


def test_blocks_of_a_system_prompt_keep_their_cache_marks():
    system = [
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
    ]
    asked = ask("anthropic.messages", system=system)
    assert asked.arguments[0][0] == Message("system", (Text("a"), Text("b", "1h")))
    for empty in ("", []):
        assert [m.role for m in ask("anthropic.messages", system=empty).arguments[0]] == ["user"]


def test_marks_of_tools_and_results_are_kept():
    mark = {"cache_control": {"type": "ephemeral"}}
    tool = {"name": "t", "input_schema": {"type": "object"}, **mark}
    result = {"type": "tool_result", "tool_use_id": "c", "content": "x", **mark}
    asked = ask("anthropic.messages", tools=[tool], messages=[{"role": "user", "content": [result]}])
    assert asked.options["tools"] == [Tool("t", None, {"type": "object"}, None, "5m")]
    assert asked.arguments[0] == [Message("tool", (ToolResult("c", "x", cache="5m"),))]


def test_results_beside_other_blocks_are_turns_of_their_own():
    results = [{"type": "tool_result", "tool_use_id": name, "content": name} for name in ("b", "a")]
    content = [*results, {"type": "text", "text": "Go on."}]
    asked = ask("anthropic.messages", messages=[{"role": "user", "content": content}])
    assert asked.arguments[0] == [
        Message("tool", (ToolResult("b", "b"), ToolResult("a", "a"))),
        Message("user", "Go on."),
    ]


def test_leading_instructions_precede_items_and_developer_messages_stay_in_place():
    items = [
        {"role": "developer", "content": "a"},
        {"role": "user", "content": [{"type": "input_text", "text": "b"}]},
        {"type": "message", "role": "system", "content": "c"},
    ]
    asked = ask("openai.responses", input=items, instructions="first")
    assert [(m.role, m.text) for m in asked.arguments[0]] == [
        ("system", "first"), ("system", "a"), ("user", "b"), ("system", "c"),
    ]  # fmt: skip


def test_what_an_assistant_said_and_called_is_one_turn():
    items = [
        {"role": "user", "content": "Hi"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
        {"type": "function_call", "call_id": "1", "name": "f", "arguments": '{"a": 1}'},
        {"type": "function_call", "call_id": "2", "name": "g", "arguments": ""},
        {"type": "function_call_output", "call_id": "2", "output": "two"},
        {"type": "function_call_output", "call_id": "1", "output": [{"type": "input_text", "text": "one"}]},
    ]
    _, said, results = ask("openai.responses", input=items).arguments[0]
    assert said.parts == (Text("I look."), ToolCall("1", "f", {"a": 1}), ToolCall("2", "g", {}))
    assert results.parts == (ToolResult("2", "two"), ToolResult("1", (Text("one"),)))


def test_an_assistant_message_may_be_a_prefill(mesh):
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Well,"}]
    assert ask("anthropic.messages", messages=messages).arguments[0][-1] == Message("assistant", "Well,")


def test_arguments_that_are_not_json_are_kept_as_text():
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": '}}
    asked = ask("openai.chat", messages=[{"role": "assistant", "content": None, "tool_calls": [call]}])
    assert asked.arguments[0][0].parts == (ToolCall("c", "f", {}, '{"a": '),)
    block = {"type": "tool_use", "id": "c", "name": "f", "input": {"INVALID_JSON": '{"a": '}}
    asked = ask("anthropic.messages", messages=[{"role": "assistant", "content": [block]}])
    assert asked.arguments[0][0].parts == (ToolCall("c", "f", {}, '{"a": '),)


# Choices of tools


FUNCTIONS = [{"type": "function", "function": {"name": name, "parameters": {}}} for name in ("f", "g")]


def test_choices_of_tools_have_one_meaning():
    by_name = {"type": "function", "function": {"name": "g"}}
    assert ask("openai.chat", tools=FUNCTIONS, tool_choice=by_name).options["tool_choice"] == "g"
    assert ask("openai.chat", tools=FUNCTIONS, tool_choice="required").options["tool_choice"] == "required"
    tools = [{"name": name, "input_schema": {"type": "object"}} for name in ("f", "g")]
    choice = {"type": "any", "disable_parallel_tool_use": True}
    asked = ask("anthropic.messages", tools=tools, tool_choice=choice)
    assert (asked.options["tool_choice"], asked.options["parallel_tool_calls"]) == ("required", False)
    named = ask("anthropic.messages", tools=tools, tool_choice={"type": "tool", "name": "f"})
    assert named.options["tool_choice"] == "f"


def test_a_choice_among_some_tools_leaves_the_others_out():
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "g"}}]}
    asked = ask(
        "openai.chat", tools=FUNCTIONS, tool_choice={"type": "allowed_tools", "allowed_tools": allowed}
    )
    assert [tool.name for tool in asked.options["tools"]] == ["g"]
    assert asked.options["tool_choice"] == "required"
    assert [note.fate for note in asked.notes] == ["emulated"]


@pytest.mark.parametrize("surface", ["openai.chat", "openai.responses", "anthropic.messages"])
def test_a_choice_of_a_tool_that_is_not_there_is_refused(surface):
    choices = {
        "openai.chat": {"type": "function", "function": {"name": "x"}},
        "openai.responses": {"type": "function", "name": "x"},
        "anthropic.messages": {"type": "tool", "name": "x"},
    }
    tools = {
        "openai.chat": FUNCTIONS,
        "openai.responses": [{"type": "function", "name": "f", "parameters": {}}],
        "anthropic.messages": [{"name": "f", "input_schema": {"type": "object"}}],
    }
    with pytest.raises(SurfaceError, match="names no tool"):
        ask(surface, tools=tools[surface], tool_choice=choices[surface])


def test_a_long_name_of_a_namespace_is_shortened_and_found_again():
    inner = [{"type": "function", "name": "n" * 60, "parameters": {}}]
    tools = [{"type": "namespace", "name": "space", "tools": inner}]
    asked = ask("openai.responses", tools=tools)
    (tool,) = asked.options["tools"]
    assert len(tool.name) <= 64
    form = asked.context["tools"].form_of(tool.name)
    assert (form.namespace, form.name) == ("space", "n" * 60)


# What changes the answer and cannot be kept


@pytest.mark.parametrize(
    ("surface", "fields", "parameter"),
    [
        ("openai.responses", {"tools": [{"type": "web_search"}]}, "tools[0]"),
        ("openai.responses", {"text": {"verbosity": "low"}}, "text.verbosity"),
        ("openai.responses", {"frobnicate": 1}, "frobnicate"),
        ("openai.chat", {"tools": [{"type": "web_search"}]}, "tools[0]"),
        ("openai.chat", {"messages": [{"role": "user", "content": "Hi", "mood": 1}]}, "messages[0].mood"),
        ("anthropic.messages", {"frobnicate": 1}, "frobnicate"),
        (
            "anthropic.messages",
            {"messages": [{"role": "user", "content": "Hi", "mood": 1}]},
            "messages.0.mood",
        ),
    ],
)
def test_what_changes_the_answer_is_refused_or_reported_by_policy(surface, fields, parameter):
    with pytest.raises(SurfaceError) as caught:
        ask(surface, **fields)
    assert caught.value.parameter == parameter
    from reading_back import BODIES

    body = {"model": "c:m", **BODIES[surface], **fields}
    asked = SURFACES[surface].read({}, body, unsupported="drop")
    assert fates(asked.notes)[parameter] == "dropped"
    assert asked.options["unsupported"] == "drop"


def test_fields_of_a_service_reach_that_service_and_are_named_for_others(mesh):
    asked = ask("openai.chat", verbosity="low", service_tier="flex", chat_template_kwargs={"a": 1})
    extra = {"verbosity": "low", "service_tier": "flex", "chat_template_kwargs": {"a": 1}}
    assert asked.options["extra"] == {"openai": extra}
    assert extra.items() <= plan(mesh, "openai:gpt-5", asked).wire.body.items()
    assert asked.left_out({"openai"}) == ()
    assert {field.name: field.changes for field in asked.left_out({"anthropic"})} == {
        "verbosity": True, "service_tier": False, "chat_template_kwargs": True,
    }  # fmt: skip
    assert {note.name for note in asked.report({"anthropic"})} == set(extra)
    assert asked.report({"openai"}) == ()


@pytest.mark.parametrize("declared", [None, True])
async def test_no_service_is_asked_to_keep_what_a_surface_translates(declared):
    entry = {"id": "echo", **({} if declared is None else {"options": {"store": declared}})}
    fake = FakeProvider(answers=["a"])
    async with mesh_of(fake, models=[entry]) as mesh:
        body = {"model": "best", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
        served = await serve(mesh, "POST", "/v1/messages", {}, json.dumps(body).encode())
    assert served.status == 200
    assert "x-jackfield-report" not in served.headers
    assert fake.requests[0].options.store is (False if declared is None else declared)
