import asyncio
import threading

import numpy as np
import pytest
from waiting import until

from jackfield_onnx._engine.embedder import Embedder
from jackfield_onnx._engine.pooling import mean_pool, normalise
from jackfield_onnx._local_errors import EngineClosedError, GenerationError, RequestError, TextTooLongError
from jackfield_onnx._runtime.session import SessionSettings

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "one", "two", "three", "four"]
TABLE = np.random.default_rng(1).normal(size=(len(WORDS), 16)).astype(np.float32)
LIMIT = 6


@pytest.fixture(scope="module")
def folder(encoder_writer, tmp_path_factory):
    return encoder_writer(tmp_path_factory.mktemp("encoder"), WORDS, TABLE, LIMIT)


@pytest.fixture
async def embedder(folder):
    embedder = await Embedder.load(folder, SessionSettings(device="cpu", threads=1))
    yield embedder
    await embedder.aclose()


def expected(*words):
    mean = TABLE[[WORDS.index(word) for word in ("[CLS]", *words, "[SEP]")]].mean(axis=0)
    return mean / np.linalg.norm(mean)


async def test_vectors_are_the_mean_of_real_tokens_at_length_one(embedder):
    found = await embedder.embed(["one two three", "four", ""])

    assert found.vectors.dtype == np.float32
    np.testing.assert_allclose(
        found.vectors, [expected("one", "two", "three"), expected("four"), expected()], atol=1e-6
    )
    assert found.tokens == 5 + 3 + 2
    assert found.truncated == ()


async def test_many_texts_keep_their_order(embedder):
    texts = ["one", "one two three four", "two two"] * 40

    found = await embedder.embed(texts)

    wanted = [expected(*text.split()) for text in texts]
    np.testing.assert_allclose(found.vectors, wanted, atol=1e-6)


async def test_no_texts_give_no_vectors(embedder):
    found = await embedder.embed([])

    assert found.vectors.shape == (0, 16)
    assert found.tokens == 0


async def test_a_text_that_is_too_long_is_refused_with_its_place(embedder):
    with pytest.raises(TextTooLongError) as caught:
        await embedder.embed(["one", "one two three four one"])

    assert (caught.value.index, caught.value.tokens, caught.value.limit) == (1, 7, LIMIT)


@pytest.mark.parametrize(
    ("truncate", "kept"),
    [("end", ("one", "two", "three", "four")), ("start", ("three", "four", "one", "two"))],
)
async def test_truncation_cuts_the_named_side_and_reports_it(embedder, truncate, kept):
    found = await embedder.embed(["four", "one two three four one two"], truncate=truncate)

    np.testing.assert_allclose(found.vectors[1], expected(*kept), atol=1e-6)
    assert found.truncated == (1,)
    assert found.tokens == 3 + LIMIT


async def test_an_unknown_truncation_is_refused(embedder):
    with pytest.raises(RequestError, match="middle"):
        await embedder.embed(["one"], truncate="middle")


async def test_tokens_are_counted_uncut(embedder):
    assert await embedder.count_tokens(["one", "one two three four one two"]) == 3 + 8


async def test_a_closed_embedder_says_so(embedder):
    await embedder.aclose()
    await embedder.aclose()

    with pytest.raises(EngineClosedError):
        await embedder.embed(["one"])


async def test_requests_that_wait_when_it_closes_are_told(embedder, monkeypatch):
    begun, go_on = [], threading.Event()

    def run(batch, options):
        begun.append(batch)
        go_on.wait()
        return np.zeros((1, 16))

    monkeypatch.setattr(embedder, "_run", run)
    tasks = [asyncio.create_task(embedder.embed(["one"])) for _ in range(3)]
    await until(lambda: begun)

    closing = asyncio.create_task(embedder.aclose())
    await asyncio.sleep(0)
    go_on.set()
    await closing
    results = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(result) for result in results[1:]] == [EngineClosedError, EngineClosedError]


async def test_cancelling_terminates_the_run(embedder, monkeypatch):
    given = []

    def run(batch, options):
        given.append(options)
        while not options.terminate:
            pass
        raise RuntimeError("terminated")

    monkeypatch.setattr(embedder, "_run", run)
    task = asyncio.create_task(embedder.embed(["one"]))
    await until(lambda: given)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert given[0].terminate


async def test_a_failure_of_the_runtime_is_told(embedder, monkeypatch):
    def run(batch, options):
        raise ValueError("broken")

    monkeypatch.setattr(embedder, "_run", run)

    with pytest.raises(GenerationError, match="broken"):
        await embedder.embed(["one"])


def test_two_event_loops_in_turn_work(folder):
    async def session():
        embedder = await Embedder.load(folder)
        try:
            return (await embedder.embed(["one"])).vectors
        finally:
            await embedder.aclose()

    np.testing.assert_array_equal(asyncio.run(session()), asyncio.run(session()))


def test_pooling_leaves_padding_out():
    hidden = np.array([[[1.0, 1.0], [3.0, 5.0], [99.0, 99.0]]], np.float32)

    np.testing.assert_array_equal(mean_pool(hidden, np.array([[1, 1, 0]])), [[2.0, 3.0]])


def test_a_vector_of_zeros_stays_zero():
    assert normalise(np.zeros((1, 3), np.float32)).tolist() == [[0.0, 0.0, 0.0]]
