"""Models whose numbers overflow: an error that names model and step, in every kind of call."""

import asyncio

import numpy as np
import onnx
import pytest
import tiny_graphs
from chains import connection, words_tokenizer, write_chain
from onnx import numpy_helper

from jackfield import Mesh, ServerError
from jackfield_onnx._engine.pooling import mean_pool


def spoil(graph, table, value, where=slice(None)):
    """Put a value into a constant of a graph."""
    model = onnx.load(str(graph))
    (found,) = (one for one in model.graph.initializer if one.name == table)
    numbers = numpy_helper.to_array(found).copy()
    if numbers.ndim:
        numbers[where] = value
    else:
        numbers = np.array(value, numbers.dtype)
    found.CopyFrom(numpy_helper.from_array(numbers, table))
    onnx.save(model, str(graph))


def declared(folder, kind, **keys):
    config = connection(folder, **keys)
    config["connections"]["l"]["models"] = [{"id": "m", "folder": str(folder), "kind": kind}]
    return config


@pytest.fixture
def chain(tmp_path):
    """A model whose words go round and round; `bad` is followed by a token whose output is what the test says."""

    def write(value):
        tokenizer = words_tokenizer("a", "b", "bad", "worse")
        size = tokenizer.get_vocab_size()
        table = np.full((size, size), -50.0, np.float32)
        for before, after in (("a", "b"), ("b", "a"), ("bad", "worse")):
            table[tokenizer.token_to_id(before), tokenizer.token_to_id(after)] = 50
        table[tokenizer.token_to_id("worse")] = value
        return write_chain(
            tmp_path / "half-precise", tokenizer, {}, table=table, template="{{ messages[-1].content }}"
        )

    return write


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("temperature", [0, 0.8])
async def test_a_reply_of_no_numbers_is_an_error_that_names_model_and_token(chain, value, temperature):
    config = connection(chain(value))
    del config["connections"]["l"]["retry"]

    async with Mesh.from_config(config) as mesh:
        for call in (mesh.chat, mesh.complete):
            with pytest.raises(
                ServerError, match=r"token 2 of the reply is not a finite.*half-precise"
            ) as caught:
                await call("l:m", "bad", max_tokens=6, temperature=temperature)
            assert (caught.value.code, len(caught.value.attempts)) == ("NotFiniteError", 1)
        with pytest.raises(ServerError, match="token 2 of the reply"):
            async with mesh.stream_chat("l:m", "bad", max_tokens=6, temperature=temperature) as stream:
                async for _ in stream:
                    pass


async def test_one_row_without_numbers_does_not_disturb_the_others(chain):
    async with Mesh.from_config(connection(chain(np.nan), slots=3)) as mesh:
        good, bad, other = await asyncio.gather(
            *(mesh.complete("l:m", prompt, max_tokens=30) for prompt in ("a", "bad", "b")),
            return_exceptions=True,
        )

    assert good.text.split() == ["b", "a"] * 15
    assert other.text.split() == ["a", "b"] * 15
    assert isinstance(bad, ServerError)


async def test_tokens_that_a_graph_forbids_by_infinity_are_no_fault(tmp_path):
    tokenizer = words_tokenizer("a")
    table = np.full((tokenizer.get_vocab_size(),) * 2, -np.inf, np.float32)
    table[:, 3] = 1

    async with Mesh.from_config(connection(write_chain(tmp_path, tokenizer, {}, table=table))) as mesh:
        for options in ({"temperature": 0}, {"temperature": 1, "top_p": 0.9, "frequency_penalty": 0.5}):
            reply = await mesh.complete("l:m", "a", max_tokens=3, logprobs=True, **options)
            assert reply.text.split() == ["a"] * 3


async def test_a_vector_of_no_numbers_names_its_text(tmp_path):
    folder = tiny_graphs.write_encoder(tmp_path, modules=("Transformer", "Pooling", "Normalize"))
    spoil(folder / "onnx" / "model.onnx", "table", np.nan, tiny_graphs.WORDS.index("two"))

    async with Mesh.from_config(declared(folder, "embedding")) as mesh:
        with pytest.raises(ServerError, match=f"vector of text 2 .*{folder.name}") as caught:
            await mesh.embed("l:m", ["one", "three three three", "one two"])
        assert np.isfinite((await mesh.embed("l:m", ["one", "three"])).embeddings).all()

    assert not caught.value.is_retryable


@pytest.mark.parametrize("value", [np.nan, np.inf])
async def test_a_score_of_no_number_names_its_document(tmp_path, value):
    folder = tiny_graphs.write_reranker(tmp_path)
    spoil(folder / "model.onnx", "scale", value)

    async with Mesh.from_config(declared(folder, "rerank")) as mesh:
        with pytest.raises(ServerError, match="score of document 0"):
            await mesh.rerank("l:m", "one", ["two", "three"])


async def test_a_score_beyond_all_measure_is_a_score(tmp_path):
    folder = tiny_graphs.write_reranker(tmp_path)
    spoil(folder / "model.onnx", "scale", -1e3)

    async with Mesh.from_config(declared(folder, "rerank")) as mesh:
        assert [result.score for result in (await mesh.rerank("l:m", "one", ["two"])).results] == [0.0]


@pytest.mark.parametrize("beams", [1, 3])
async def test_a_summary_of_no_numbers_names_its_token(tmp_path, beams):
    folder = tiny_graphs.write_summarizer(tmp_path)
    spoil(folder / "decoder_with_past_model.onnx", "head", np.nan)

    async with Mesh.from_config(declared(folder, "summarization")) as mesh:
        with pytest.raises(ServerError, match=f"token 2 of the summary.*{folder.name}"):
            await mesh.summarize("l:m", "one two", extra={"onnx": {"num_beams": beams}})


def test_what_the_mask_leaves_out_does_not_count_even_if_it_is_no_number():
    hidden = np.array([[[1.0, 2.0], [np.nan, np.inf]]], np.float32)

    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(mean_pool(hidden, np.array([[1, 0]])), [[1, 2]])


@pytest.mark.parametrize("bias", [np.inf, np.nan])
async def test_a_bias_must_be_a_number(chain, bias):
    async with Mesh.from_config(connection(chain(0))) as mesh:
        with pytest.raises(Exception, match="finite|logit_bias"):
            await mesh.complete("l:m", "a", logit_bias={"3": bias}, max_tokens=1)
