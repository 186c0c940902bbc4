"""Embedding models as their own files say, rerankers and summarization, on tiny graphs."""

import asyncio
import itertools
import math

import numpy as np
import onnx
import pytest
import tiny_graphs as tiny

from jackfield import InvalidRequestError, Mesh, UnsupportedError
from jackfield_onnx._engine.embedder import Embedder
from jackfield_onnx._engine.reranker import Reranker
from jackfield_onnx._engine.summarizer import Summarizer, read_summarizer_folder
from jackfield_onnx._engine.worker import WorkSettings
from jackfield_onnx._files.encoders import read_encoder_folder, read_reranker_folder
from jackfield_onnx._local_errors import (
    ContextOverflowError,
    DamagedModelError,
    QueueFullError,
    RequestError,
    TextTooLongError,
    UnsupportedModelError,
)
from jackfield_onnx._runtime.session import SessionSettings
from jackfield_onnx._text.beams import BeamSettings, search
from jackfield_onnx._text.sampling import log_softmax

CPU = SessionSettings(device="cpu", threads=1)
TABLE = tiny.table()
PLAIN = {"pooling_mode_mean_tokens": True}


def ids(text, *, markers=True):
    found = [tiny.WORDS.index(word) if word in tiny.WORDS else 1 for word in text.split()]
    return [2, *found, 3] if markers else found


def unit(vector):
    return vector / np.linalg.norm(vector)


async def embedded(folder, texts, **asked):
    embedder = await Embedder.load(folder, CPU)
    try:
        return await embedder.embed(texts, **asked)
    finally:
        await embedder.aclose()


