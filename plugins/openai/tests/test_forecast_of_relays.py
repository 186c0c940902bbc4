"""What a relayed call may use at most, whatever a client writes so that it looks small."""

import json

import pytest

from jackfield import Mesh, Registry
from jackfield.plugin import RelayRequest, relay

MODEL = {"id": "m", "limits": {"context_window": 200_000, "max_output_tokens": 9_000}}
HELLO = [{"role": "user", "content": "hi"}]


class Seen(Exception):
    pass


async def forecast_of(monkeypatch, body, surface="openai.chat", kind="chat"):
    monkeypatch.setenv("KEY", "sk-upstream")
    seen = []

    class Look:
        needs_content = False

        async def __call__(self, call, proceed):
            seen.append(call.forecast)
            raise Seen

    connection = {
        "provider": "openai",
        "api_key": "env:KEY",
        "middlewares": ["look"],
        "models": [MODEL],
    }
    registry = Registry.installed().extended(middlewares={"look": lambda settings: Look()})
    text = body if isinstance(body, bytes) else json.dumps({"model": "m", **body}).encode()
    asked = RelayRequest(surface=surface, kind=kind, headers={}, body=text, parsed=json.loads(text))
    async with Mesh.from_config({"connections": {"o": connection}}, registry=registry) as mesh:
        with pytest.raises(Seen):
            await relay(mesh, "o:m", asked)
    return seen[0], len(text)


@pytest.mark.parametrize(
    ("limits", "most"),
    [
        ({"max_tokens": 40}, 40),
        ({"max_tokens": 40, "max_completion_tokens": 50}, 50),
        ({"max_tokens": "40"}, 40),
        ({"max_tokens": 40, "n": 100}, 4_000),
        ({"max_tokens": 40, "n": "100"}, 4_000),
        ({"max_tokens": 40, "n": 100.0}, 4_000),
        ({}, 9_000),
        ({"max_tokens": 0}, 9_000),
        ({"max_tokens": -1}, 9_000),
        ({"max_tokens": True}, 9_000),
        ({"max_tokens": None, "n": -5}, 9_000),
        ({"max_tokens": "many", "n": "nan"}, 9_000),
        ({"max_output_tokens": 1}, 9_000),
    ],
)
async def test_the_output_of_a_relayed_chat_is_not_made_small_by_odd_values(monkeypatch, limits, most):
    forecast, _ = await forecast_of(monkeypatch, {"messages": HELLO, **limits})
    assert forecast.most_output_tokens == most


async def test_a_number_beyond_floats_limits_nothing(monkeypatch):
    body = b'{"model":"m","messages":[],"max_tokens":1e309}'
    assert (await forecast_of(monkeypatch, body))[0].most_output_tokens == 9_000


async def test_a_relayed_response_is_limited_by_its_own_field_alone(monkeypatch):
    body = {"input": "hi", "max_tokens": 1}
    assert (await forecast_of(monkeypatch, body, "openai.responses"))[0].most_output_tokens == 9_000
    body["max_output_tokens"] = 70
    assert (await forecast_of(monkeypatch, body, "openai.responses"))[0].most_output_tokens == 70


@pytest.mark.parametrize(
    ("fields", "choices"),
    [
        ({"prompt": "a"}, 1),
        ({"prompt": "a", "n": 2, "best_of": 20}, 20),
        ({"prompt": ["a", "b", "c"]}, 3),
        ({"prompt": ["a", "b", "c"], "n": 2}, 6),
        ({"prompt": [1, 2, 3]}, 1),
        ({"prompt": [[1, 2], [3]]}, 2),
        ({"prompt": []}, 1),
    ],
)
async def test_completions_of_several_prompts_are_counted_each(monkeypatch, fields, choices):
    body = {"max_tokens": 10, **fields}
    forecast, _ = await forecast_of(monkeypatch, body, "openai.completions", "completion")
    assert forecast.most_output_tokens == 10 * choices


def chat_with(part):
    return {"messages": [{"role": "user", "content": [part]}]}


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}},
        {"type": "image_url", "image_url": {"url": "HTTPS://a.example/b.png"}},
        {"type": "input_image", "image_url": "https://a.example/b.png"},
        {"type": "input_file", "file_id": "file-1"},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "item_reference", "id": "msg_1"},
        {"id": "msg_1"},
    ],
)
async def test_what_the_service_adds_may_fill_the_window(monkeypatch, part):
    for body in (chat_with(part), {"input": [part]}):
        for indent in (None, 1):  # however it is spaced
            text = json.dumps({"model": "m", **body}, indent=indent).encode()
            assert (await forecast_of(monkeypatch, text))[0].most_input_tokens == 200_000
    hidden = json.dumps({"model": "m", **chat_with(part)}).replace('"url"', '"\\u0075rl"').encode()
    assert (await forecast_of(monkeypatch, hidden))[0].most_input_tokens == 200_000


async def test_a_stored_prompt_and_a_stored_answer_may_fill_the_window(monkeypatch):
    for field in ({"prompt": {"id": "pmpt_1"}}, {"previous_response_id": "resp_1"}, {"conversation": "c"}):
        body = {"input": "hi", **field}
        forecast, _ = await forecast_of(monkeypatch, body, "openai.responses")
        assert forecast.most_input_tokens == 200_000


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "input_file", "file_data": "AAAA"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    ],
)
async def test_a_picture_of_few_bytes_counts_as_many_tokens(monkeypatch, part):
    forecast, size = await forecast_of(monkeypatch, chat_with(part))
    assert forecast.most_input_tokens >= size + 5_000


async def test_addresses_in_texts_and_calls_of_tools_add_nothing(monkeypatch):
    call = {"type": "tool_use", "id": "t", "name": "fetch", "input": {"url": "https://a.example", "id": "x"}}
    parts = [
        call,
        {"type": "text", "text": "https://a.example"},
        {"type": "text", "text": '{"url":"https://b"}'},
    ]
    body = {"messages": [{"role": "assistant", "content": parts}]}
    forecast, size = await forecast_of(monkeypatch, body)
    assert forecast.most_input_tokens < size + 2_000


async def test_a_body_that_is_nested_deeply_is_measured(monkeypatch):
    body = b'{"model":"m","id":1,"messages":' + b'[{"id":' * 450 + b"1" + b"}]" * 450 + b"}"
    assert (await forecast_of(monkeypatch, body))[0].most_input_tokens >= 1_000
