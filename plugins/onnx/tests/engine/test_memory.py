"""What a model takes is reckoned before it is loaded, and refused with the figures where it does not fit."""

import ctypes
import json
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import tiny_graphs as tiny

from jackfield import ConfigurationError, Mesh
from jackfield_onnx._engine import loaded_models as _loaded
from jackfield_onnx._engine.memory import (
    Estimate,
    check_memory,
    estimate_decoder,
    estimate_other,
    read_available_memory,
)
from jackfield_onnx._files.folder import read_tokenizer
from jackfield_onnx._local_errors import MemoryExceededError
from jackfield_onnx._text.prompts import PromptEncoder
from jackfield_onnx._text.template import ChatTemplate, Turn


def test_weights_and_conversations_of_a_chat_model(tiny_folder):
    about = json.loads((tiny_folder / "model.json").read_text())
    graph = sum(path.stat().st_size for path in tiny_folder.glob("model.onnx*"))

    found = estimate_decoder(tiny_folder, "auto", 4096, 3)

    token = 2 * about["layers"] * about["kv_heads"] * about["head_dim"] * 4
    assert (found.weights, found.conversations) == (graph, token * 128 * 3)  # its own context is shorter
    assert estimate_decoder(tiny_folder, "auto", 64, 3).conversations == token * 64 * 3


def test_other_kinds_take_their_weights(tmp_path):
    graphs = tiny.write_summarizer(tmp_path / "s")
    total = sum(path.stat().st_size for path in graphs.glob("*.onnx"))
    assert estimate_other(graphs, "summarization", "auto").total == total

    encoder = tiny.write_encoder(tmp_path / "e")
    (encoder / "onnx" / "model.onnx_data").write_bytes(b"x" * 1000)  # weights beside the graph
    size = (encoder / "onnx" / "model.onnx").stat().st_size
    assert estimate_other(encoder, "embedding", "auto").total == size + 1000
    assert estimate_other(tiny.write_reranker(tmp_path / "r"), "rerank", "auto").total > 0


def test_the_figures_are_told():
    needed = Estimate(weights=500_000_000, conversations=1_500_000_000, detail="8 slots of 4096 tokens")

    check_memory(needed, "m", 2_000_000_000, None)
    check_memory(needed, "m", None, None)
    with pytest.raises(
        MemoryExceededError, match=r"needs 2,000 MB, and 1,999 MB memory_limit allows.*8 slots"
    ):
        check_memory(needed, "m", 1_999_000_000, None)
    with pytest.raises(MemoryExceededError, match=r"1,000 MB are available"):
        check_memory(needed, "m", 5_000_000_000, 1_000_000_000)


def test_what_is_available_is_known_here():
    found = read_available_memory()
    assert found is None or found > 10_000_000


async def test_a_model_that_does_not_fit_is_not_loaded(tiny_folder, monkeypatch):
    local = {
        "provider": "onnx", "device": "cpu", "retry": {"attempts": 1},
        "models": [{"id": "tiny", "folder": str(tiny_folder), "kind": "chat"}],
    }  # fmt: skip
    async with Mesh.from_config({"connections": {"local": {**local, "memory_limit": "100 KB"}}}) as mesh:
        with pytest.raises(ConfigurationError, match=r"memory_limit allows.*slots") as caught:
            await mesh.chat("local:tiny", "hi")
    assert caught.value.code == "MemoryExceededError"

    monkeypatch.setattr(_loaded, "read_available_memory", lambda: 1000)
    async with Mesh.from_config({"connections": {"local": local}}) as mesh:
        with pytest.raises(ConfigurationError, match="are available"):
            await mesh.chat("local:tiny", "hi")


class _Malloc(ctypes.Structure):
    _fields_ = [("told", ctypes.c_size_t * 10)]


def _in_use() -> int:
    """Bytes that malloc gave out and that were not freed."""
    library = ctypes.CDLL(None)
    library.mallinfo2.restype = _Malloc
    told = library.mallinfo2().told
    return int(told[4] + told[7])


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="asks glibc"
)
@pytest.mark.parametrize("around", ["{}", "<|im_end|> {}"], ids=["plain", "with a control token's name"])
def test_words_that_were_read_are_not_kept(tiny_folder, around):
    prompts = PromptEncoder(
        read_tokenizer(tiny_folder), ChatTemplate("{% for m in messages %}{{ m.content }}{% endfor %}")
    )

    def read(first: int) -> int:
        # Each thread kept ten thousand words, and kept them when the tokenizer was gone.
        for number in range(first, first + 1500):
            prompts.encode_conversation([Turn("user", around.format(f"{number:06o}".translate(_LETTERS)))])
        return _in_use()

    read(0)
    before = _in_use()
    with ThreadPoolExecutor(1) as pool:
        after = pool.submit(read, 1500).result()

    assert after - before < 200_000


_LETTERS = str.maketrans("01234567", "abcdefgh")
