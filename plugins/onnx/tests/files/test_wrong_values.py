"""Whatever stands in the files of a model's folder: it works, or the error says what is wrong with the model."""

import asyncio
import itertools
import json

import pytest
import tiny_graphs as tiny
from chains import PLAIN, words_tokenizer, write_chain
from hypothesis import given, settings, strategies as st
from onnx_graphs import write_genai_folder

from jackfield import ConfigurationError, InvalidRequestError, JackfieldError, Mesh

WRONG = (
    None, "x", "", "%s", -1, 0, 1.5, [], {}, [[]], [None], True, 10**30, float("nan"), {"a": 1}, ["x"], [1, 2],
)  # fmt: skip
GENERATION = {
    "do_sample": True, "temperature": 0.5, "top_p": 0.9, "top_k": 5, "min_p": 0.1, "repetition_penalty": 1.1,
    "eos_token_id": [2],
}  # fmt: skip
SUMMARIES = {
    "num_beams": 2, "length_penalty": 1.0, "max_length": 30, "min_length": 1, "no_repeat_ngram_size": 2,
    "forced_bos_token_id": None, "forced_eos_token_id": None, "early_stopping": True,
}  # fmt: skip


def _decoder(folder):
    templates = [{"name": "default", "template": PLAIN}, {"name": "tool_use", "template": PLAIN}]
    tokens = {"bos_token": "<s>", "eos_token": {"content": "</s>"}, "chat_template": templates}
    files = {"generation_config": GENERATION, "tokenizer_config": tokens}
    folder.mkdir()
    return write_chain(folder, words_tokenizer("a"), {}, template=None, **files)


def _encoder(folder):
    return tiny.write_encoder(
        folder,
        config={"matryoshka_dimensions": [4]},
        modules=("Transformer", "Pooling", "Normalize"),
        config_sentence_transformers={"prompts": {"query": "query: "}, "default_prompt_name": None},
        sentence_bert_config={"max_seq_length": 10, "do_lower_case": False},
        tokenizer_config={"model_max_length": 12},
    )


def _summarizer(folder):
    task = {"task_specific_params": {"summarization": {"prefix": "one "}}}
    return tiny.write_summarizer(folder, config=task, generation=SUMMARIES)


def _reranker(folder):
    folder.mkdir()
    return tiny.write_reranker(folder)


FOLDERS = {
    "chat": _decoder,
    "embedding": _encoder,
    "rerank": _reranker,
    "summarization": _summarizer,
}


@pytest.fixture(scope="module")
def genai(tiny, tiny_folder, tmp_path_factory):
    return write_genai_folder(tmp_path_factory.mktemp("genai"), tiny, tiny_folder)


@pytest.fixture(scope="module")
def folders(genai, tiny_folder, tmp_path_factory):
    """Make a folder of each kind, with the places in its JSON files."""
    made = {kind: write(tmp_path_factory.mktemp(kind) / "our-model") for kind, write in FOLDERS.items()}
    own = tmp_path_factory.mktemp("own")
    for path in tiny_folder.iterdir():
        (own / path.name).write_bytes(path.read_bytes())
    made |= {"genai": genai, "own": own}
    return {kind: (folder, list(_find_places(folder))) for kind, folder in made.items()}


def _find_places(folder):
    for file in sorted(folder.rglob("*.json")):
        if file.name != "tokenizer.json":
            yield from ((file, path) for path in _walk(json.loads(file.read_text("utf-8"))))


def _walk(value, path=()):
    yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from _walk(value[key], (*path, key))


def _put(value, path, new):
    if not path:
        return new
    at = value
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = new
    return value


async def _ask(kind, folder):
    kind = {"genai": "chat", "own": "chat"}.get(kind, kind)
    entry = {"id": "m", "folder": str(folder), "kind": kind}
    local = {"provider": "onnx", "device": "cpu", "threads": 1, "models": [entry], "retry": {"attempts": 1}}
    async with Mesh.from_config({"connections": {"l": local}}) as mesh:
        if kind == "chat":
            await mesh.chat("l:m", "a", max_tokens=2)
        elif kind == "embedding":
            await mesh.embed("l:m", ["one"], input_type="query")
        elif kind == "rerank":
            await mesh.rerank("l:m", "one", ["two"])
        else:
            await mesh.summarize("l:m", "one two", max_tokens=3)


async def _find_fault(kind, folder):
    try:
        await _ask(kind, folder)
    except JackfieldError as error:
        return error


@pytest.mark.parametrize("kind", [*FOLDERS, "genai", "own"])
@settings(max_examples=80)
@given(data=st.data())
def test_a_value_of_another_type_is_named_or_does_not_matter(kind, folders, data):
    folder, places = folders[kind]
    file, path = data.draw(st.sampled_from(places))
    new = data.draw(st.sampled_from(WRONG))
    before = file.read_text("utf-8")
    file.write_text(json.dumps(_put(json.loads(before), path, new)), encoding="utf-8")
    try:
        fault = asyncio.run(_find_fault(kind, folder))
    finally:
        file.write_text(before, encoding="utf-8")

    # Values that are possible but not allowed are told with the call that meets them.
    assert fault is None or isinstance(fault, ConfigurationError | InvalidRequestError)
    assert not isinstance(fault, ConfigurationError) or folder.name in str(fault)


@pytest.mark.parametrize(
    ("kind", "file", "key", "value", "message"),
    [
        ("chat", "config.json", "num_hidden_layers", "two", "layers is 'two', not an integer of 1 or more"),
        ("chat", "config.json", "vocab_size", 7, "logits of 4 tokens, and its configuration says 7"),
        ("chat", "generation_config.json", "temperature", "hot", "temperature is 'hot', not a number"),
        ("embedding", "config.json", "pad_token_id", "[PAD]", r"pad is '\[PAD\]'"),
        ("summarization", "generation_config.json", "num_beams", -2, "beams is -2"),
    ],
)
def test_the_message_names_the_value(folders, kind, file, key, value, message):
    path = folders[kind][0] / file
    before = path.read_text("utf-8")
    path.write_text(json.dumps({**json.loads(before), key: value}), encoding="utf-8")
    try:
        with pytest.raises(ConfigurationError, match=message):
            asyncio.run(_ask(kind, folders[kind][0]))
    finally:
        path.write_text(before, encoding="utf-8")


@pytest.mark.parametrize("kind", [*FOLDERS, "genai", "own"])
def test_files_with_a_mark_are_read_and_files_nested_without_end_are_named(kind, folders):
    folder, places = folders[kind]
    files = list(dict.fromkeys(file for file, _ in places))
    for file in [*files, folder / "tokenizer.json"]:
        before = file.read_bytes()
        file.write_bytes(b"\xef\xbb\xbf" + before)
        asyncio.run(_ask(kind, folder))
        for deep in (b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000):
            file.write_bytes(deep)
            with pytest.raises(ConfigurationError, match="our-model|genai|own"):
                asyncio.run(_ask(kind, folder))
        file.write_bytes(before)


def test_values_that_files_give_as_null_are_the_defaults(folders):
    folder, _ = folders["chat"]
    path = folder / "generation_config.json"
    before = path.read_text("utf-8")
    for name, value in itertools.product(
        ("temperature", "repetition_penalty", "top_p", "top_k", "min_p"), (None,)
    ):
        path.write_text(json.dumps({**json.loads(before), name: value}), encoding="utf-8")
        asyncio.run(_ask("chat", folder))
    path.write_text(before, encoding="utf-8")