WAYS = {
    "pooling_mode_cls_token": lambda rows: rows[0],
    "pooling_mode_lasttoken": lambda rows: rows[-1],
    "pooling_mode_max_tokens": lambda rows: rows.max(axis=0),
    "pooling_mode_mean_tokens": lambda rows: rows.mean(axis=0),
    "pooling_mode_mean_sqrt_len_tokens": lambda rows: rows.sum(axis=0) / math.sqrt(len(rows)),
    "pooling_mode_weightedmean_tokens": lambda rows: np.average(
        rows, axis=0, weights=range(1, len(rows) + 1)
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("normalised", [False, True])
async def test_vectors_are_pooled_as_the_model_says(tmp_path, way, normalised):
    modules = ("Transformer", "Pooling", *(("Normalize",) if normalised else ()))
    folder = tiny.write_encoder(tmp_path / "m", pooling={way: True}, modules=modules)

    found = await embedded(folder, ["one", "one two three", "four two"])

    for vector, text in zip(found.vectors, ["one", "one two three", "four two"], strict=True):
        wanted = WAYS[way](TABLE[ids(text)])
        np.testing.assert_allclose(vector, unit(wanted) if normalised else wanted, rtol=1e-5, atol=1e-6)
    assert found.seconds > 0


async def test_several_ways_of_pooling_stand_one_behind_another(tmp_path):
    both = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}
    found = await embedded(tiny.write_encoder(tmp_path / "m", pooling=both), ["one two"])

    rows = TABLE[ids("one two")]
    np.testing.assert_allclose(found.vectors[0], [*rows[0], *rows.mean(axis=0)], rtol=1e-5)


async def test_the_newer_way_of_naming_a_pooling_is_read(tmp_path):
    folder = tiny.write_encoder(tmp_path / "m", pooling={"pooling_mode": "lasttoken"})

    assert read_encoder_folder(folder).poolings == ("lasttoken",)


PROMPTS = {"prompts": {"query": "query: ", "passage": ""}, "default_prompt_name": None}


async def test_prompts_are_put_before_texts_by_what_they_are_for(tmp_path):
    folder = tiny.write_encoder(tmp_path / "m", config_sentence_transformers=PROMPTS)

    plain, query, document, written = [
        (await embedded(folder, [text], **asked)).vectors[0]
        for text, asked in [
            ("one", {}),
            ("one", {"input_type": "query"}),
            ("one", {"input_type": "document"}),
            ("query: one", {}),
        ]
    ]

    np.testing.assert_array_equal(query, written)
    np.testing.assert_array_equal(document, plain)
    assert not np.allclose(query, plain)
    with pytest.raises(RequestError, match="passage, query"):
        await embedded(folder, ["one"], input_type="clustering")


@pytest.mark.parametrize(("declared", "other"), [("query", "document"), ("passage", "query")])
async def test_where_only_queries_or_only_documents_have_a_prompt_the_others_go_in_bare(
    tmp_path, declared, other
):
    said = {"prompts": {declared: "query: ", "sts": None}, "default_prompt_name": declared}
    folder = tiny.write_encoder(tmp_path / "m", config_sentence_transformers=said)

    found = [await embedded(folder, ["one"], input_type=kind) for kind in ("query", "document")]

    bare = found[("query", "document").index(other)]
    assert [one.tokens for one in found if one is not bare] == [4]
    assert bare.tokens == 3
    with pytest.raises(RequestError, match="no prompt for 'similarity'"):
        await embedded(folder, ["one"], input_type="similarity")


@pytest.mark.parametrize("include", [True, False])
@pytest.mark.parametrize(
    ("truncate", "kept"), [("end", "one two three four"), ("start", "three four five six")]
)
async def test_a_prompt_is_kept_when_its_text_is_truncated(tmp_path, truncate, kept, include):
    folder = tiny.write_encoder(
        tmp_path / "m",
        config={"max_position_embeddings": 7},
        config_sentence_transformers=PROMPTS,
        pooling={**PLAIN, "include_prompt": include},
    )

    asked = {"input_type": "query", "truncate": truncate}
    cut = await embedded(folder, ["one two three four five six"], **asked)
    written = await embedded(folder, [kept], **asked)

    np.testing.assert_array_equal(cut.vectors, written.vectors)
    assert (cut.truncated, cut.tokens, written.truncated) == ((0,), 7, ())


async def test_a_prompt_that_leaves_no_room_is_an_error(tmp_path):
    said = {"prompts": {"query": "query: one two three "}}
    folder = tiny.write_encoder(
        tmp_path / "m", config={"max_position_embeddings": 5}, config_sentence_transformers=said
    )

    with pytest.raises(TextTooLongError, match="text 0 has 7 tokens"):
        await embedded(folder, ["one"], input_type="query", truncate="start")


@pytest.mark.parametrize("kind", ["INT32", "FLOAT", "BOOL"])
async def test_graphs_get_the_types_that_they_want(tmp_path, kind):
    expected = (await embedded(tiny.write_encoder(tmp_path / "m"), ["one two"])).vectors
    folder = tiny.write_encoder(tmp_path / "typed", integers=onnx.TensorProto.INT32)
    path = folder / "onnx" / "model.onnx"
    model = onnx.load(str(path))
    model.graph.input[1].type.tensor_type.elem_type = getattr(onnx.TensorProto, kind)
    onnx.save(model, str(path))

    np.testing.assert_array_equal((await embedded(folder, ["one two"])).vectors, expected)


async def test_a_graph_that_wants_another_type_says_which(tmp_path):
    folder = tiny.write_encoder(tmp_path / "m")
    path = folder / "onnx" / "model.onnx"
    model = onnx.load(str(path))
    model.graph.input[1].type.tensor_type.elem_type = onnx.TensorProto.INT16
    onnx.save(model, str(path))

    with pytest.raises(UnsupportedModelError, match=r"'attention_mask' is of type tensor\(int16\)"):
        await embedded(folder, ["one"])


@pytest.mark.parametrize("merged", [False, True])
async def test_a_summarizer_gets_the_integers_that_it_wants(tmp_path, merged):
    folder = tiny.write_summarizer(tmp_path / "m", merged=merged, integers=onnx.TensorProto.INT32)

    step, _ = await summary(folder, TEXT, max_tokens=9)

    assert list(step.tokens) == greedy(TEXT, 9)[0]


async def test_a_default_prompt_holds_and_may_be_left_out_of_pooling(tmp_path):
    said = {**PROMPTS, "default_prompt_name": "query"}
    folder = tiny.write_encoder(
        tmp_path / "m", config_sentence_transformers=said, pooling={**PLAIN, "include_prompt": False}
    )

    found = await embedded(folder, ["one two"])

    np.testing.assert_allclose(
        found.vectors[0], TABLE[[*ids("one two", markers=False), 3]].mean(axis=0), rtol=1e-5
    )
    assert found.tokens == 5


async def test_vectors_are_cut_only_to_lengths_that_are_documented(tmp_path):
    folder = tiny.write_encoder(
        tmp_path / "m", modules=("Transformer", "Pooling", "Normalize"), config={"matryoshka_dimensions": [4]}
    )

    whole = (await embedded(folder, ["one two"], dimensions=tiny.WIDTH)).vectors[0]
    four = (await embedded(folder, ["one two"], dimensions=4)).vectors[0]
    two = (await embedded(folder, ["one two"], dimensions=2, dimension_choices=[2])).vectors[0]

    np.testing.assert_allclose(four, unit(whole[:4]), rtol=1e-5)
    np.testing.assert_allclose(two, unit(whole[:2]), rtol=1e-5)
    with pytest.raises(RequestError, match="it supports 4, 8"):
        await embedded(folder, ["one"], dimensions=3)


async def test_a_text_may_be_cut_to_what_the_files_say(tmp_path):
    folder = tiny.write_encoder(
        tmp_path / "m", sentence_bert_config={"max_seq_length": 4, "do_lower_case": True}
    )

    found = await embedded(folder, ["ONE two three four"], truncate="end")

    np.testing.assert_allclose(found.vectors[0], TABLE[ids("one two")].mean(axis=0), rtol=1e-5)
    assert found.truncated == (0,)
    with pytest.raises(TextTooLongError):
        await embedded(folder, ["one two three"])


def test_limits_are_the_least_that_a_file_states(tmp_path):
    folder = tiny.write_encoder(
        tmp_path / "m",
        config={"model_type": "xlm-roberta", "max_position_embeddings": 514, "pad_token_id": 1},
        tokenizer_config={"model_max_length": 1e30},
    )

    found = read_encoder_folder(folder)

    assert (found.max_tokens, found.pad) == (512, 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"modules": ("Transformer", "Pooling", "Dense")}, "Dense"),
        ({"pooling": {"pooling_mode": "wild"}}, "wild"),
        ({"pooling": {"pooling_mode_mean_tokens": False}}, "pooling"),
    ],
)
def test_what_is_not_done_here_is_refused(tmp_path, changes, message):
    with pytest.raises(UnsupportedModelError, match=message):
        read_encoder_folder(tiny.write_encoder(tmp_path / "m", **changes))


