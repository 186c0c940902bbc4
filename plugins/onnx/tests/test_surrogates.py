"""Halves of surrogate pairs in what programs send: U+FFFD, as other providers get it, wherever they stand."""

import pytest
import tiny_graphs
from chains import connection, words_tokenizer, write_chain

from jackfield import Mesh, Tool
from jackfield_onnx._text.surrogates import mend_text


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("a", "a"),
        ("é🙂", "é🙂"),
        ("a \ud83d", "a \ufffd"),
        ("\ude42 a", "\ufffd a"),
        ("\ud83d\ude42", "🙂"),
        ("\ud83d🙂\ud83d\ud83d\ude42", "\ufffd🙂\ufffd🙂"),
    ],
)
def test_halves_are_joined_or_replaced(text, mended):
    assert mend_text(text) == mended


async def test_every_kind_of_text_is_read(tmp_path):
    half = "one \ud83d"
    template = "{{ tools | tojson if tools }}{{ messages[-1].content }} <tool_call>"
    chain = write_chain(tmp_path, words_tokenizer("one"), {}, template=template)
    folders = {
        "embedding": tiny_graphs.write_encoder(tmp_path / "e"),
        "summarization": tiny_graphs.write_summarizer(tmp_path / "s"),
    }
    (tmp_path / "r").mkdir()
    folders["rerank"] = tiny_graphs.write_reranker(tmp_path / "r")
    config = connection(chain)
    config["connections"]["l"]["models"] += [
        {"id": kind, "folder": str(folder), "kind": kind} for kind, folder in folders.items()
    ]

    async with Mesh.from_config(config) as mesh:
        tool = Tool("f", half)
        assert (await mesh.chat("l:m", half, tools=[tool], max_tokens=1)).complete
        assert (await mesh.complete("l:m", half, max_tokens=1)).complete
        assert (await mesh.count_tokens("l:m", half)).input_tokens == 3
        assert (await mesh.embed("l:embedding", [half])).usage.input_tokens == 4
        assert (await mesh.rerank("l:rerank", half, [half])).results
        assert (await mesh.summarize("l:summarization", half, max_tokens=2)).complete
