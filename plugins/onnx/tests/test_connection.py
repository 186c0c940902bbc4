"""What an administrator declares of a connection, and what it changes."""

import asyncio

import pytest
from waiting import until

from jackfield import ConfigurationError, Mesh, TimeoutError, UnsupportedError
from jackfield_onnx import OnnxSettings
from jackfield_onnx._engine.engine import Engine
from jackfield_onnx._settings import parse_size

ENDLESS = {"0": -1000, "2": -1000}


@pytest.fixture
def declared(tiny_folder):
    def make(model=None, **keys):
        entry = {"id": "tiny", "folder": str(tiny_folder), "kinds": ["chat", "completion"], **(model or {})}
        local = {
            "provider": "onnx",
            "device": "cpu",
            "threads": 1,
            "models": [entry],
            "retry": {"attempts": 1},
        }
        return Mesh.from_config({"connections": {"local": {**local, **keys}}})

    return make


@pytest.fixture
def loads(monkeypatch):
    """The engines that were loaded, in their order."""
    loaded = []

    async def load(cls, folder, settings):
        loaded.append(await asyncio.to_thread(cls._load, folder, settings))
        return loaded[-1]

    monkeypatch.setattr(Engine, "load", classmethod(load))
    return loaded


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("6 GiB", 6 << 30),
        ("500MB", 500_000_000),
        ("1.5 kib", 1536),
        ("7", 7),
        (4096, 4096),
        ("2 gb", 2 * 10**9),
    ],
)
def test_a_size_is_read_as_people_write_it(written, read):
    assert parse_size(written) == read
    assert OnnxSettings(memory_limit=written).memory_limit == written


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [
        ("memory_limit", "much", "is not a valid size"),
        ("memory_limit", 0, "at least 1 byte"),
        ("precision", "fp8", "must be one of"),
        ("device", "gpu", "cuda:1"),
        ("slots", 0, "1 or more"),
        ("queue_timeout", -1, "0 or more"),
        ("keep_alive", -0.5, "0 or more"),
        ("max_output", 0, "1 or more"),
        ("sampling", {"temperature": 9}, "at most 2"),
        ("sampling", {"top_p": 0}, "above 0"),
        ("sampling", {"min_p": 1.5}, "at most 1"),
        ("sampling", {"temprature": 1}, "did you mean 'temperature'"),
    ],
)
def test_a_key_that_cannot_be_used_is_told_when_the_configuration_is_loaded(declared, key, value, word):
    with pytest.raises(ConfigurationError, match=word) as caught:
        declared(**{key: value})
    assert key in str(caught.value)


def test_a_relative_template_is_refused(declared):
    with pytest.raises(ConfigurationError, match="chat_template.*absolute path"):
        declared({"chat_template": "chat.jinja"})


async def test_keys_reach_the_engine(declared, loads, tmp_path):
    template = tmp_path / "chat.jinja"
    template.write_text("{% for m in messages %}{{ m.content }}{% endfor %}")
    keys = {"slots": 3, "max_context": 64, "max_output": 5, "sampling": {"temperature": 0.0, "top_k": 7}}
    async with declared({"chat_template": str(template)}, **keys) as mesh:
        reply = await mesh.chat("local:tiny", "hi", logit_bias=ENDLESS)
        counted = await mesh.count_tokens("local:tiny", "abc")

    (engine,) = loads
    assert (reply.usage.output_tokens, reply.finish_reason) == (5, "length")
    assert counted.input_tokens == 3
    assert engine.context == 64
    assert (engine.description.temperature, engine.description.top_k) == (0.0, 7)


async def test_an_answer_whose_length_nobody_gave_ends(declared):
    async with declared(max_context=64) as mesh:
        reply = await mesh.chat("local:tiny", "hi", logit_bias=ENDLESS)

    assert (reply.usage.output_tokens, reply.finish_reason) == (16, "length")


async def test_a_temperature_that_makes_noise_is_refused_or_clamped(declared):
    async with declared() as mesh:
        with pytest.raises(UnsupportedError, match="temperature"):
            await mesh.chat("local:tiny", "hi", temperature=9)
        reply = await mesh.chat("local:tiny", "hi", temperature=9, unsupported="drop", max_tokens=3)
        assert reply.parameters["temperature"].fate == "clamped"
        assert (await mesh.chat("local:tiny", "hi", temperature=2, max_tokens=3)).complete
        with pytest.raises(UnsupportedError, match="temperature"):
            await mesh.chat("local:tiny", "hi", temperature=-0.1)


async def test_who_waits_longer_than_declared_is_told_in_which_phase(declared):
    asked = {"logit_bias": ENDLESS, "max_tokens": 90}
    async with declared(slots=1, queue_timeout=0.02, max_context=128) as mesh:
        async with mesh.stream_chat("local:tiny", "hi", **asked) as stream:
            await anext(aiter(stream))
            late = (mesh.chat("local:tiny", "hi", **asked) for _ in range(6))
            done = await asyncio.gather(*late, return_exceptions=True)
            async for _ in stream:
                pass

    refused = [one for one in done if isinstance(one, TimeoutError)]
    assert refused
    assert {(error.phase, error.is_retryable, error.code) for error in refused} == {
        ("queue", True, "QueueTimeoutError")
    }
    assert stream.response.usage.output_tokens == 90


async def test_answers_of_one_connection_are_made_together(declared, loads):
    async with declared(slots=4) as mesh:
        asked = {"temperature": 0, "max_tokens": 30, "logit_bias": ENDLESS}
        alone = [(await mesh.chat("local:tiny", text, **asked)).text for text in ("a", "bb", "ccc", "dddd")]
        together = await asyncio.gather(
            *(mesh.chat("local:tiny", text, **asked) for text in ("a", "bb", "ccc", "dddd"))
        )

    assert [reply.text for reply in together] == alone
    assert len(loads) == 1


async def test_a_model_that_nobody_uses_goes_and_comes_back(declared, loads):
    async with declared(keep_alive=0.05) as mesh:
        first = await mesh.chat("local:tiny", "hi", temperature=0, max_tokens=5)
        assert not loads[0].closed
        await until(lambda: loads[0].closed)
        again = await mesh.chat("local:tiny", "hi", temperature=0, max_tokens=5)

    assert again.text == first.text
    assert len(loads) == 2


async def test_a_model_in_use_stays_however_long_that_takes(declared, loads):
    async with declared(keep_alive=0.01) as mesh:
        async with mesh.stream_chat("local:tiny", "hi", max_tokens=20, logit_bias=ENDLESS) as stream:
            async for _ in stream:
                await asyncio.sleep(0.01)
        assert stream.response.usage.output_tokens == 20

    assert len(loads) == 1


async def test_without_keep_alive_a_model_stays(declared, loads):
    async with declared() as mesh:
        await mesh.chat("local:tiny", "hi", max_tokens=1)
        await asyncio.sleep(0.1)
        assert not loads[0].closed

    assert loads[0].closed


async def test_a_model_whose_engine_broke_is_loaded_again(declared, loads):
    async with declared() as mesh:
        await mesh.chat("local:tiny", "hi", max_tokens=1)
        loads[0]._scheduler._closed = True
        assert (await mesh.chat("local:tiny", "hi", max_tokens=1)).complete

    assert len(loads) == 2
