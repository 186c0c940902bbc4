"""Many answers at once from one model: nobody notices the others, but by the time it takes."""

import asyncio
import random
import time

import attrs
import numpy as np
import pytest
from onnx_graphs import write_optimum_folder
from waiting import until

from jackfield_onnx._engine.engine import Engine, EngineSettings
from jackfield_onnx._engine.replies import GenerateRequest
from jackfield_onnx._files.folder import read_tokenizer
from jackfield_onnx._local_errors import (
    EngineClosedError,
    GenerationError,
    QueueFullError,
    QueueTimeoutError,
)
from jackfield_onnx._runtime.session import SessionSettings

SETTINGS = EngineSettings(session=SessionSettings(device="cpu", threads=1), slots=4)
ENDLESS = {0: -1000.0, 2: -1000.0}  # the tokens that would end an answer


async def tokens_of(engine, prompt="x", **options):
    async with engine.generate(GenerateRequest(prompt=prompt, **options)) as generation:
        return [token async for step in generation for token in step.tokens]


@pytest.fixture(params=["shared", "concat"])
async def engine(request, tiny, tiny_folder, tmp_path):
    folder = tiny_folder
    if request.param == "concat":
        folder = write_optimum_folder(tmp_path / "plain", tiny, read_tokenizer(tiny_folder), "")
    engine = await Engine.load(folder, SETTINGS)
    yield engine
    await engine.aclose()


def requests(count):
    """Requests of every kind of sampling, lengths and prompts that differ."""
    choose = random.Random(3)
    for number in range(count):
        yield (
            choose.choice("abcdefgh ") * choose.randint(1, 70),
            {
                "max_tokens": choose.randint(1, 40),
                "seed": number,
                "temperature": choose.choice([0.0, 0.7, 1.5]),
                "top_p": choose.choice([1.0, 0.9]),
                "top_k": choose.choice([None, 20]),
                "min_p": choose.choice([0.0, 0.05]),
                "repetition_penalty": choose.choice([1.0, 1.3]),
                "presence_penalty": choose.choice([0.0, 0.5]),
                "logit_bias": choose.choice([{}, ENDLESS]),
            },
        )


async def test_answers_are_the_same_together_as_alone(engine):
    asked = list(requests(14))
    alone = [await tokens_of(engine, prompt, **options) for prompt, options in asked]

    together = await asyncio.gather(*(tokens_of(engine, prompt, **options) for prompt, options in asked))

    assert len({tuple(tokens) for tokens in alone}) > 10
    assert together == alone


async def test_those_who_leave_do_not_disturb_those_who_stay(engine):
    asked = list(requests(8))
    alone = [await tokens_of(engine, prompt, **options) for prompt, options in asked]

    async def leave_early(number):
        request = GenerateRequest(prompt="y" * (number * 5 + 1), logit_bias=ENDLESS, seed=1)
        async with engine.generate(request) as generation:
            async for step in generation:
                if len(step.tokens) and generation.usage.generated_tokens > number:
                    return

    stay = [asyncio.create_task(tokens_of(engine, prompt, **options)) for prompt, options in asked]
    await asyncio.gather(*(leave_early(number) for number in range(8)))

    assert await asyncio.gather(*stay) == alone
    await until(lambda: not engine.busy)


async def test_each_has_its_own_logprobs(engine):
    async def first(prompt, top):
        async with engine.generate(
            GenerateRequest(prompt=prompt, max_tokens=3, top_logprobs=top, temperature=0.0)
        ) as generation:
            return [detail async for step in generation for detail in step.logprobs]

    alone = [await first("ab", 2), await first("cde", 0)]
    together = await asyncio.gather(first("ab", 2), first("cde", 0))

    for lonely, joined in zip(alone, together, strict=True):
        assert [detail.token for detail in lonely] == [detail.token for detail in joined]
        np.testing.assert_allclose(
            [detail.logprob for detail in lonely], [detail.logprob for detail in joined], atol=1e-4
        )
    assert {len(detail.top) for detail in together[0]} == {2}
    assert {len(detail.top) for detail in together[1]} == {0}


