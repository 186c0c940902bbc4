"""Answers that are forced into a form: JSON, a schema, a call of a tool."""

import json

import attrs
import numpy as np
import pytest

from jackfield import InvalidRequestError, Mesh, ToolCallDelta, ToolCallStart
from jackfield_onnx._engine.engine import Engine, EngineSettings
from jackfield_onnx._local_errors import RequestError
from jackfield_onnx._runtime.session import SessionSettings
from jackfield_onnx._text.template import ChatTemplate
from jackfield_onnx._text.tools import FORMATS, build_call_grammar, build_json_grammar

SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"enum": ["Rome", "Oslo"]},
        "days": {"type": "integer", "minimum": 0, "maximum": 9},
    },
    "required": ["city", "days"],
    "additionalProperties": False,
}
WEATHER = {"name": "weather", "description": "Look it up.", "parameters": SCHEMA}
TIME = {"name": "time", "parameters": {"type": "object", "properties": {}, "additionalProperties": False}}
TEMPLATE = (
    "{% if tools %}<tool_call>{% for t in tools %}{{ t.function.name }}{% endfor %}{% endif %}{% for m in messages %}"
    "{{ m.content }}"
    "{% if m.tool_calls %}{% for c in m.tool_calls %}<tool_call>{{ c.function | tojson }}</tool_call>{% endfor %}{% endif %}"
    "{% if m.tool_call_id %}{{ m.tool_call_id }}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{{ '<|im_start|>assistant\n' }}"
)


def fits(value):
    return (
        value.keys() == {"city", "days"} and value["city"] in {"Rome", "Oslo"} and value["days"] in range(10)
    )


@pytest.fixture
async def engine(tiny_folder):
    found = await Engine.load(tiny_folder, EngineSettings(session=SessionSettings(device="cpu", threads=1)))
    yield found
    await found.aclose()


@pytest.fixture
def config(tiny_folder, tmp_path):
    (tmp_path / "template.jinja").write_text(TEMPLATE, encoding="utf-8")
    tiny = {"id": "tiny", "folder": str(tiny_folder), "kinds": ["chat", "completion"]}
    with_tools = {**tiny, "id": "tools", "chat_template": str(tmp_path / "template.jinja")}
    others = [{**with_tools, "id": form, "tool_format": form} for form in FORMATS]
    local = {
        "provider": "onnx", "threads": 1, "device": "cpu", "slots": 2, "models": [tiny, with_tools, *others],
        "cache_dir": str(tmp_path / "cache"), "retry": {"attempts": 1},
    }  # fmt: skip
    return {"connections": {"local": local}}


@pytest.fixture
async def mesh(config):
    async with Mesh.from_config(config) as mesh:
        yield mesh


@pytest.mark.parametrize("temperature", [0.0, 1.5])
async def test_a_random_model_answers_with_json_of_the_schema(mesh, temperature):
    for seed in range(5):
        reply = await mesh.chat(
            "local:tiny", "hi", response_format=SCHEMA, seed=seed, temperature=temperature, max_tokens=60
        )

        assert fits(json.loads(reply.text))
        assert reply.choices[0].finish_reason == "stop"


async def test_json_without_a_schema_is_an_object(mesh):
    reply = await mesh.chat(
        "local:tiny", "hi", response_format="json", seed=4, temperature=1.5, max_tokens=100
    )

    assert reply.text.startswith("{")
    if reply.choices[0].finish_reason == "stop":
        assert isinstance(json.loads(reply.text), dict)


async def test_a_form_that_cannot_be_held_is_refused_before_anything_runs(mesh):
    with pytest.raises(InvalidRequestError, match="cannot be constrained"):
        await mesh.chat("local:tiny", "hi", response_format={"type": "object", "not": {"required": ["a"]}})


@pytest.mark.parametrize("choice", ["required", "weather"])
async def test_a_call_can_be_forced(mesh, choice):
    async with mesh.stream_chat(
        "local:tools", "hi", tools=[WEATHER, TIME], tool_choice=choice, temperature=1.0, seed=1, max_tokens=90,
        parallel_tool_calls=False,
    ) as stream:  # fmt: skip
        events = [event async for event in stream]

    reply = stream.response
    assert reply.choices[0].finish_reason == "tool_calls"
    (call,) = reply.tool_calls
    assert call.name in {"weather", "time"} if choice == "required" else call.name == "weather"
    assert fits(call.arguments) if call.name == "weather" else call.arguments == {}
    assert reply.text == ""
    starts = [event for event in events if isinstance(event, ToolCallStart)]
    assert len(starts) == 1
    assert sum(isinstance(event, ToolCallDelta) for event in events) > 1 or call.name == "time"


