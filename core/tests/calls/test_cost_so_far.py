"""The cost of an answer that was cut or left is partial: services tell the first count of the output long before the last."""

from decimal import Decimal

import pytest
from plain_provider import PlainProvider, hello, mesh_for, streamed

from jackfield import StreamInterruptedError
from jackfield.plugin import RateCard

PRICE = RateCard.of(source="a test", input="1", output="2")
BEGUN = ({"id": "a1", "usage": [3, 1]}, {"text": "he"}, {"text": "llo"})


def priced(server):
    return mesh_for(server.url, PlainProvider(price=PRICE))


async def test_the_cost_of_a_cut_stream_is_partial(server):
    server.answer(streamed(*BEGUN, done=False))
    async with priced(server) as mesh:
        with pytest.raises(StreamInterruptedError) as caught:
            async with mesh.stream_chat("c:m", "hi") as stream:
                async for _ in stream:
                    pass
    cost = caught.value.partial.cost
    assert (cost.status, cost.missing, cost.amount) == ("partial", ("output_tokens",), Decimal("0.000005"))


async def test_the_cost_of_a_stream_that_is_left_is_partial(server):
    server.answer(streamed(*BEGUN, {"usage": [3, 2]}, {"finish": "stop"}))
    async with priced(server) as mesh:
        async with mesh.stream_chat("c:m", "hi") as stream:
            async for event in stream:
                if getattr(event, "text", None) == "he":
                    break
        assert not stream.response.complete
        assert (stream.response.cost.status, stream.response.cost.missing) == ("partial", ("output_tokens",))


async def test_the_cost_of_a_whole_answer_is_complete(server):
    server.answer(hello(), streamed(*BEGUN, {"usage": [3, 2]}, {"finish": "stop"}))
    async with priced(server) as mesh:
        assert (await mesh.chat("c:m", "hi")).cost.status == "complete"
        async with mesh.stream_chat("c:m", "hi") as stream:
            async for _ in stream:
                pass
        assert (stream.response.cost.status, stream.response.cost.amount) == ("complete", Decimal("0.000007"))