async def test_slots_are_filled_and_one_thread_serves_them(scripted):
    engine = scripted("ab" * 20, delay=0.002, slots=3)

    answers = await asyncio.gather(*(tokens_of(engine) for _ in range(7)))

    assert len({tuple(answer) for answer in answers}) == 1
    assert engine.decoder.most_rows == 3
    assert len(engine.decoder.threads) == 1


async def test_a_short_answer_does_not_wait_for_a_long_one(scripted):
    engine = scripted("a", delay=0.005, slots=2, ends=False)
    long = asyncio.create_task(tokens_of(engine, max_tokens=100))
    await until(lambda: engine.decoder.rows)

    await tokens_of(engine, max_tokens=3)

    assert not long.done()
    assert len(await long) == 100


async def test_a_long_prompt_is_read_in_pieces_between_the_steps_of_others(scripted):
    engine = scripted("a", delay=0.003, slots=2, ends=False)
    engine.context = 2000
    ticking = asyncio.create_task(tokens_of(engine, max_tokens=60))
    await until(lambda: engine.decoder.rows)
    steps_before = engine.decoder.rows[0]

    await tokens_of(engine, "x" * 400, max_tokens=1)

    pieces = engine.decoder.pieces[1:]
    assert sum(pieces) == 400
    assert max(pieces) < 100
    assert engine.decoder.rows[0] - steps_before >= len(pieces) - 1
    await ticking


async def test_a_cancelled_prompt_stops_within_it_and_the_others_go_on(scripted):
    engine = scripted("a", delay=0.01, slots=2, ends=False)
    other = asyncio.create_task(tokens_of(engine, max_tokens=20))
    await until(lambda: engine.decoder.rows)
    engine.decoder.read_delay = 30.0
    async with engine.generate(GenerateRequest(prompt="long")):
        await until(lambda: len(engine.decoder.pieces) == 2)

    async with asyncio.timeout(20):  # the prompt would take thirty seconds
        assert len(await other) == 20
    assert engine.decoder.most_rows == 1


async def test_an_error_of_one_prompt_is_that_one_s_alone(scripted):
    engine = scripted("a", delay=0.005, slots=2, ends=False)
    other = asyncio.create_task(tokens_of(engine, max_tokens=40))
    await until(lambda: engine.decoder.rows)

    class Nothing:
        def mask(self, generated):
            return np.zeros(10, np.bool_)

        def accept(self, token):
            raise AssertionError

    with pytest.raises(GenerationError, match="grammar"):
        await tokens_of(engine, constraint=Nothing())
    assert len(await other) == 40


async def test_an_error_of_a_step_is_told_to_all_and_the_slots_are_free_again(scripted):
    engine = scripted("a", delay=0.005, slots=2, ends=False)
    both = [asyncio.create_task(tokens_of(engine)) for _ in range(2)]
    await until(lambda: len(engine.decoder.rows) == 2)
    engine.decoder.failure = RuntimeError("out of memory")
    for task in both:
        with pytest.raises(GenerationError, match="out of memory"):
            await task
    engine.decoder.failure = None

    assert engine.decoder.rows == []
    assert len(await tokens_of(engine, max_tokens=5)) == 5


async def test_the_queue_is_bounded_beside_the_slots(scripted):
    engine = scripted("a", delay=30.0, slots=2, max_queue=1)
    open_requests = []
    for number in range(3):
        generation = engine.generate(GenerateRequest(prompt="x"))
        await generation.__aenter__()
        open_requests.append(generation)
        if number == 0:
            await until(lambda: engine.decoder.calls)
    with pytest.raises(QueueFullError, match="max_queue"):
        await tokens_of(engine)

    for generation in open_requests:
        generation.cancel()
    await until(lambda: not engine.busy)