@pytest.mark.parametrize("form", FORMATS)
async def test_a_call_can_be_forced_in_each_form(mesh, form):
    code = {"type": "object", "properties": {"n": {"enum": ["1", "2"]}}, "required": ["n"]}
    tool = {"name": "w", "parameters": {**code, "additionalProperties": False}}

    reply = await mesh.chat(
        f"local:{form}", "hi", tools=[tool], tool_choice="w", seed=1, max_tokens=90, parallel_tool_calls=False
    )

    (call,) = reply.tool_calls
    assert call.name == "w"
    assert call.arguments["n"] in {"1", "2"}  # a text, as the schema says, also where nothing is quoted
    assert reply.text == ""


async def test_a_called_tool_and_its_result_go_back_through_the_template(mesh):
    reply = await mesh.chat(
        "local:tools", "hi", tools=[WEATHER], tool_choice="weather", seed=2, max_tokens=90, temperature=1.0,
        parallel_tool_calls=False,
    )  # fmt: skip
    answer = {"role": "tool", "tool_call_id": reply.tool_calls[0].id, "content": "21 degrees"}
    messages = [{"role": "user", "content": "hi"}, reply.message, answer]

    counted = await mesh.count_tokens("local:tools", messages, tools=[WEATHER])
    without = await mesh.count_tokens("local:tools", messages[:1], tools=[WEATHER])

    assert counted.input_tokens > without.input_tokens + 20


async def test_an_answer_is_a_call_or_json_where_both_are_asked_for(mesh):
    for seed in range(4):
        reply = await mesh.chat(
            "local:tools",
            "hi",
            tools=[TIME],
            response_format=SCHEMA,
            seed=seed,
            temperature=1.5,
            max_tokens=70,
        )

        if reply.tool_calls:
            assert reply.tool_calls[0].name == "time"
        else:
            assert fits(json.loads(reply.text))


async def test_tools_are_refused_by_a_template_that_knows_none(mesh):
    with pytest.raises(InvalidRequestError, match="does not support tools"):
        await mesh.chat("local:tiny", "hi", tools=[WEATHER])


async def test_no_tools_are_shown_where_none_may_be_called(mesh):
    plain = await mesh.count_tokens("local:tools", "hi")
    shown = await mesh.count_tokens("local:tools", "hi", tools=[WEATHER])
    hidden = await mesh.count_tokens("local:tools", "hi", tools=[WEATHER], tool_choice="none")

    assert hidden.input_tokens == plain.input_tokens < shown.input_tokens


def walk(engine, grammar, text, end=2):
    """Say whether a grammar allows a text, token for token, and an end behind it."""
    constraint = engine.grammars.make_constraint(grammar)
    for token in engine._tokenizer.encode(text, add_special_tokens=False).ids:
        if not constraint.mask([])[token]:
            return False
        constraint.accept(token)
    return bool(constraint.mask([])[end])


CALL = '{"name": "weather", "%s": {"city": "Rome", "days": 3}}'


@pytest.mark.parametrize(
    ("form", "one", "two"),
    [
        (
            "hermes",
            "<tool_call>\n{}\n</tool_call>",
            "<tool_call>\n{}\n</tool_call>\n<tool_call>\n{}\n</tool_call>",
        ),
        ("mistral", "[TOOL_CALLS][{}]", "[TOOL_CALLS][{}, {}]"),
        ("llama3", "{}", None),
        ("granite", "<|tool_call|>[{}]", "<|tool_call|>[{}, {}]"),
        (
            "phi4",
            "<|tool_call|>{}<|/tool_call|>",
            "<|tool_call|>{}<|/tool_call|><|tool_call|>{}<|/tool_call|>",
        ),
    ],
)
async def test_the_grammar_of_each_form(engine, form, one, two):
    tools = [{"function": WEATHER}]
    call = CALL % FORMATS[form].arguments
    single = build_call_grammar(FORMATS[form], tools, several=False, token=engine.find_control_token)
    several = build_call_grammar(FORMATS[form], tools, several=True, token=engine.find_control_token)

    assert walk(engine, single, one.replace("{}", call))
    assert walk(engine, several, one.replace("{}", call))
    assert not walk(engine, several, "Hello")
    assert not walk(engine, several, one.replace("{}", call.replace("Rome", "Bonn")))
    if two is not None:
        assert walk(engine, several, two.replace("{}", call))
        assert not walk(engine, single, two.replace("{}", call))


