"""What only a GPU can show. On a machine that has one:

    pip install "jackfield-onnx[gpu,convert]" pytest pytest-asyncio hypothesis    # and no `onnxruntime` beside it
    pytest plugins/onnx/tests/gpu -s

Skipped where the build for the CPU is installed. With the GPU build and no usable GPU it fails, and says what is missing.
"""

import asyncio
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper
from onnx_graphs import write_genai_folder, write_optimum_folder

from jackfield_onnx._engine.engine import Engine, EngineSettings
from jackfield_onnx._engine.replies import GenerateRequest
from jackfield_onnx._files.convert import convert_gguf
from jackfield_onnx._files.folder import read_tokenizer
from jackfield_onnx._runtime import cuda as _cuda
from jackfield_onnx._runtime.session import SessionSettings, load_runtime

ON_CUDA = "cuda:0" if _cuda.is_available(load_runtime()) else None
needs_gpu = pytest.mark.skipif(ON_CUDA is None, reason="the build of ONNX Runtime for the CPU is installed")
PROMPTS = ["hi there", "a", "0123456789" * 3, "Grüße 🙂", "the quick brown fox", "zzz"]


def in_float16(source: Path, target: Path) -> Path:
    """Rewrite a graph of our converter with float16 in the place of float32: what a builder for CUDA would write."""
    graph = onnx.load(str(source))
    for constant in graph.graph.initializer:
        if constant.data_type == TensorProto.FLOAT:
            values = numpy_helper.to_array(constant).astype(np.float16)
            constant.CopyFrom(numpy_helper.from_array(values, constant.name))
    for value in [*graph.graph.input, *graph.graph.output, *graph.graph.value_info]:
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.elem_type = TensorProto.FLOAT16
    onnx.save_model(
        graph, str(target), save_as_external_data=True, location="model.onnx.data", size_threshold=1024
    )
    return target


@pytest.fixture(scope="module")
def folders(tiny, tiny_gguf, tiny_folder, tmp_path_factory):
    top = tmp_path_factory.mktemp("gpu")
    exact = top / "fp32"
    exact.mkdir()
    convert_gguf(tiny_gguf, exact, precision="fp32")
    half = write_genai_folder(top / "shared", tiny, exact)
    for name in ("model.onnx", "model.onnx.data"):
        (half / name).unlink()
    in_float16(exact / "model.onnx", half / "model.onnx")
    template = tiny.metadata()["tokenizer.chat_template"]
    return {
        "concat": write_optimum_folder(top / "concat", tiny, read_tokenizer(tiny_folder), template),
        "shared": half,
    }


async def answers(folder, device, *, slots=3, together=True, **more):
    engine = await Engine.load(
        folder, EngineSettings(session=SessionSettings(device=device, **more), slots=slots, max_context=96)
    )
    endless = dict.fromkeys(engine.description.end_token_ids, -1000.0)

    async def one(number, prompt):
        request = GenerateRequest(
            prompt=prompt,
            max_tokens=10 + 4 * number,
            temperature=0.0,
            repetition_penalty=1.0,
            logit_bias=endless,
        )
        async with engine.generate(request) as generation:
            return [token async for step in generation for token in step.tokens]

    try:
        assert engine.device == device
        if together:
            return await asyncio.gather(*(one(*asked) for asked in enumerate(PROMPTS)))
        return [await one(*asked) for asked in enumerate(PROMPTS)]
    finally:
        await engine.aclose()


def agreement(found, expected):
    """Say how many of the answers' tokens agree before they part."""
    same = total = 0
    for ours, theirs in zip(found, expected, strict=True):
        parted = next(
            (at for at, pair in enumerate(zip(ours, theirs, strict=True)) if pair[0] != pair[1]), len(ours)
        )
        same, total = same + parted, total + len(ours)
    return same / total


@pytest.mark.parametrize("maker", ["concat", "shared"])
async def test_the_folders_of_these_tests_work_on_the_cpu(folders, maker):
    """So that what fails beside this one is CUDA's."""
    assert await answers(folders[maker], "cpu") == await answers(folders[maker], "cpu", together=False)


@needs_gpu
@pytest.mark.parametrize("maker", ["concat", "shared"])
async def test_rows_that_come_and_go_agree_with_one_at_a_time_and_with_the_cpu(folders, maker):
    together = await answers(folders[maker], ON_CUDA)
    alone = await answers(folders[maker], ON_CUDA, together=False)
    on_cpu = await answers(folders[maker], "cpu", together=False)

    print(
        f"{maker}: with one at a time {agreement(together, alone):.2f}, with the CPU {agreement(together, on_cpu):.2f}"
    )
    # A random model's logits are close together, so rounding may part two answers late; a wrong row parts them at once.
    assert agreement(together, alone) > 0.9
    assert agreement(together, on_cpu) > 0.5


@needs_gpu
async def test_a_limit_of_memory_is_taken(folders):
    assert await answers(folders["concat"], ON_CUDA, memory_limit=512 << 20)


@needs_gpu
async def test_leaving_a_prompt_stops_the_run(folders):
    """Whether RunOptions.terminate stops a run on CUDA as fast as on the CPU was not known when this was written."""
    engine = await Engine.load(
        folders["concat"], EngineSettings(session=SessionSettings(device=ON_CUDA), slots=2)
    )
    async with engine.generate(GenerateRequest(prompt="x" * 100)):
        await asyncio.sleep(0.002)
        left = time.perf_counter()
    while engine.busy:
        await asyncio.sleep(0.001)
    print(f"left within {(time.perf_counter() - left) * 1000:.1f} ms")
    await engine.aclose()