async def test_who_waits_too_long_is_told_and_costs_nothing(scripted):
    engine = scripted("a", delay=0.02, slots=1, ends=False, queue_timeout=0.1)
    running = asyncio.create_task(tokens_of(engine, max_tokens=50))
    await until(lambda: engine.decoder.rows)
    started = time.monotonic()

    with pytest.raises(QueueTimeoutError, match="queue_timeout"):
        await tokens_of(engine)

    assert time.monotonic() - started >= 0.1
    assert not running.done(), "a second has not passed"
    assert len(await running) == 50


async def test_closing_ends_rows_prompts_and_the_queue(scripted):
    engine = scripted("a", delay=0.02, slots=2, ends=False)
    tasks = [asyncio.create_task(tokens_of(engine)) for _ in range(5)]
    await until(lambda: len(engine.decoder.rows) == 2)

    await engine.aclose()

    for task in tasks:
        with pytest.raises(EngineClosedError):
            await task
    assert engine.decoder.released
    assert engine.closed


async def test_a_mistake_within_the_engine_leaves_nobody_waiting(scripted):
    engine = scripted("a", delay=0.005, slots=2, ends=False)

    def broken(row):
        raise ZeroDivisionError("a mistake")

    engine.decoder.leave = broken
    tasks = [asyncio.create_task(tokens_of(engine, max_tokens=4)) for _ in range(4)]

    async with asyncio.timeout(60):
        done = await asyncio.gather(*tasks, return_exceptions=True)
    assert any(isinstance(one, GenerationError) for one in done)
    assert engine.closed
    with pytest.raises(EngineClosedError):
        await tokens_of(engine)
    await engine.aclose()


async def test_the_time_of_all_answers_adds_up_to_the_time_of_the_model(scripted):
    engine = scripted("a", delay=0.01, slots=4, ends=False)

    async def seconds():
        async with engine.generate(GenerateRequest(prompt="x", max_tokens=20)) as generation:
            async for _ in generation:
                pass
        return generation.usage

    started = time.monotonic()
    usages = await asyncio.gather(*(seconds() for _ in range(4)))
    took = time.monotonic() - started

    # perf_counter's last digits differ between threads' readings
    assert 0.99 * engine.decoder.seconds < sum(usage.seconds for usage in usages) <= took
    assert all(0 < usage.prompt_seconds < usage.seconds for usage in usages)


async def test_without_max_tokens_an_answer_has_a_limit_of_its_own(tiny_folder):
    engine = await Engine.load(tiny_folder, attrs.evolve(SETTINGS, max_context=64))
    assert len(await tokens_of(engine, logit_bias=ENDLESS)) == 16
    assert len(await tokens_of(engine, logit_bias=ENDLESS, max_tokens=40)) == 40
    await engine.aclose()

    declared = await Engine.load(tiny_folder, attrs.evolve(SETTINGS, max_output=7))
    assert len(await tokens_of(declared, logit_bias=ENDLESS)) == 7
    await declared.aclose()


async def test_defaults_of_sampling_and_a_template_may_be_declared(tiny_folder, tmp_path):
    template = tmp_path / "t.jinja"
    template.write_text("{% for m in messages %}{{ m.content }}{% endfor %}")
    engine = await Engine.load(
        tiny_folder, attrs.evolve(SETTINGS, sampling={"temperature": 0.0, "min_p": 0.1}, template=template)
    )
    from jackfield_onnx._text.template import Turn

    assert engine.description.temperature == 0.0
    assert engine.description.min_p == 0.1
    assert await engine.count_tokens((Turn("user", "abc"),)) == 3
    await engine.aclose()


@pytest.mark.parametrize("slots", [1, 4])
async def test_two_event_loops_at_once_are_both_served(scripted, slots):
    engine = scripted("abc" * 5, delay=0.001, slots=slots)

    def other():
        return asyncio.run(tokens_of(engine))

    here, there = await asyncio.gather(tokens_of(engine), asyncio.to_thread(other))

    assert here == there
