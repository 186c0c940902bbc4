"""Graphs of every maker, one row and many: what a row computes does not depend on the others."""

import shutil

import numpy as np
import pytest
from onnx_graphs import reference_logits, write_genai_folder, write_optimum_folder

from jackfield_onnx._engine.concat_decoder import ConcatDecoder
from jackfield_onnx._engine.decoder import open_decoder
from jackfield_onnx._engine.shared_decoder import SharedDecoder
from jackfield_onnx._files.convert import convert_gguf
from jackfield_onnx._files.folder import read_tokenizer
from jackfield_onnx._files.layouts import read_decoder_folder
from jackfield_onnx._local_errors import DamagedModelError, UnsupportedModelError
from jackfield_onnx._runtime.session import SessionSettings, new_run_options

CPU = SessionSettings(device="cpu", threads=1)
PROMPTS = (
    [5, 17, 203, 44, 91, 17, 8, 120],
    [77, 12],
    [9, 250, 31, 31, 31, 6, 180, 14, 66, 2, 90],
    [140, 7, 3, 60],
)


@pytest.fixture(scope="session")
def folders(tiny, tiny_gguf, tiny_folder, tmp_path_factory):
    """A folder of each maker, of the same model."""
    top = tmp_path_factory.mktemp("makers")
    exact = top / "fp32"
    exact.mkdir()
    convert_gguf(tiny_gguf, exact, precision="fp32")
    template = tiny.metadata()["tokenizer.chat_template"]
    tokenizer = read_tokenizer(tiny_folder)
    return {
        "int8": tiny_folder,
        "fp32": exact,
        "optimum": write_optimum_folder(top / "optimum", tiny, tokenizer, template),
        "optimum without positions": write_optimum_folder(
            top / "bare", tiny, tokenizer, template, positions=False
        ),
        "genai": write_genai_folder(top / "genai", tiny, exact),
    }


def opened(folder, slots=4, context=64):
    decoder, device = open_decoder(read_decoder_folder(folder), CPU, slots=slots, context=context)
    assert device == "cpu"
    return decoder


def alone(decoder, prompt, steps):
    """Read and continue one row greedily; the logits after each token."""
    options = new_run_options()
    decoder.begin()
    rows = [decoder.read(prompt, options).copy()]
    decoder.join()
    for _ in range(steps):
        rows.append(decoder.step([int(rows[-1].argmax())], options)[0].copy())
    decoder.leave(0)
    return rows


@pytest.mark.parametrize("maker", ["fp32", "optimum", "optimum without positions", "genai"])
def test_every_maker_s_graph_computes_what_plain_numpy_computes(folders, tiny, maker):
    rows = alone(opened(folders[maker]), PROMPTS[0], 6)

    tokens = PROMPTS[0] + [int(row.argmax()) for row in rows[:-1]]
    np.testing.assert_allclose(rows, reference_logits(tiny, tokens)[len(PROMPTS[0]) - 1 :], atol=2e-4)


@pytest.mark.parametrize("maker", ["int8", "fp32", "optimum", "genai"])
def test_rows_that_come_and_go_do_not_change_each_other(folders, maker):
    decoder, options = opened(folders[maker]), new_run_options()
    expected = [alone(decoder, prompt, 9) for prompt in PROMPTS]
    found, rows = [[] for _ in PROMPTS], []

    def read(which, until=None, since=0):
        logits = decoder.read(PROMPTS[which][since:until], options)
        if until is None:
            found[which].append(logits.copy())

    def join(which):
        decoder.join()
        rows.append(which)

    def step(times=1):
        for _ in range(times):
            for row, logits in enumerate(decoder.step([int(found[w][-1].argmax()) for w in rows], options)):
                found[rows[row]].append(logits.copy())

    def leave(which):
        row = rows.index(which)
        decoder.leave(row)
        rows[row] = rows[-1]
        rows.pop()

    decoder.begin(), read(0), join(0), step(2)
    decoder.begin(), read(1), join(1), step()
    # A long prompt in pieces, and the first row leaves between them.
    (
        decoder.begin(),
        read(2, until=4),
        step(),
        leave(0),
        read(2, until=None, since=4),
        step(),
        join(2),
        step(2),
    )
    # One that gives up while its prompt is read.
    decoder.begin(), read(0, until=3), decoder.drop()
    decoder.begin(), read(3), leave(1), join(3), step(3), leave(2), step()

    for which, logits in enumerate(found):
        assert len(logits) > 4
        # Our graphs to the bit; plain operators add up in another order for several rows.
        allowed = 1e-4 if maker == "optimum" else 0.0
        np.testing.assert_allclose(logits, expected[which][: len(logits)], rtol=0, atol=allowed)
        assert [row.argmax() for row in logits] == [row.argmax() for row in expected[which][: len(logits)]]


