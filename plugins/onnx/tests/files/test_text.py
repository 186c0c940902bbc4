"""Files of a model's folder as editors and exporters write them: with marks, in other encodings, without end."""

import pytest
from chains import connection, words_tokenizer, write_chain

from jackfield import JackfieldError, Mesh
from jackfield_onnx._files.layouts import read_decoder_folder
from jackfield_onnx._local_errors import DamagedModelError

MARK = b"\xef\xbb\xbf"
FILES = (
    "config.json",
    "tokenizer_config.json",
    "generation_config.json",
    "tokenizer.json",
    "chat_template.jinja",
)


@pytest.fixture
def folder(tmp_path):
    tokenizer = words_tokenizer("user", "hi", "there")
    follows = {tokenizer.token_to_id("hi"): tokenizer.token_to_id("there")}
    return write_chain(tmp_path / "m", tokenizer, follows, generation_config={"do_sample": False})


async def test_a_byte_order_mark_before_any_file_is_passed_over(folder):
    for name in FILES:
        (folder / name).write_bytes(MARK + (folder / name).read_bytes().replace(b"\n", b"\r\n"))
    async with Mesh.from_config(connection(folder)) as mesh:
        assert (await mesh.chat("l:m", "hi", max_tokens=3)).text == "there"


@pytest.mark.parametrize("name", FILES)
async def test_a_file_that_is_no_text_is_named(folder, name):
    (folder / name).write_bytes(b"\xff\xfe{\0\xe9")
    async with Mesh.from_config(connection(folder)) as mesh:
        with pytest.raises(JackfieldError, match=name.replace(".", r"\.")):
            await mesh.chat("l:m", "hi", max_tokens=3)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "generation_config.json"])
def test_a_file_that_is_nested_without_end_is_named(folder, name):
    (folder / name).write_bytes(b'{"a":' * 100_000)
    with pytest.raises(DamagedModelError, match=name.replace(".", r"\.")):
        read_decoder_folder(folder)