def test_modules_lead_nowhere_else(tmp_path):
    folder = tiny.write_encoder(tmp_path / "m")
    tiny.write_json(folder / "modules.json", [{"type": "x.Pooling", "path": "../other"}])

    with pytest.raises(UnsupportedModelError, match="outside the folder"):
        read_encoder_folder(folder)


def test_a_broken_file_is_named_as_damage(tmp_path):
    folder = tiny.write_encoder(tmp_path / "m")
    (folder / "config.json").write_text("{", encoding="utf-8")

    with pytest.raises(DamagedModelError, match="cannot be read"):
        read_encoder_folder(folder)


async def ranked(folder, query, documents, **asked):
    reranker = await Reranker.load(folder, CPU)
    try:
        return await reranker.rank(query, documents, **asked)
    finally:
        await reranker.aclose()


def points(query, document):
    first = [2, *ids(query, markers=False), 3]
    return 0.01 * (sum(first) + 2 * (sum(ids(document, markers=False)) + 3))


DOCUMENTS = ["one", "four three", "two", "four", "one two three"]


@pytest.mark.parametrize(
    "activation", [None, "torch.nn.modules.linear.Identity", "torch.nn.modules.activation.Sigmoid"]
)
async def test_documents_are_ordered_by_score(tmp_path, activation):
    config = {} if activation is None else {"sentence_transformers": {"activation_fn": activation}}
    folder = tiny.write_reranker(tmp_path / "m", config=config)

    found = await ranked(folder, "one two", DOCUMENTS)

    wanted = [points("one two", document) for document in DOCUMENTS]
    if activation is None or "Sigmoid" in activation:
        wanted = [1 / (1 + math.exp(-logit)) for logit in wanted]
    assert [index for index, _ in found.ranked] == sorted(range(5), key=lambda at: -wanted[at])
    assert dict(found.ranked) == pytest.approx(dict(enumerate(wanted)), rel=1e-5)
    assert found.tokens == sum(5 + len(document.split()) for document in DOCUMENTS)


