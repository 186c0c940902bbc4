import asyncio
import threading
import time

import attrs
import pytest
from waiting import until, wait_until

from jackfield_onnx._engine.engine import Engine, EngineSettings
from jackfield_onnx._engine.replies import GenerateRequest
from jackfield_onnx._local_errors import (
    ContextOverflowError,
    DamagedModelError,
    DeviceUnavailableError,
    EngineClosedError,
    GenerationError,
    QueueFullError,
    RequestError,
)
from jackfield_onnx._runtime.session import SessionSettings
from jackfield_onnx._text.template import Turn

ONE_THREAD = EngineSettings(session=SessionSettings(threads=1))


async def collect(engine, prompt="x", **options):
    async with engine.generate(GenerateRequest(prompt=prompt, **options)) as generation:
        steps = [step async for step in generation]
    return steps, generation.usage


def text_of(steps):
    return "".join(step.text for step in steps)


async def test_an_answer_comes_in_steps_and_ends_with_stop(scripted):
    steps, usage = await collect(scripted("Grüße 🙂!"), "abc")

    assert text_of(steps) == "Grüße 🙂!"
    assert all(step.text for step in steps[:-1])
    assert [step.finish for step in steps] == [None] * (len(steps) - 1) + ["stop"]
    assert steps[-1].tokens[-1] == 2
    assert usage.prompt_tokens == 3
    assert usage.generated_tokens == sum(len(step.tokens) for step in steps)
    assert 0 < usage.prompt_seconds <= usage.seconds


async def test_max_tokens_ends_with_length(scripted):
    steps, usage = await collect(scripted("abcdef"), max_tokens=3)

    assert text_of(steps) == "abc"
    assert steps[-1].finish == "length"
    assert usage.generated_tokens == 3


async def test_a_character_cut_by_max_tokens_is_marked_and_not_lost(scripted):
    steps, _ = await collect(scripted("a🙂"), max_tokens=3)

    assert text_of(steps)[0] == "a"
    assert set(text_of(steps)[1:]) == {"�"}


async def test_without_max_tokens_the_context_is_the_limit(scripted):
    engine = scripted("ab", ends=False)

    steps, usage = await collect(engine, "abcd")

    assert steps[-1].finish == "length"
    assert usage.prompt_tokens + usage.generated_tokens == engine.context


async def test_a_stop_string_ends_the_answer_across_tokens(scripted):
    steps, usage = await collect(scripted("one\nUser: two"), stop=("\nUser:",))

    assert text_of(steps) == "one"
    assert steps[-1].finish == "stop"
    assert usage.generated_tokens == len("one\nUser:")


async def test_what_was_held_back_is_shown_when_the_answer_ends(scripted):
    steps, _ = await collect(scripted("one\nUse"), stop=("\nUser:",))

    assert text_of(steps) == "one\nUse"


async def test_logprobs_have_one_entry_a_token(scripted):
    steps, _ = await collect(scripted("ü!"), top_logprobs=1)

    assert [len(step.logprobs) for step in steps] == [len(step.tokens) for step in steps]
    first = steps[0].logprobs[0]
    assert first.logprob == pytest.approx(0, abs=1e-5)
    assert first.top[0].token == first.token
    assert [detail.text for step in steps for detail in step.logprobs] == ["�", "�", "!", "<|im_end|>"]


async def test_logprobs_are_absent_unless_asked_for(scripted):
    steps, _ = await collect(scripted("a"))

    assert {step.logprobs for step in steps} == {None}


async def test_a_conversation_goes_through_the_template(scripted):
    engine = scripted("a")
    turns = (Turn("user", "hi"),)

    _, usage = await collect(engine, turns)

    assert usage.prompt_tokens == await engine.count_tokens(turns)
    assert usage.prompt_tokens == await engine.count_tokens(
        "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    )


async def test_an_overflow_is_told_before_anything_runs(scripted):
    engine = scripted("a")

    with pytest.raises(ContextOverflowError) as caught:
        await collect(engine, "x" * 130)
    assert (caught.value.prompt_tokens, caught.value.limit) == (130, 128)
    with pytest.raises(ContextOverflowError) as caught:
        await collect(engine, "x" * 100, max_tokens=29)
    assert caught.value.max_tokens == 29
    assert engine.decoder.calls == 0
    await collect(engine, "x" * 100, max_tokens=28)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"max_tokens": 0}, "max_tokens"),
        ({"stop": ("",)}, "stop"),
        ({"prompt": ""}, "empty"),
        ({"logit_bias": {9999: 1.0}}, "logit_bias"),
        ({"temperature": -1.0}, "temperature"),
        ({"prompt": (Turn("tool", "x"),)}, "unknown role"),
    ],
)
async def test_a_bad_request_is_refused_with_a_reason(scripted, options, word):
    with pytest.raises(RequestError, match=word):
        await collect(scripted("a"), **options)


