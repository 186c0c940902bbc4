"""A tiny random model, exported by optimum and run by the engine. Needs the extra [export]: `nox -s export`."""

import asyncio
from pathlib import Path

import pytest

torch = pytest.importorskip(
    "torch", reason='needs the extra [export], which brings torch: run "nox -s export"'
)
pytest.importorskip("optimum.exporters.onnx", reason='needs the extra [export]: run "nox -s export"')

from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM  # noqa: E402

from jackfield_onnx._engine.concat_decoder import ConcatDecoder  # noqa: E402
from jackfield_onnx._engine.engine import Engine, EngineSettings  # noqa: E402
from jackfield_onnx._engine.replies import GenerateRequest  # noqa: E402
from jackfield_onnx._files.export import export_folder  # noqa: E402
from jackfield_onnx._files.folder import read_tokenizer  # noqa: E402
from jackfield_onnx._runtime.session import SessionSettings  # noqa: E402

SIZES = {
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 128, "eos_token_id": 2, "bos_token_id": 1,
}  # fmt: skip
PROMPTS = ["hi there", "a", "Grüße 🙂 und mehr davon", "0123456789" * 4]
MODELS = {"llama": (LlamaConfig, LlamaForCausalLM), "qwen2": (Qwen2Config, Qwen2ForCausalLM)}


@pytest.fixture(scope="module", params=MODELS)
def exported(request, tiny, tiny_folder, tmp_path_factory):
    """A model of transformers, and the folder that optimum made of it."""
    top = tmp_path_factory.mktemp(request.param)
    torch.manual_seed(5)
    config, make = MODELS[request.param]
    model = make(config(vocab_size=len(tiny.vocabulary()), **SIZES)).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" not in name:
                weight.normal_(0, 0.3 if "embed" in name else weight.shape[-1] ** -0.5)
    model.save_pretrained(top / "hf")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=read_tokenizer(tiny_folder), eos_token="<|im_end|>")
    tokenizer.save_pretrained(top / "hf")
    export_folder(top / "hf", top / "onnx")
    return model, top / "onnx"


async def greedy(engine, prompt, length):
    request = GenerateRequest(prompt=prompt, max_tokens=length, temperature=0.0, repetition_penalty=1.0)
    async with engine.generate(request) as generation:
        return [token async for step in generation for token in step.tokens]


def test_the_engine_says_what_transformers_says(exported):
    model, folder = exported
    settings = EngineSettings(session=SessionSettings(device="cpu"), slots=3)

    async def ask():
        engine = await Engine.load(Path(folder), settings)
        assert isinstance(engine._scheduler._decoder, ConcatDecoder)
        assert engine._scheduler._decoder.slots == 3
        prompts = [engine._prompts.encode_text(prompt) for prompt in PROMPTS]
        found = await asyncio.gather(*(greedy(engine, prompt, 24) for prompt in PROMPTS))
        await engine.aclose()
        return prompts, found

    prompts, found = asyncio.run(ask())

    for ids, tokens in zip(prompts, found, strict=True):
        made = model.generate(
            torch.tensor([ids]), max_new_tokens=24, do_sample=False, eos_token_id=[2], pad_token_id=0
        )
        assert tokens == made[0, len(ids) :].tolist()
