"""A tiny llama: a GGUF file of some hundred kilobytes, its converted folder, and engines that follow a script."""

import asyncio
import struct
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

from jackfield_onnx._engine.engine import Engine
from jackfield_onnx._engine.scheduler import Scheduler
from jackfield_onnx._files.convert import convert_gguf
from jackfield_onnx._files.folder import EncoderDescription, read_decoder, read_tokenizer, write_description
from jackfield_onnx._files.store import ModelStore
from jackfield_onnx._text.template import ChatTemplate

CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEMPLATE = (
    "{% for m in messages %}{% if m.role not in ('system', 'user', 'assistant') %}"
    "{{ raise_exception('unknown role ' + m.role) }}{% endif %}"
    "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def pytest_asyncio_loop_factories(config, item):
    """Keep the machine's time: the engines have threads of their own."""
    return {"real time": asyncio.new_event_loop}


@attrs.frozen
class TinyLlama:
    """The weights of a random llama in the order of the papers, and the numbers that go with them."""

    layers: int = 2
    hidden: int = 64
    heads: int = 4
    kv_heads: int = 2
    feed_forward: int = 96
    context: int = 128
    epsilon: float = 1e-5
    rope_base: float = 10000.0
    tied: bool = True
    seed: int = 7

    @property
    def head_dim(self) -> int:
        return self.hidden // self.heads

    def vocabulary(self) -> list[str]:
        from tokenizers.pre_tokenizers import ByteLevel

        return [*CONTROL, *sorted(ByteLevel.alphabet()), "hi"]

    def weights(self) -> dict[str, np.ndarray]:
        random = np.random.default_rng(self.seed)

        def matrix(rows: int, columns: int) -> np.ndarray:
            return random.normal(0, columns**-0.5, (rows, columns)).astype(np.float32)

        kv = self.kv_heads * self.head_dim
        found = {
            # Small, so that a tied head does not simply repeat its input.
            "token_embd.weight": random.normal(0, 0.3, (len(self.vocabulary()), self.hidden)).astype(
                np.float32
            ),
            "output_norm.weight": np.ones(self.hidden, np.float32),
        }
        if not self.tied:
            found["output.weight"] = matrix(len(self.vocabulary()), self.hidden)
        for layer in range(self.layers):
            at = f"blk.{layer}."
            found[at + "attn_norm.weight"] = random.uniform(0.5, 1.5, self.hidden).astype(np.float32)
            found[at + "ffn_norm.weight"] = random.uniform(0.5, 1.5, self.hidden).astype(np.float32)
            found[at + "attn_q.weight"] = matrix(self.hidden, self.hidden)
            found[at + "attn_k.weight"] = matrix(kv, self.hidden)
            found[at + "attn_v.weight"] = matrix(kv, self.hidden)
            found[at + "attn_output.weight"] = matrix(self.hidden, self.hidden)
            found[at + "ffn_gate.weight"] = matrix(self.feed_forward, self.hidden)
            found[at + "ffn_up.weight"] = matrix(self.feed_forward, self.hidden)
            found[at + "ffn_down.weight"] = matrix(self.hidden, self.feed_forward)
        return found

    def metadata(self) -> dict[str, Any]:
        tokens = self.vocabulary()
        return {
            "general.architecture": "llama",
            "general.name": "tiny",
            "general.license": "apache-2.0",
            "llama.block_count": self.layers,
            "llama.context_length": self.context,
            "llama.embedding_length": self.hidden,
            "llama.feed_forward_length": self.feed_forward,
            "llama.attention.head_count": self.heads,
            "llama.attention.head_count_kv": self.kv_heads,
            "llama.attention.layer_norm_rms_epsilon": self.epsilon,
            "llama.rope.freq_base": self.rope_base,
            "tokenizer.ggml.model": "gpt2",
            "tokenizer.ggml.pre": "smollm",
            "tokenizer.ggml.tokens": tokens,
            "tokenizer.ggml.token_type": [3 if token in CONTROL else 1 for token in tokens],
            "tokenizer.ggml.merges": ["h i"],
            "tokenizer.ggml.bos_token_id": 1,
            "tokenizer.ggml.eos_token_id": 2,
            "tokenizer.chat_template": TEMPLATE,
        }

    def write(self, path: Path, **changes: Any) -> Path:
        """Write the GGUF file; `metadata` and `weights` in `changes` are laid over (None removes)."""
        metadata = _overlay(self.metadata(), changes.get("metadata", {}))
        weights = _overlay(self.weights(), changes.get("weights", {}))
        for name, heads in (("attn_q", self.heads), ("attn_k", self.kv_heads)):
            for layer in range(self.layers):
                key = f"blk.{layer}.{name}.weight"
                if key in weights:
                    weights[key] = _interleave(weights[key], heads)
        write_gguf(path, metadata, weights)
        return path


def _overlay(values: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**values, **changes}.items() if value is not None}


def _interleave(weight: np.ndarray, heads: int) -> np.ndarray:
    """Order rows as llama.cpp's converter does: pairs of the two halves of each head."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def write_gguf(path: Path, metadata: Mapping[str, Any], tensors: Mapping[str, Any]) -> None:
    """Write a GGUF file. A tensor is an array (F32), or a tuple (type, shape, bytes)."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    head += b"".join(_string(name) + _value(value) for name, value in metadata.items())
    data = b""
    for name, tensor in tensors.items():
        kind, shape, raw = (0, tensor.shape, tensor.tobytes()) if isinstance(tensor, np.ndarray) else tensor
        head += _string(name) + struct.pack("<I", len(shape))
        head += struct.pack(f"<{len(shape)}Q", *reversed(shape)) + struct.pack("<IQ", kind, len(data))
        data += raw + b"\0" * (-len(raw) % 32)
    path.write_bytes(head + b"\0" * (-len(head) % 32) + data)