async def test_cancelling_takes_effect_within_one_step(scripted):
    engine = scripted("ab", delay=0.03, ends=False)

    async with engine.generate(GenerateRequest(prompt="x")) as generation:
        async for _ in generation:
            break
    calls = engine.decoder.calls
    await asyncio.sleep(0.1)

    # One step may have been under way.
    assert engine.decoder.calls <= calls + 1
    assert generation.usage.generated_tokens >= 1
    assert [step async for step in generation] == []


async def test_a_cancelled_task_stops_the_model(scripted):
    engine = scripted("ab", delay=0.02, ends=False)
    task = asyncio.create_task(collect(engine))
    await until(lambda: engine.decoder.calls >= 3)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    calls = engine.decoder.calls
    await asyncio.sleep(0.1)

    assert engine.decoder.calls <= calls + 1


async def test_a_cancelled_prompt_lets_the_next_request_in_at_once(scripted):
    engine = scripted("ab")
    engine.decoder.delay = 30.0
    async with engine.generate(GenerateRequest(prompt="x")):
        await until(lambda: engine.decoder.calls >= 1)
    engine.decoder.delay = 0.0

    steps, _ = await asyncio.wait_for(collect(engine), 20)  # the first would take thirty seconds

    assert text_of(steps) == "ab"


async def test_cancelling_a_waiting_request_gives_its_place_free(scripted):
    engine = scripted("a", delay=30.0, max_queue=1)
    async with engine.generate(GenerateRequest(prompt="x")):
        await until(lambda: engine.decoder.calls >= 1)
        async with engine.generate(GenerateRequest(prompt="y")):
            with pytest.raises(QueueFullError, match="max_queue"):
                await engine.generate(GenerateRequest(prompt="z")).__aenter__()
        async with engine.generate(GenerateRequest(prompt="z")):
            pass


async def test_requests_are_served_in_their_order(scripted):
    engine = scripted("abc", delay=0.002)
    ended = []

    async def ask(number):
        await collect(engine)
        ended.append(number)

    tasks = []
    for number in range(4):
        tasks.append(asyncio.create_task(ask(number)))
        await asyncio.sleep(0.01)
    await asyncio.gather(*tasks)

    assert ended == [0, 1, 2, 3]
    assert len(engine.decoder.threads) == 1
    assert threading.get_ident() not in engine.decoder.threads


async def test_a_failure_of_the_runtime_is_told_and_the_engine_lives_on(scripted):
    engine = scripted("ab")
    engine.decoder.failure = RuntimeError("out of memory")

    with pytest.raises(GenerationError, match="out of memory") as caught:
        await collect(engine)
    assert isinstance(caught.value.__cause__, RuntimeError)
    engine.decoder.failure = None
    steps, _ = await collect(engine)

    assert text_of(steps) == "ab"


async def test_closing_ends_every_answer_and_the_thread(scripted):
    engine = scripted("ab", delay=0.05, ends=False)
    running, waiting = asyncio.create_task(collect(engine)), asyncio.create_task(collect(engine))
    await until(lambda: engine.decoder.calls >= 2)

    await engine.aclose()
    await engine.aclose()

    for task in (running, waiting):
        with pytest.raises(EngineClosedError):
            await task
    assert engine.decoder.released
    assert not engine._scheduler._thread.is_alive()
    with pytest.raises(EngineClosedError):
        await collect(engine)


def test_two_event_loops_in_turn_work(scripted):
    engine = scripted("ab")

    first, _ = asyncio.run(collect(engine))
    second, _ = asyncio.run(collect(engine))

    assert text_of(first) == text_of(second) == "ab"


def test_a_loop_that_was_closed_stops_its_answer(scripted):
    engine = scripted("ab", delay=0.02, ends=False)

    async def begin():
        await engine.generate(GenerateRequest(prompt="x")).__aenter__()

    asyncio.run(begin())
    wait_until(lambda: not engine.busy)
    calls = engine.decoder.calls
    time.sleep(0.1)

    assert engine.decoder.calls == calls


