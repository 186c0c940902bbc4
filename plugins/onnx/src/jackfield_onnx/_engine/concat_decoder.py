"""A decoder whose graph returns past and new keys and values as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from jackfield_onnx._runtime.session import (
    RunOptions,
    load_runtime,
    release_free_memory,
)
from jackfield_onnx._text.sampling import Floats

from .graph import DecoderGraph, Integers, take_last_logits

__all__ = ["ConcatDecoder"]


class ConcatDecoder:
    """A decoder whose graph returns past and new keys and values concatenated, one position longer at each step.

    Between steps they stay on the graph's device. All rows have the same length, so a shorter one is padded on the left
    and masked, with its own position ids; when a row joins or leaves, all rows are copied once.

    Args:
        graph: The graph.
        slots: Maximum number of rows; if the graph has no position ids, one row is used, because padding would count.
    """

    def __init__(self, graph: DecoderGraph, slots: int) -> None:
        self._graph = graph
        self._slots = slots if graph.with_positions else 1
        self._kind, _, number = graph.device.partition(":")
        self._number = int(number or 0)
        self._room = graph.allocate_logits(self._slots)
        self._lengths: list[int] = []
        self._values: list[Any] = []
        self._begun: list[Any] = []
        self._begun_length = 0

    @property
    def slots(self) -> int:
        return self._slots

    def begin(self) -> None:
        empty = np.zeros((1, self._graph.heads, 0, self._graph.head_dim), self._graph.kv_type)
        self._begun = [self._to_device(empty) for _ in self._graph.past]
        self._begun_length = 0

    def read(self, tokens: Sequence[int], options: RunOptions) -> Floats:
        logits, self._begun = self._run(
            np.array([tokens], np.int64), [self._begun_length], self._begun, options
        )
        self._begun_length += len(tokens)
        row: Floats = logits[0]
        return row

    def join(self) -> None:
        if self._lengths:
            longest = max(*self._lengths, self._begun_length)
            self._values = [
                self._to_device(np.concatenate([_fit(rows, longest), _fit(begun, longest)]))
                for rows, begun in zip(map(_to_host, self._values), map(_to_host, self._begun), strict=True)
            ]
        else:
            self._values = self._begun
        self._lengths.append(self._begun_length)
        self.drop()

    def drop(self) -> None:
        self._begun = []

    def step(self, tokens: Sequence[int], options: RunOptions) -> Floats:
        ids = np.array(tokens, np.int64)[:, None]
        logits, self._values = self._run(ids, self._lengths, self._values, options)
        self._lengths = [length + 1 for length in self._lengths]
        return logits

    def leave(self, row: int) -> None:
        order = list(range(len(self._lengths)))
        order[row] = order[-1]
        order.pop()
        self._lengths = [self._lengths[at] for at in order]
        if not order:
            self._values = []
            return
        longest = max(self._lengths)
        self._values = [
            self._to_device(np.ascontiguousarray(_fit(_to_host(value)[order], longest)))
            for value in self._values
        ]

    def release(self) -> None:
        self._values, self._begun = [], []
        del self._graph
        release_free_memory()

    def _run(
        self, ids: Integers, lengths: Sequence[int], values: Sequence[Any], options: RunOptions
    ) -> tuple[Floats, list[Any]]:
        rows, tokens = ids.shape
        before = np.array(lengths, np.int64)
        width = int(before.max()) + tokens
        mask = np.arange(width) >= (width - tokens - before)[:, None]
        binding = self._graph.session.io_binding()
        held = self._graph.bind_plain(
            binding, ids, mask.astype(np.int64), before[:, None] + np.arange(tokens)
        )
        for name, value in zip(self._graph.past, values, strict=True):
            binding.bind_ortvalue_input(name, value)
        for name in self._graph.present:
            binding.bind_output(name, self._kind, self._number)
        target = self._graph.bind_logits(binding, self._room, rows, tokens)
        self._graph.session.run_with_iobinding(binding, options)
        del held
        # Outputs are in the order in which they were bound; the logits are last.
        return take_last_logits(target), binding.get_outputs()[: len(self._graph.present)]

    def _to_device(self, array: npt.NDArray[Any]) -> Any:
        return load_runtime().OrtValue.ortvalue_from_numpy(array, self._kind, self._number)


def _to_host(value: Any) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = value.numpy()
    return array


def _fit(values: npt.NDArray[Any], length: int) -> npt.NDArray[Any]:
    """Truncate or pad rows [rows, heads, length, head_dim] on the left."""
    missing = length - values.shape[2]
    if missing <= 0:
        return values[:, :, -missing:]
    return np.pad(values, ((0, 0), (0, 0), (missing, 0), (0, 0)))