def _string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _value(value: Any) -> bytes:
    if isinstance(value, bool):
        return struct.pack("<IB", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + _string(value)
    if value and isinstance(value[0], int):
        return struct.pack("<IIQ", 9, 5, len(value)) + struct.pack(f"<{len(value)}i", *value)
    return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(_string(item) for item in value)


class ScriptedDecoder:
    """A model that says what it is told to, at the pace it is told to."""

    def __init__(self, script: list[int], vocabulary: int, delay: float = 0.0, slots: int = 1) -> None:
        self.script = script
        self.vocabulary = vocabulary
        self.delay = delay
        self.read_delay: float | None = None  # of prompts, where it is another
        self.slots = slots
        self.calls = 0
        self.seconds = 0.0  # that all its work has taken
        self.rows: list[int] = []
        self.most_rows = 0
        self.pieces: list[int] = []
        self.released = False
        self.threads: set[int] = set()
        self.failure: Exception | None = None

    def begin(self):
        assert len(self.rows) < self.slots

    def read(self, tokens, options):
        self.pieces.append(len(tokens))
        self._work(options, self.delay if self.read_delay is None else self.read_delay)
        return self._logits(0)

    def join(self):
        self.rows.append(0)
        self.most_rows = max(self.most_rows, len(self.rows))

    def drop(self):
        pass

    def step(self, tokens, options):
        assert len(tokens) == len(self.rows)
        self._work(options, self.delay)
        self.rows = [made + 1 for made in self.rows]
        return np.stack([self._logits(made) for made in self.rows])

    def leave(self, row):
        self.rows[row] = self.rows[-1]
        self.rows.pop()

    def release(self) -> None:
        self.released = True

    def _work(self, options, delay):
        self.calls += 1
        self.threads.add(threading.get_ident())
        if self.failure is not None:
            raise self.failure
        began = time.perf_counter()
        try:
            while time.perf_counter() < began + delay:
                if options.terminate:
                    raise RuntimeError("terminated")
                time.sleep(0.001)
        finally:
            self.seconds += time.perf_counter() - began

    def _logits(self, made):
        logits = np.zeros(self.vocabulary, np.float32)
        logits[self.script[made % len(self.script)]] = 20.0
        return logits


@pytest.fixture(scope="session")
def tiny() -> TinyLlama:
    return TinyLlama()


@pytest.fixture(scope="session")
def llama() -> type[TinyLlama]:
    return TinyLlama


@pytest.fixture(scope="session")
def gguf_writer() -> Callable[..., None]:
    return write_gguf


@pytest.fixture(scope="session")
def tiny_gguf(tiny: TinyLlama, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture(scope="session")
def tiny_folder(tiny_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    convert_gguf(tiny_gguf, folder)
    return folder


@pytest.fixture
def scripted(tiny_folder: Path):
    """Make an engine that says a text and ends; its decoder is `engine.decoder`."""
    made: list[Engine] = []

    def make(
        text: str | list[int], *, delay: float = 0.0, max_queue: int = 8, ends: bool = True, **more: Any
    ) -> Engine:
        description, tokenizer = read_decoder(tiny_folder), read_tokenizer(tiny_folder)
        script = tokenizer.encode(text).ids if isinstance(text, str) else text
        decoder = ScriptedDecoder(script + [2] * ends, description.vocabulary, delay, more.pop("slots", 1))
        engine = Engine(
            description=attrs.evolve(description, temperature=0.0),
            tokenizer=tokenizer,
            template=ChatTemplate(TEMPLATE, begin_token="<|im_start|>", end_token="<|im_end|>"),
            scheduler=Scheduler(decoder, "scripted", max_queue, more.pop("queue_timeout", None)),
            context=128,
            device="cpu",
            **more,
        )
        engine.decoder = decoder
        made.append(engine)
        return engine

    yield make
    for engine in made:
        engine._scheduler.close()


def write_encoder(folder: Path, words: list[str], table: np.ndarray, limit: int) -> Path:
    """Write an encoder whose hidden states are its word vectors: so every result can be written down."""
    from onnx import TensorProto, helper, numpy_helper, save_model
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    names = ("input_ids", "attention_mask", "token_type_ids")
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["b", "s"]) for name in names]
    shape = ["b", "s", table.shape[1]]
    output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, shape)
    gather = helper.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"])
    graph = helper.make_graph([gather], "e", inputs, [output], [numpy_helper.from_array(table, "table")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    save_model(model, str(folder / "model.onnx"))
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    # As in the real file: settings that must not survive into the embedder.
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=12)
    tokenizer.save(str(folder / "tokenizer.json"))
    write_description(folder, EncoderDescription(name="tiny", dimensions=table.shape[1], max_tokens=limit))
    return folder


@pytest.fixture(scope="session")
def encoder_writer() -> Callable[..., Path]:
    return write_encoder


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "one", "two", "three", "four"]
    table = np.random.default_rng(1).normal(size=(len(words), 16)).astype(np.float32)
    return write_encoder(tmp_path_factory.mktemp("encoder"), words, table, 6)


@pytest.fixture(scope="session")
def real_store() -> ModelStore:
    """The user's own model cache; tests marked `model` fill it on first use."""
    return ModelStore()


@pytest.fixture
def run_python():
    """Run a program in a fresh interpreter."""
    import os
    import subprocess

    def run(code: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        inherited = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
        return subprocess.run(
            [sys.executable, "-c", code],
            env={**inherited, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    return run