async def test_iterating_without_entering_is_a_mistake_that_says_so(scripted):
    with pytest.raises(RuntimeError, match="async with"):
        await anext(scripted("a").generate(GenerateRequest(prompt="x")))


@pytest.fixture
async def tiny_engine(tiny_folder):
    engine = await Engine.load(tiny_folder, ONE_THREAD)
    yield engine
    await engine.aclose()


async def test_a_seed_repeats_an_answer(tiny_engine):
    options = {"temperature": 1.0, "max_tokens": 40, "logit_bias": {0: -99.0, 2: -99.0}}

    first, usage = await collect(tiny_engine, seed=5, **options)
    again, _ = await collect(tiny_engine, seed=5, **options)
    other, _ = await collect(tiny_engine, seed=6, **options)

    assert usage.generated_tokens == 40
    assert text_of(first) == text_of(again) != text_of(other)


async def test_an_answer_does_not_depend_on_those_before_it(tiny_folder, tiny_engine):
    options = {"temperature": 0.0, "max_tokens": 30}
    await collect(tiny_engine, "something long and quite different", **options)
    after, _ = await collect(tiny_engine, "abc", **options)
    fresh = await Engine.load(tiny_folder, ONE_THREAD)
    alone, _ = await collect(fresh, "abc", **options)
    await fresh.aclose()

    assert [step.tokens for step in after] == [step.tokens for step in alone]


async def test_the_context_is_capped_by_the_model(tiny, tiny_folder, tiny_engine):
    assert tiny_engine.context == tiny.context
    smaller = await Engine.load(tiny_folder, attrs.evolve(ONE_THREAD, max_context=16))
    assert smaller.context == 16
    with pytest.raises(ContextOverflowError):
        await collect(smaller, "x" * 16)
    await smaller.aclose()


async def test_a_long_prompt_is_cancelled_within_it(tmp_path, llama):
    """The prompt takes about a second to read; leaving it must not."""
    from jackfield_onnx._files.convert import convert_gguf

    heavy = llama(layers=4, hidden=256, heads=8, kv_heads=8, feed_forward=512, context=2048)
    convert_gguf(heavy.write(tmp_path / "heavy.gguf"), tmp_path)
    engine = await Engine.load(tmp_path, ONE_THREAD)
    async with engine.generate(GenerateRequest(prompt="x" * 2000, max_tokens=1)):
        await asyncio.sleep(0.1)
        left = time.process_time()
    await engine.aclose()  # joins the thread, hence waits for the run to end
    took = time.process_time() - left
    engine = await Engine.load(tmp_path, ONE_THREAD)
    began = time.process_time()
    _, usage = await collect(engine, "x" * 2000, max_tokens=1)
    whole = time.process_time() - began
    await engine.aclose()

    assert usage.generated_tokens == 1
    assert took < whole / 3


async def test_the_event_loop_is_free_while_the_model_works(tiny_engine):
    loop, process = time.thread_time(), time.process_time()

    await collect(tiny_engine, "x" * 60, max_tokens=60)

    loop, process = time.thread_time() - loop, time.process_time() - process
    assert loop < process / 2


async def test_cuda_is_refused_for_graphs_of_the_cpu(tiny_folder):
    with pytest.raises(DeviceUnavailableError, match="device=cuda"):
        await Engine.load(tiny_folder, EngineSettings(session=SessionSettings(device="cuda")))


@pytest.mark.parametrize("name", ["model.json", "model.onnx", "tokenizer.json"])
async def test_a_damaged_folder_says_which_file(tmp_path, tiny_folder, name):
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(tiny_folder, folder)
    (folder / name).write_text("not what it was")

    with pytest.raises(DamagedModelError, match="copy"):
        await Engine.load(folder)


async def test_a_folder_without_a_template_continues_texts_only(tmp_path, tiny_folder):
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(tiny_folder, folder)
    (folder / "chat_template.jinja").unlink()
    engine = await Engine.load(folder, ONE_THREAD)

    with pytest.raises(RequestError, match="no chat template"):
        await collect(engine, (Turn("user", "hi"),))
    _, usage = await collect(engine, "hi", max_tokens=2)
    await engine.aclose()

    assert usage.prompt_tokens == 1
