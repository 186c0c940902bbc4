"""Streams that are relayed, cut by the network anywhere: bytes, usage and errors are those of a call that is translated."""

import json

import pytest

from jackfield import JackfieldError, Mesh
from jackfield.plugin import RelayRequest, relay
from jackfield.testing import Answer, RecordingServer

TEXTS = ("Ha", "llo ", "w\u00f6", "rld", "!\n")
WHOLE = "".join(TEXTS)
HELLO = {"model": "m", "max_tokens": 40, "messages": [{"role": "user", "content": "hi"}], "stream": True}
ITEM = {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant"}
PART = {"type": "output_text", "text": WHOLE, "annotations": []}
USED = {"input_tokens": 9, "output_tokens": 2, "total_tokens": 11}


def frame(value, *, named=True):
    name = f"event: {value['type']}\n" if named else ""
    return f"{name}data: {json.dumps(value)}\n\n".encode()


def chat_stream():
    def chunk(**choice):
        return frame({"id": "c", "model": "m", "choices": [{"index": 0, **choice}]}, named=False)

    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
    texts = [chunk(delta={"content": text}, finish_reason=None) for text in TEXTS]
    end = [
        chunk(delta={}, finish_reason="stop"),
        frame({"id": "c", "choices": [], "usage": usage}, named=False),
    ]
    return [chunk(delta={"role": "assistant"}), *texts, *end, b"data: [DONE]\n\n"]


def messages_stream():
    head = {"id": "m1", "role": "assistant", "model": "m", "content": [], "usage": {"input_tokens": 9}}
    deltas = [{"type": "text_delta", "text": text} for text in TEXTS]
    return [
        frame({"type": "message_start", "message": head}),
        frame({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        *(frame({"type": "content_block_delta", "index": 0, "delta": delta}) for delta in deltas),
        frame({"type": "content_block_stop", "index": 0}),
        frame({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}),
        frame({"type": "message_stop"}),
    ]


def responses_stream():
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    begun = {"id": "resp_1", "object": "response", "model": "m", "status": "in_progress", "output": []}
    done = {**ITEM, "content": [PART]}
    ended = {**begun, "status": "completed", "output": [done], "usage": USED}
    return [
        frame({"type": "response.created", "response": begun}),
        frame({"type": "response.output_item.added", "output_index": 0, "item": {**ITEM, "content": []}}),
        *(frame({"type": "response.output_text.delta", **place, "delta": text}) for text in TEXTS),
        frame({"type": "response.output_item.done", "output_index": 0, "item": done}),
        frame({"type": "response.completed", "response": ended}),
    ]


CASES = {
    "openai.chat": ("chat", chat_stream(), {**HELLO, "stream_options": {"include_usage": True}}),
    "openai.responses": ("responses", responses_stream(), {"model": "m", "input": "hi", "stream": True}),
    "anthropic.messages": ("messages", messages_stream(), HELLO),
}


def seen(response):
    usage = response.usage
    return response.text, response.finish_reason, usage.input_tokens, usage.output_tokens


async def translated(mesh, connection):
    error = response = None
    try:
        async with mesh.stream_chat(f"{connection}:m", "hi", max_tokens=40) as stream:
            response = stream.response
            try:
                async for _ in stream:
                    pass
            finally:
                response = stream.response
    except JackfieldError as failed:
        error = type(failed)
    return error, response and seen(response)


async def relayed(mesh, connection, surface, body):
    asked = RelayRequest(
        surface=surface, kind="chat", headers={}, body=json.dumps(body).encode(), stream=True, parsed=body
    )
    error, answer, got = None, None, b""
    try:
        answer = await relay(mesh, f"{connection}:m", asked)
        async for piece in answer:
            got += piece
    except JackfieldError as failed:
        error = type(failed)
    if answer is not None:
        await answer.aclose()
    return got, (error, answer and seen(answer.response))


@pytest.mark.real_time
@pytest.mark.parametrize("surface", CASES)
async def test_a_relayed_stream_is_the_same_wherever_it_is_cut(surface):
    connection, events, asked = CASES[surface]
    pieces = []
    async with RecordingServer() as server:
        for path in ("/v1/chat/completions", "/v1/responses", "/v1/messages"):
            server.route("POST", path, lambda request: Answer.stream(list(pieces), "text/event-stream"))
        openai = {"provider": "openai", "base_url": f"{server.url}/v1", "api_key": "none"}
        config = {
            "defaults": {"retry": {"attempts": 1}},
            "connections": {
                "chat": {**openai, "models": [{"id": "m", "route": "chat"}]},
                "responses": {**openai, "models": [{"id": "m", "route": "responses"}]},
                "messages": {"provider": "anthropic", "base_url": server.url, "api_key": "none"},
            },
        }
        body = b"".join(events)
        commented = b": keep-alive\n\n".join(events)
        async with Mesh.from_config(config) as mesh:
            for whole in (body, commented):
                for place in range(1, len(whole), 13):
                    pieces[:] = [whole[:place], whole[place:]]
                    got, known = await relayed(mesh, connection, surface, asked)
                    assert (got, known) == (whole, (None, (WHOLE, "stop", 9, 2)))
            for place in range(1, len(body), 17):
                pieces[:] = [body[:place]]
                expected = await translated(mesh, connection)
                got, known = await relayed(mesh, connection, surface, asked)
                assert known == expected
                assert got == body[:place] or known[1] is None
