"""Replies are built once: what a service answers and what a middleware brings become the same."""

import pytest
from plain_provider import TABLE, PlainDecoder, PlainProvider, hello, mesh_for, streamed

from jackfield import MalformedResponseError, Ranking
from jackfield.plugin import EmbeddingData, ReplayedStream, RerankScore, events_of, replayed_reply
from jackfield.testing import Answer

UNSORTED = [[0, 0.1], [1, 0.9], [2, 0.5], [3, 0.9]]
BEST_FIRST = (Ranking(1, 0.9), Ranking(3, 0.9), Ranking(2, 0.5), Ranking(0, 0.1))


def answer_with(events):
    """Make a middleware that answers with events, without asking the service."""

    async def answer(call, proceed):
        return ReplayedStream(call, events) if call.stream else replayed_reply(call, events)

    return {"middlewares": [answer]}


async def rerank(mesh):
    return await mesh.rerank("c:m", "which?", list("abcd"))


async def test_a_rerank_is_sorted_best_first_wherever_it_is_from(server):
    server.answer(Answer.json({"scores": UNSORTED}))
    async with mesh_for(server.url) as mesh:
        reply = await rerank(mesh)
    events = [RerankScore(index, score) for index, score in UNSORTED]
    async with mesh_for(server.url, mesh=answer_with(events)) as mesh:
        replayed = await rerank(mesh)
    assert reply.results == replayed.results == BEST_FIRST


@pytest.mark.parametrize("form", [None, "json", {"type": "object"}])
async def test_an_answer_and_its_replay_are_the_same(server, form):
    options = {} if form is None else {"response_format": form}
    server.answer(hello('{"a": 1}', model="m-2026"))
    async with mesh_for(server.url) as mesh:
        reply = await mesh.chat("c:m", "hi", **options)
    async with mesh_for(server.url, mesh=answer_with(events_of(reply))) as mesh:
        replayed = await mesh.chat("c:m", "hi", **options)
    names = ("id", "model", "connection", "provider", "usage", "complete", "choices", "parsed", "text")
    assert [getattr(replayed, name) for name in names] == [getattr(reply, name) for name in names]
    assert reply.parsed == (None if form is None else {"a": 1})


async def test_a_stream_and_its_replay_fold_into_the_same(server):
    server.answer(streamed())
    async with mesh_for(server.url) as mesh, mesh.stream_chat("c:m", "hi") as stream:
        events = [event async for event in stream]
    async with (
        mesh_for(server.url, mesh=answer_with(events)) as mesh,
        mesh.stream_chat("c:m", "hi") as again,
    ):
        assert [event async for event in again] == events
    for name in ("id", "model", "usage", "complete", "choices"):
        assert getattr(again.response, name) == getattr(stream.response, name)


async def test_embeddings_are_in_the_order_of_their_inputs_wherever_they_are_from(server):
    server.answer(Answer.json({"vectors": [[1.0], [2.0]]}))
    async with mesh_for(server.url) as mesh:
        reply = await mesh.embed("c:m", ["a", "b"])
    events = [EmbeddingData(1, [2.0]), EmbeddingData(0, [1.0])]
    async with mesh_for(server.url, mesh=answer_with(events)) as mesh:
        replayed = await mesh.embed("c:m", ["a", "b"])
    assert reply.lists() == [list(vector) for vector in replayed.embeddings] == [[1.0], [2.0]]


async def test_a_count_without_a_count_is_malformed(server):
    server.answer(hello())
    plugin = PlainProvider(capabilities=TABLE.with_features("t", count_tokens=True))
    async with mesh_for(server.url, plugin) as mesh:
        with pytest.raises(MalformedResponseError, match="no count of tokens") as caught:
            await mesh.count_tokens("c:m", "hi")
    assert (caught.value.status, caught.value.connection) == (200, "c")
    assert b"hello" in caught.value.body


async def test_what_is_not_a_vector_is_an_error_that_names_its_input(server):
    server.answer(Answer.json({"vectors": [[1.0, 2.0], []]}))
    async with mesh_for(server.url) as mesh:
        with pytest.raises(MalformedResponseError, match="the embedding of input 1 is not a vector"):
            await mesh.embed("c:m", ["a", "b"])


async def test_numbers_that_are_not_finite_are_not_a_vector(server):
    server.answer(Answer.text('{"vectors": [[NaN, 1.0]]}', content_type="application/json"))
    async with mesh_for(server.url) as mesh:
        with pytest.raises(MalformedResponseError):
            await mesh.embed("c:m", ["a"])


@pytest.mark.parametrize("score", [None, "0.5", [0.5], {}])
async def test_a_score_that_is_not_a_number_is_an_error(server, score):
    server.answer(Answer.json({"scores": [[0, 0.1], [1, 0.9], [2, 0.5], [3, score]]}))
    async with mesh_for(server.url) as mesh:
        with pytest.raises(MalformedResponseError, match="for the score of a RerankScore, which must be a"):
            await rerank(mesh)


class PlacingDecoder(PlainDecoder):
    """A decoder that takes the place of a vector from the service."""

    def events(self, data):
        for index, vector in data.pop("placed", ()):
            yield EmbeddingData(index, vector)
        yield from super().events(data)


async def test_vectors_of_different_lengths_are_a_malformed_answer(server):
    server.answer(Answer.json({"placed": [[0, [1.0, 2.0]], [1, [1.0]], [2, [3.0, 4.0]]]}))
    async with mesh_for(server.url, PlainProvider(decoder=PlacingDecoder)) as mesh:
        with pytest.raises(MalformedResponseError, match="dimensions, by input: 0: 2, 1: 1"):
            await mesh.embed("c:m", ["a", "b", "c"])


@pytest.mark.parametrize("index", [None, "a", 1.5])
async def test_an_index_that_is_no_number_is_a_malformed_answer(server, index):
    placed = {"placed": [[index, [2.0]], [0, [1.0]]]}
    server.answer(Answer.json(placed), Answer.json({"scores": [[index, 0.5], [0, 0.5]]}))
    async with mesh_for(server.url, PlainProvider(decoder=PlacingDecoder)) as mesh:
        with pytest.raises(
            MalformedResponseError, match="for the index of an EmbeddingData, which must be a whole number"
        ):
            await mesh.embed("c:m", ["a", "b"])
        with pytest.raises(
            MalformedResponseError, match="for the index of a RerankScore, which must be a whole number"
        ):
            await rerank(mesh)