NAMED = '[TOOL_CALLS]weather[ARGS]{"city": "Rome", "days": 3}'
XML = (
    "<tool_call>\n<function=weather>\n<parameter=city>\nRome\n</parameter>\n<parameter=days>\n3\n</parameter>\n"
    "</function>\n</tool_call>"
)


@pytest.mark.parametrize(
    ("form", "one", "two"), [("mistral-args", NAMED, NAMED * 2), ("qwen-xml", XML, f"{XML}\n{XML}")]
)
async def test_the_grammar_of_forms_that_are_no_object(engine, form, one, two):
    tools = [{"function": WEATHER}, {"function": TIME}]
    single = build_call_grammar(FORMATS[form], tools, several=False, token=engine.find_control_token)
    several = build_call_grammar(FORMATS[form], tools, several=True, token=engine.find_control_token)

    assert walk(engine, single, one)
    assert walk(engine, several, two)
    assert not walk(engine, single, two)
    assert not walk(engine, several, one.replace("Rome", "Bonn"))
    assert not walk(engine, several, one.replace("3", '"3"'))
    assert not walk(engine, several, one.replace("weather", "climate"))


async def test_parameters_that_are_text_may_hold_anything_but_their_end(engine):
    schema = {
        "type": "object",
        "properties": {"code": {"type": "string"}, "note": {"type": "string"}},
        "required": ["code"],
    }
    tools = [{"function": {"name": "run", "parameters": schema}}]
    grammar = build_call_grammar(FORMATS["qwen-xml"], tools, several=False, token=engine.find_control_token)
    call = "<tool_call>\n<function=run>\n<parameter=code>\n{}\n</parameter>\n{}</function>\n</tool_call>"
    note = "<parameter=note>\nx\n</parameter>\n"

    assert walk(engine, grammar, call.format("if a < b:\n  <p>", ""))
    assert walk(engine, grammar, call.format("x", note))
    assert not walk(engine, grammar, call.replace("code", "other").format("x", ""))
    assert not walk(engine, grammar, call.format("x", note * 2))


async def test_a_marker_that_is_a_control_token_is_forced_and_shown(engine):
    form = attrs.evolve(FORMATS["mistral"], begin="<|im_start|>")
    grammar = build_call_grammar(form, [{"function": TIME}], several=False, token=engine.find_control_token)

    assert walk(engine, grammar, '<|im_start|>[{"name": "time", "arguments": {}}]')


async def test_what_ends_an_answer_is_allowed_only_where_it_is_whole(engine):
    constraint = engine.grammars.make_constraint(build_json_grammar({"const": "ab"}))
    ids = engine._tokenizer.encode('"ab"').ids
    allowed = []
    for token in ids:
        allowed.append(bool(constraint.mask([])[2]))
        constraint.accept(token)

    last = constraint.mask([])
    assert allowed == [False] * len(ids)
    assert np.flatnonzero(last).tolist() == sorted(engine.description.end_token_ids)
    constraint.accept(2)


async def test_a_broken_grammar_is_a_request_error(engine):
    with pytest.raises(RequestError, match="cannot be constrained"):
        engine.grammars.make_constraint("start: %json {]")


def test_a_template_keeps_its_source():
    assert ChatTemplate(TEMPLATE).source == TEMPLATE


@pytest.mark.model
async def test_the_embedded_model_fills_a_schema():
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 40},
            "capital": {"type": "string", "maxLength": 40},
            "population_millions": {"type": "number"},
            "continents": {"type": "array", "items": {"enum": ["Europe", "Asia", "Africa"]}, "maxItems": 2},
        },
        "required": ["name", "capital", "population_millions", "continents"],
        "additionalProperties": False,
    }
    async with Mesh.from_config({"connections": {"local": {"provider": "onnx", "device": "cpu"}}}) as mesh:
        async with mesh.stream_chat(
            "local:smollm2-135m",
            "Tell me about France, as JSON.",
            response_format=schema,
            max_tokens=120,
            seed=1,
        ) as stream:
            text = "".join([piece async for piece in stream.text()])

    found = json.loads(text)
    assert found.keys() == schema["properties"].keys()
    assert isinstance(found["population_millions"], int | float)
    assert "France" in found["name"]