async def test_the_best_alone_and_documents_that_are_too_long(tmp_path):
    folder = tiny.write_reranker(tmp_path / "m")
    long = "one two three four four four four"

    assert len((await ranked(folder, "one", DOCUMENTS, top_n=2)).ranked) == 2
    with pytest.raises(TextTooLongError) as caught:
        await ranked(folder, "one", ["two", long])
    assert (caught.value.index, caught.value.tokens, caught.value.limit) == (1, 11, 10)
    cut = await ranked(folder, "one", ["two", long], truncate="end")
    assert cut.truncated == (1,)
    assert dict(cut.ranked)[1] == pytest.approx(1 / (1 + math.exp(-points("one", long.rsplit(" ", 1)[0]))))
    with pytest.raises(TextTooLongError):
        await ranked(folder, long + " one one", ["two"], truncate="end")


def test_a_classifier_is_no_reranker(tmp_path):
    with pytest.raises(UnsupportedModelError, match="3 classes"):
        read_reranker_folder(tiny.write_reranker(tmp_path / "m", labels=3))
    folder = tiny.write_reranker(
        tmp_path / "n", config={"sbert_ce_default_activation_function": "torch.nn.Softmax"}
    )
    with pytest.raises(UnsupportedModelError, match="Softmax"):
        read_reranker_folder(folder)


TEXT = "one two three four five"


def greedy(text, most):
    tokens = [2]
    while len(tokens) <= most:
        tokens.append(int(tiny.next_logits(ids(text), tokens).argmax()))
        if tokens[-1] == 3:
            return tokens[1:-1], True
    return tokens[1:], False


async def summary(folder, text=TEXT, **asked):
    summarizer = await Summarizer.load(folder, CPU)
    try:
        return await summarizer.summarize(text, **asked)
    finally:
        await summarizer.aclose()


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("text", [TEXT, "seven six", "three three four"])
async def test_the_likeliest_text_is_what_plain_numpy_says(tmp_path, merged, text):
    folder = tiny.write_summarizer(tmp_path / "m", merged=merged)

    step, usage = await summary(folder, text, max_tokens=9)

    tokens, ended = greedy(text, 9)
    assert list(step.tokens) == tokens
    assert step.finish == ("stop" if ended else "length")
    assert (usage.prompt_tokens, usage.generated_tokens) == (len(text.split()) + 2, len(tokens) + ended)


def best_of_all(text, most, penalty):
    """Try every text of so many tokens or fewer."""
    found = []
    vocabulary = range(len(tiny.WORDS))
    for length in range(1, most + 1):
        for tokens in itertools.product(vocabulary, repeat=length):
            if 3 in tokens[:-1] or (tokens[-1] != 3 and length < most):
                continue
            score = sum(
                float(log_softmax(tiny.next_logits(ids(text), [2, *tokens[:at]]))[token])
                for at, token in enumerate(tokens)
            )
            found.append((tokens[-1] == 3, score / length**penalty, tokens))
    return max(found)[2]


@pytest.mark.parametrize("merged", [False, True])
async def test_a_wide_enough_search_finds_the_best_text(tmp_path, merged):
    said = {"num_beams": 144, "length_penalty": 1.0}
    folder = tiny.write_summarizer(tmp_path / "m", merged=merged, generation=said)

    step, _ = await summary(folder, max_tokens=2)

    assert step.tokens == tuple(token for token in best_of_all(TEXT, 2, 1.0) if token != 3)


def test_a_search_keeps_to_what_the_model_forces():
    def step(tokens, rows):
        return np.tile(np.array([0.0, 1.0, 5.0, 4.0], np.float32), (len(tokens), 1))  # 2 is likeliest, 3 ends

    assert search(step, 0, (3,), 4, BeamSettings()) == ((2, 2, 2, 2), False)
    assert search(step, 0, (3,), 4, BeamSettings(no_repeat=2)) == ((2, 2), True)
    assert search(step, 0, (3,), 3, BeamSettings(forced_first=1, forced_last=3)) == ((1, 2), True)
    assert search(step, 0, (3,), 4, BeamSettings(no_repeat=1, least_tokens=2)) == ((2, 1), True)
    assert search(step, 0, (3,), 6, BeamSettings(beams=2, early_stopping=True, length_penalty=-2.0))[1]


