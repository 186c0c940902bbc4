"""Encoders, cross-encoders and sequence-to-sequence models, exported by optimum: what transformers says, we say.

Tiny random models; needs the extra [export]: `nox -s export`.
"""

import asyncio
import json

import numpy as np
import pytest

torch = pytest.importorskip(
    "torch", reason='needs the extra [export], which brings torch: run "nox -s export"'
)
pytest.importorskip("optimum.exporters.onnx", reason='needs the extra [export]: run "nox -s export"')

from tokenizers import processors  # noqa: E402
from transformers import (  # noqa: E402
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from jackfield_onnx._engine.embedder import Embedder  # noqa: E402
from jackfield_onnx._engine.reranker import Reranker  # noqa: E402
from jackfield_onnx._engine.summarizer import Summarizer  # noqa: E402
from jackfield_onnx._files.export import export_folder  # noqa: E402
from jackfield_onnx._files.folder import read_tokenizer  # noqa: E402
from jackfield_onnx._runtime.session import SessionSettings  # noqa: E402

CPU = SessionSettings(device="cpu", threads=1)
TEXTS = ["hi there", "a", "Grüße und mehr davon", "0123456789" * 4]
BERT = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
BART = {
    "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "max_position_embeddings": 128,
    "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "decoder_start_token_id": 2, "forced_eos_token_id": 2,
    "forced_bos_token_id": None,
}  # fmt: skip
T5 = {
    "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4, "eos_token_id": 2, "pad_token_id": 0,
    "decoder_start_token_id": 0, "n_positions": 128,
}  # fmt: skip


def tokenizer(tiny_folder):
    found = read_tokenizer(tiny_folder)
    found.post_processor = processors.TemplateProcessing(
        single="<|im_start|> $A <|im_end|>",
        pair="<|im_start|>:0 $A:0 <|im_end|>:0 $B:1 <|im_end|>:1",
        special_tokens=[("<|im_start|>", 1), ("<|im_end|>", 2)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=found, pad_token="<|endoftext|>", eos_token="<|im_end|>", model_max_length=128
    )


def export(model, words, top, task):
    torch.manual_seed(5)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" not in name.lower():
                weight.normal_(0, 0.3)
    model.eval().save_pretrained(top / "hf")
    words.save_pretrained(top / "hf")
    export_folder(top / "hf", top / "onnx", task=task)
    return top / "onnx"


def test_an_encoder(tiny, tiny_folder, tmp_path):
    words = tokenizer(tiny_folder)
    model = BertModel(BertConfig(vocab_size=len(tiny.vocabulary()), **BERT))
    folder = export(model, words, tmp_path, "feature-extraction")

    async def ask():
        embedder = await Embedder.load(folder, CPU)
        try:
            return await embedder.embed(TEXTS)
        finally:
            await embedder.aclose()

    found = asyncio.run(ask()).vectors

    given = words(TEXTS, return_tensors="pt", padding=True, return_token_type_ids=True)
    with torch.no_grad():
        hidden = model(**given).last_hidden_state
    mask = given["attention_mask"][..., None]
    np.testing.assert_allclose(found, ((hidden * mask).sum(1) / mask.sum(1)).numpy(), atol=1e-4)


def test_a_cross_encoder(tiny, tiny_folder, tmp_path):
    words = tokenizer(tiny_folder)
    model = BertForSequenceClassification(BertConfig(vocab_size=len(tiny.vocabulary()), num_labels=1, **BERT))
    folder = export(model, words, tmp_path, "text-classification")

    async def ask():
        reranker = await Reranker.load(folder, CPU)
        try:
            return await reranker.rank("hi", TEXTS)
        finally:
            await reranker.aclose()

    found = dict(asyncio.run(ask()).ranked)

    given = words(["hi"] * len(TEXTS), TEXTS, return_tensors="pt", padding=True, return_token_type_ids=True)
    with torch.no_grad():
        wanted = torch.sigmoid(model(**given).logits[:, 0]).numpy()
    np.testing.assert_allclose([found[at] for at in range(len(TEXTS))], wanted, atol=1e-4)


@pytest.mark.parametrize("beams", [1, 4])
@pytest.mark.parametrize("kind", ["bart", "t5"])
def test_a_sequence_to_sequence_model(tiny, tiny_folder, tmp_path, kind, beams):
    words = tokenizer(tiny_folder)
    size = len(tiny.vocabulary())
    if kind == "bart":
        model = BartForConditionalGeneration(BartConfig(vocab_size=size, **BART))
    else:
        model = T5ForConditionalGeneration(T5Config(vocab_size=size, **T5))
    asked = {"num_beams": beams, "max_length": 21, "no_repeat_ngram_size": 3, "min_length": 5}
    if beams > 1:
        asked |= {"length_penalty": 1.5, "early_stopping": True}
    model.generation_config.update(**asked)
    folder = export(model, words, tmp_path, "text2text-generation-with-past")
    assert json.loads((folder / "generation_config.json").read_text())["no_repeat_ngram_size"] == 3

    async def ask():
        summarizer = await Summarizer.load(folder, CPU)
        try:
            return [await summarizer.summarize(text, max_tokens=20) for text in TEXTS]
        finally:
            await summarizer.aclose()

    for text, (step, usage) in zip(TEXTS, asyncio.run(ask()), strict=True):
        given = words(text, return_tensors="pt")
        made = model.generate(input_ids=given["input_ids"], attention_mask=given["attention_mask"])[
            0
        ].tolist()
        wanted = made[1:]
        wanted = wanted[: wanted.index(2)] if 2 in wanted else wanted
        assert list(step.tokens) == wanted, text
        assert usage.prompt_tokens == given["input_ids"].shape[1]
