import json

import numpy as np
import pytest
from onnx_graphs import reference_logits

from jackfield_onnx._engine.decoder import open_decoder
from jackfield_onnx._files.convert import convert_gguf
from jackfield_onnx._files.folder import read_decoder, read_tokenizer
from jackfield_onnx._files.layouts import read_decoder_folder
from jackfield_onnx._files.llama_graph import quantise, split_halves
from jackfield_onnx._local_errors import DamagedModelError, UnsupportedModelError
from jackfield_onnx._runtime.session import SessionSettings, new_run_options

PROMPT = [5, 17, 203, 44, 91, 17, 8, 120]


class Reader:
    """One row of a folder's decoder."""

    def __init__(self, folder, context=64):
        settings = SessionSettings(device="cpu", threads=1)
        self.decoder, _ = open_decoder(read_decoder_folder(folder), settings, slots=1, context=context)
        self.options = new_run_options()

    def read(self, tokens):
        self.decoder.drop()
        self.decoder.begin()
        return self.decoder.read(tokens, self.options).copy()

    def more(self, tokens):
        return self.decoder.read(tokens, self.options).copy()


# Weights and activations are in 8 bits; an error of structure gives 1 and more.
@pytest.mark.parametrize(("precision", "most"), [("int8", 0.04), ("fp32", 1e-5)])
@pytest.mark.parametrize("tied", [True, False])
def test_the_graph_computes_what_plain_numpy_computes(tmp_path, llama, tied, precision, most):
    model = llama(tied=tied)
    folder = tmp_path / "made"
    folder.mkdir()
    convert_gguf(model.write(tmp_path / "m.gguf"), folder, precision=precision)
    reader = Reader(folder)

    expected = reference_logits(model, PROMPT)
    for length in range(1, len(PROMPT) + 1):
        found = reader.read(PROMPT[:length])
        error = np.linalg.norm(found - expected[length - 1]) / np.linalg.norm(expected[length - 1])
        assert error < most


def test_a_cached_step_equals_reading_everything_again(tiny_folder):
    reader = Reader(tiny_folder)

    cached = [reader.read(PROMPT[:3])] + [reader.more([token]) for token in PROMPT[3:]]
    whole = [reader.read(PROMPT[:length]) for length in range(3, len(PROMPT) + 1)]

    np.testing.assert_allclose(cached, whole, atol=1e-4)


def test_quantising_loses_less_than_half_a_step_per_number():
    weight = np.random.default_rng(0).normal(size=(8, 64)).astype(np.float32)
    weight[3] = 0

    numbers, scales = quantise(weight)

    back = (numbers.astype(np.float32) - 128) * scales[..., None]
    assert (np.abs(back.reshape(weight.shape) - weight) <= np.repeat(scales, 32, axis=1) * 0.501).all()


def test_the_row_order_of_llama_cpp_is_undone():
    rows = np.arange(8, dtype=np.float32).reshape(8, 1)
    interleaved = rows[[0, 2, 1, 3, 4, 6, 5, 7]]  # two heads of four rows, halves in pairs

    np.testing.assert_array_equal(split_halves(interleaved, 2), rows)


def test_a_folder_holds_tokenizer_template_and_description(tiny, tiny_folder):
    description = read_decoder(tiny_folder)
    tokenizer = read_tokenizer(tiny_folder)

    assert description.name == "tiny"
    assert description.end_token_ids == (0, 2)
    assert description.context_length == tiny.context
    assert (tiny_folder / "chat_template.jinja").read_text() == tiny.metadata()["tokenizer.chat_template"]
    assert tokenizer.encode("<|im_start|>hi").ids == [1, len(tiny.vocabulary()) - 1]
    assert tokenizer.decode(tokenizer.encode("Grüße 🙂 12").ids) == "Grüße 🙂 12"
    assert json.loads((tiny_folder / "model.json").read_text())["licence"] == "apache-2.0"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"metadata": {"general.architecture": "gemma"}}, "gemma"),
        ({"metadata": {"llama.rope.scaling.type": "linear"}}, "scaled"),
        ({"metadata": {"llama.rope.dimension_count": 8}}, "part of each head"),
        ({"metadata": {"tokenizer.ggml.pre": "qwen2"}}, "qwen2"),
        ({"metadata": {"tokenizer.ggml.model": "llama"}}, "pre-tokenizer"),
        ({"weights": {"blk.0.attn_q.bias": np.zeros(64, np.float32)}}, "attn_q.bias"),
        ({"weights": {"rope_freqs.weight": np.zeros(8, np.float32)}}, "rope_freqs"),
    ],
)
def test_what_the_graph_cannot_express_is_refused(tmp_path, tiny, changes, word):
    source = tiny.write(tmp_path / "m.gguf", **changes)

    with pytest.raises(UnsupportedModelError, match=word):
        convert_gguf(source, tmp_path)


def test_a_missing_tensor_is_damage(tmp_path, tiny):
    source = tiny.write(tmp_path / "m.gguf", weights={"blk.1.ffn_up.weight": None})

    with pytest.raises(DamagedModelError, match=r"blk\.1\.ffn_up"):
        convert_gguf(source, tmp_path)


def test_progress_counts_layers(tmp_path, tiny, tiny_gguf):
    seen = []

    convert_gguf(tiny_gguf, tmp_path, progress=lambda done, total: seen.append((done, total)))

    assert seen == [(1, tiny.layers), (2, tiny.layers)]