def test_the_models_own_lengths_and_prefix_are_read(tmp_path):
    task = {
        "task_specific_params": {"summarization": {"prefix": "two ", "max_length": 142, "min_length": 56}}
    }
    found = read_summarizer_folder(tiny.write_summarizer(tmp_path / "m", config=task))

    assert (found.prefix, found.max_tokens, found.search.least_tokens, found.max_input) == (
        "two ",
        141,
        55,
        12,
    )


async def test_a_text_that_is_too_long_to_sum_up_is_refused(tmp_path):
    with pytest.raises(ContextOverflowError, match="14 tokens"):
        await summary(tiny.write_summarizer(tmp_path / "m"), "one " * 12)


def test_a_folder_of_another_kind_is_refused(tmp_path):
    with pytest.raises(UnsupportedModelError, match="not a sequence-to-sequence"):
        read_summarizer_folder(tiny.write_encoder(tmp_path / "m"))
    folder = tiny.write_summarizer(tmp_path / "n")
    (folder / "decoder_with_past_model.onnx").unlink()
    with pytest.raises(DamagedModelError, match="decoder_with_past"):
        read_summarizer_folder(folder)


async def test_a_full_queue_refuses(tmp_path):
    reranker = await Reranker.load(
        tiny.write_reranker(tmp_path / "m"), CPU, settings=WorkSettings(max_queue=0)
    )
    results = await asyncio.gather(
        *(reranker.rank("one", DOCUMENTS) for _ in range(4)), return_exceptions=True
    )
    await reranker.aclose()

    assert not isinstance(results[0], Exception)
    assert isinstance(results[-1], QueueFullError)


@pytest.fixture
async def mesh(tmp_path):
    models = [
        {
            "id": "embed", "kind": "embedding", "dimension_choices": [2],
            "folder": str(tiny.write_encoder(tmp_path / "e", config_sentence_transformers=PROMPTS)),
        },
        {"id": "rank", "kind": "rerank", "folder": str(tiny.write_reranker(tmp_path / "r"))},
        {"id": "sum", "kind": "summarization", "folder": str(tiny.write_summarizer(tmp_path / "s"))},
    ]  # fmt: skip
    local = {
        "provider": "onnx", "models": models, "threads": 1, "device": "cpu", "cache_dir": str(tmp_path / "c"),
        "rate": {"hour": "3.60", "currency": "EUR"}, "retry": {"attempts": 1},
    }  # fmt: skip
    async with Mesh.from_config({"connections": {"local": local}}) as mesh:
        yield mesh


async def test_a_program_sees_embeddings_ranks_and_summaries(mesh):
    found = await mesh.embed("local:embed", ["one", "two"], input_type="query", dimensions=2)
    ranks = await mesh.rerank("local:rank", "one", DOCUMENTS, top_n=3)
    short = await mesh.summarize("local:sum", TEXT, max_tokens=4)

    assert found.embeddings[0].shape == (2,)
    assert [one.index for one in ranks.results] == [4, 1, 3]
    assert short.text != ""
    for reply in (found, ranks, short):
        seconds = reply.usage.units["second"]
        assert seconds > 0
        # 3.60 an hour is a thousandth a second.
        assert reply.cost.amount == pytest.approx(seconds / 1000)
        assert reply.cost.currency == "EUR"


async def test_options_that_have_no_meaning_are_refused(mesh):
    with pytest.raises(UnsupportedError, match="most probable text"):
        await mesh.summarize("local:sum", TEXT, temperature=0.5)
    with pytest.raises(InvalidRequestError, match="no such parameter"):
        await mesh.rerank("local:rank", "one", DOCUMENTS, extra={"onnx": {"speed": 1}})
    dropped = await mesh.summarize("local:sum", TEXT, temperature=0.5, max_tokens=2, unsupported="drop")
    assert dropped.parameters["temperature"].fate == "dropped"


async def test_without_a_rate_the_cost_is_unknown(tmp_path):
    folder = str(tiny.write_reranker(tmp_path / "r"))
    local = {
        "provider": "onnx",
        "models": [{"id": "rank", "kind": "rerank", "folder": folder}],
        "device": "cpu",
    }
    async with Mesh.from_config({"connections": {"local": local}}) as mesh:
        reply = await mesh.rerank("local:rank", "one", DOCUMENTS)

    assert (reply.cost.amount, reply.cost.status) == (None, "unknown")