def test_a_run_that_is_stopped_changes_no_row(folders):
    decoder, options = opened(folders["optimum"]), new_run_options()
    expected = alone(decoder, PROMPTS[0], 2)
    decoder.begin(), decoder.read(PROMPTS[0], options), decoder.join()
    stopped = new_run_options()
    stopped.terminate = True
    with pytest.raises(Exception, match="terminate"):
        decoder.step([int(expected[0].argmax())], stopped)

    np.testing.assert_allclose(decoder.step([int(expected[0].argmax())], options)[0], expected[1], atol=1e-5)


def test_which_way_a_graph_keeps_its_past_is_seen(folders):
    kinds = {maker: type(opened(folder)) for maker, folder in folders.items()}

    assert kinds == {
        "int8": SharedDecoder,
        "fp32": SharedDecoder,
        "optimum": ConcatDecoder,
        "optimum without positions": ConcatDecoder,
        "genai": SharedDecoder,
    }


def test_a_graph_that_takes_no_positions_has_one_slot(folders):
    assert opened(folders["optimum without positions"], slots=8).slots == 1
    assert opened(folders["optimum"], slots=8).slots == 8


def test_what_a_folder_says_is_read(folders, tiny):
    optimum, genai = (read_decoder_folder(folders[maker]) for maker in ("optimum", "genai"))

    for found in (optimum, genai):
        description = found.description
        assert (description.layers, description.kv_heads, description.head_dim) == (2, 2, 16)
        assert description.end_token_ids == (0, 2)
        assert description.context_length == tiny.context
        assert "<|im_start|>" in found.template
    assert (optimum.description.begin_token, optimum.description.end_token) == ("<|im_start|>", "<|im_end|>")
    assert (optimum.description.temperature, optimum.description.top_p) == (0.6, 0.95)
    assert genai.description.temperature == 0.0


def test_a_precision_chooses_a_graph(folders, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(folders["optimum"], folder)
    (folder / "onnx").mkdir()
    for name in ("model_fp16", "model_q4", "model_quantized"):
        shutil.copy(folder / "model.onnx", folder / "onnx" / f"{name}.onnx")

    chosen = {
        word: read_decoder_folder(folder, word).graph.name
        for word in ("auto", "fp32", "fp16", "int8", "int4")
    }

    assert chosen == {
        "auto": "model.onnx",
        "fp32": "model.onnx",
        "fp16": "model_fp16.onnx",
        "int8": "model_quantized.onnx",
        "int4": "model_q4.onnx",
    }
    (folder / "model.onnx").unlink()
    assert read_decoder_folder(folder).graph.name == "model_fp16.onnx"


@pytest.mark.parametrize(
    ("maker", "precision", "has"),
    [("int8", "fp16", "int8"), ("optimum", "int4", "fp32"), ("genai", "fp32", "auto")],
)
def test_a_precision_that_is_not_there_is_refused_with_those_that_are(folders, maker, precision, has):
    with pytest.raises(UnsupportedModelError, match=f"precision {precision}.*It has {has}"):
        read_decoder_folder(folders[maker], precision)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"num_hidden_layers": 3}, "an input of a decoder is missing"),
        ({"num_hidden_layers": 1}, "has an input 'past_key_values.1.key'"),
        ({"num_key_value_heads": 4}, "not of 4 heads of 16"),
    ],
)
def test_a_folder_that_disagrees_with_its_graph_is_refused(tiny, folders, tmp_path, change, word):
    folder = write_optimum_folder(tmp_path / "f", tiny, read_tokenizer(folders["int8"]), "", **change)

    with pytest.raises(UnsupportedModelError, match=word):
        opened(folder)


def test_a_model_of_several_graphs_is_refused(tiny, folders, tmp_path):
    folder = write_genai_folder(tmp_path / "f", tiny, folders["fp32"], vision={"filename": "vision.onnx"})
    with pytest.raises(UnsupportedModelError, match="several graphs"):
        read_decoder_folder(folder)

    merged = tmp_path / "merged"
    merged.mkdir()
    shutil.copy(folders["optimum"] / "config.json", merged)
    (merged / "decoder_model_merged.onnx").touch()
    with pytest.raises(UnsupportedModelError, match="newer optimum"):
        read_decoder_folder(merged)


@pytest.mark.parametrize(
    ("files", "word"),
    [
        ({}, "not a model folder"),
        ({"config.json": "{"}, "cannot be read"),
        ({"config.json": '{"num_attention_heads": 2}', "model.onnx": "x"}, "cannot be read"),
        ({"config.json": '{"num_attention_heads": 2, "hidden_size": 4}'}, "no model.onnx"),
        ({"genai_config.json": '{"model": {}}'}, "'decoder'"),
        (
            {"genai_config.json": '{"model": {"decoder": {}}}'},
            "cannot be read",
        ),
    ],
)
def test_a_damaged_folder_says_what_is_wrong(tmp_path, files, word):
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    with pytest.raises(DamagedModelError, match=word):
        read_decoder_folder(tmp_path)
