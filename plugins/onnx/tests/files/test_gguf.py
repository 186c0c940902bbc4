import numpy as np
import pytest

from jackfield_onnx._files.gguf import GgufFile
from jackfield_onnx._local_errors import DamagedModelError, UnsupportedModelError


def test_metadata_and_tensors_are_read_back(tiny, tiny_gguf):
    with GgufFile(tiny_gguf) as gguf:
        assert gguf.metadata["general.architecture"] == "llama"
        assert gguf.metadata["tokenizer.ggml.tokens"] == tiny.vocabulary()
        assert gguf.metadata["llama.rope.freq_base"] == 10000.0
        np.testing.assert_array_equal(
            gguf.read_tensor("token_embd.weight"), tiny.weights()["token_embd.weight"]
        )


def _half(value: float) -> bytes:
    return np.float16(value).tobytes()


LOW, HIGH = np.arange(16), np.arange(16)[::-1]
PACKED = (LOW | (HIGH << 4)).astype(np.uint8).tobytes()
NIBBLES = np.concatenate([LOW, HIGH])
SIGNED = np.arange(-16, 16)
ONES = np.array([1.0, -2.5, 0.0, 3.0], np.float32)


@pytest.mark.parametrize(
    ("kind", "raw", "expected"),
    [
        (0, ONES.tobytes(), ONES),
        (1, ONES.astype(np.float16).tobytes(), ONES),
        (30, (ONES.view(np.uint32) >> 16).astype(np.uint16).tobytes(), ONES),
        (2, _half(0.5) + PACKED, 0.5 * (NIBBLES - 8)),
        (3, _half(0.5) + _half(-2.0) + PACKED, 0.5 * NIBBLES - 2.0),
        (8, _half(0.25) + SIGNED.astype(np.int8).tobytes(), 0.25 * SIGNED),
    ],
    ids=["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q8_0"],
)
def test_each_tensor_type_is_dequantised(tmp_path, gguf_writer, kind, raw, expected):
    path = tmp_path / "x.gguf"
    gguf_writer(path, {}, {"t": (kind, (1, len(expected)), raw)})

    with GgufFile(path) as gguf:
        found = gguf.read_tensor("t")

    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[0], expected)


@pytest.mark.parametrize("length", [0, 3, 4, 20, 100, 4000])
def test_a_file_cut_anywhere_is_damaged(tmp_path, tiny_gguf, length):
    path = tmp_path / "cut.gguf"
    path.write_bytes(tiny_gguf.read_bytes()[:length])

    with pytest.raises(DamagedModelError, match=r"cut\.gguf"):
        GgufFile(path)


def test_a_file_cut_within_its_tensors_is_damaged(tmp_path, tiny_gguf):
    path = tmp_path / "cut.gguf"
    path.write_bytes(tiny_gguf.read_bytes()[:-1000])

    with GgufFile(path) as gguf, pytest.raises(DamagedModelError, match="past the end"):
        for name in gguf.tensors:
            gguf.read_tensor(name)


def test_an_unknown_tensor_type_is_refused_by_number(tmp_path, gguf_writer):
    path = tmp_path / "x.gguf"
    gguf_writer(path, {}, {"t": (12, (1, 256), b"\0" * 144)})

    with GgufFile(path) as gguf, pytest.raises(UnsupportedModelError, match="type 12"):
        gguf.read_tensor("t")


def test_a_missing_tensor_is_named(tiny_gguf):
    with GgufFile(tiny_gguf) as gguf, pytest.raises(DamagedModelError, match=r"nothing\.weight"):
        gguf.read_tensor("nothing.weight")
