"""Run a decoder graph that appends to KV buffers of ours: one row, one position after another."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from jackfield_onnx import _folder
from jackfield_onnx._runtime import RunOptions, SessionSettings, give_memory_back, open_session
from jackfield_onnx._sampling import Floats


class Decoder(Protocol):
    """What the scheduler needs of a model. All calls but `release` come from one thread."""

    @property
    def context(self) -> int:
        """Positions there is room for."""

    @property
    def vocabulary(self) -> int:
        """Logits in a row."""

    def forward(self, tokens: Sequence[int], past: int, options: RunOptions) -> Floats:
        """Read tokens after `past` earlier ones, and give the logits [vocabulary] that follow the last.

        The row is overwritten by the next call.
        """

    def release(self) -> None:
        """Let go of graph and buffers; no call may follow or be under way."""


class KvDecoder:
    """A graph made by `_convert`, with KV buffers bound in place.

    Past and present name the same memory, so attention writes one position a step and nothing is copied. The buffers
    are numpy's and must outlive the binding, which knows only their addresses.

    Args:
        folder: The model's folder.
        description: Its description.
        context: Positions to make room for.
        settings: Where and how it runs. These graphs are written for the CPU, so `auto` means `cpu`.
    """

    def __init__(
        self, folder: Path, description: _folder.DecoderDescription, context: int, settings: SessionSettings
    ) -> None:
        opened = open_session(folder / _folder.GRAPH_FILE, settings)
        self.device = opened.device
        self._session = opened.session
        self._context = context
        self._vocabulary = description.vocabulary
        self._logits = np.empty((1, 1, description.vocabulary), np.float32)
        shape = (1, description.kv_heads, context, description.head_dim)
        # Zeros come as untouched pages: a short conversation pays for its own length, not for the whole context.
        self._buffers = [np.zeros(shape, np.float32) for _ in range(2 * description.layers)]
        self._binding = self._session.io_binding()
        names = [f"{layer}.{side}" for layer in range(description.layers) for side in ("key", "value")]
        for name, buffer in zip(names, self._buffers, strict=True):
            where = ("cpu", 0, np.float32, shape, buffer.ctypes.data)
            self._binding.bind_input(f"past_key_values.{name}", *where)
            self._binding.bind_output(f"present.{name}", *where)
        logits = self._logits
        self._binding.bind_output("logits", "cpu", 0, np.float32, logits.shape, logits.ctypes.data)

    @property
    def context(self) -> int:
        return self._context

    @property
    def vocabulary(self) -> int:
        return self._vocabulary

    def forward(self, tokens: Sequence[int], past: int, options: RunOptions) -> Floats:
        ids = np.array([tokens], np.int64)
        mask = np.ones((1, past + len(tokens)), np.int64)
        self._binding.bind_input("input_ids", "cpu", 0, np.int64, ids.shape, ids.ctypes.data)
        self._binding.bind_input("attention_mask", "cpu", 0, np.int64, mask.shape, mask.ctypes.data)
        self._session.run_with_iobinding(self._binding, options)
        row: Floats = self._logits[0, 0]
        return row

    def release(self) -> None:
        del self._binding, self._session
        self._buffers.clear()
        give_memory_back()
