"""A decoder whose graph appends to KV buffers that the plugin owns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from jackfield_onnx._runtime import cuda
from jackfield_onnx._runtime.session import (
    Binding,
    RunOptions,
    load_runtime,
    release_free_memory,
)
from jackfield_onnx._text.sampling import Floats

from .graph import DecoderGraph, Integers, take_last_logits

__all__ = ["Buffer", "SharedDecoder"]


class Buffer(Protocol):
    """Keys or values of all slots: [slots, heads, length, head_dim]."""

    def address(self, row: int) -> int:
        """Return the address at which a row begins."""

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` positions of each head of a row to another row."""


class _HostBuffer:
    def __init__(self, shape: Sequence[int], kind: Any) -> None:
        # np.zeros allocates pages lazily: a short conversation uses memory for its own length, not for the whole context.
        self._array: npt.NDArray[Any] = np.zeros(shape, kind)

    def address(self, row: int) -> int:
        return int(self._array[row:].ctypes.data)

    def move(self, source: int, target: int, length: int) -> None:
        self._array[target, :, :length] = self._array[source, :, :length]


class SharedDecoder:
    """A decoder whose graph appends to the plugin's KV buffers, each row at its own position.

    Past and present are bound to the same memory, so attention writes one position per row and step, and nothing is
    copied. The buffers must outlive the bindings, which only hold addresses.

    Args:
        graph: The graph.
        slots: Maximum number of rows.
        context: Maximum length of a row.
    """

    def __init__(self, graph: DecoderGraph, slots: int, context: int) -> None:
        self._graph = graph
        self._slots = slots
        self._shape = (graph.heads, context, graph.head_dim)
        make = self._allocator(graph)
        self._buffers = [make((slots, *self._shape), graph.kv_type) for _ in graph.past]
        self._bindings: dict[tuple[int, int], Binding] = {}
        self._room = graph.allocate_logits(slots)
        self._lengths = np.zeros(slots, np.int64)
        self._rows = 0
        self._begun = False

    @staticmethod
    def _allocator(graph: DecoderGraph) -> Callable[[Sequence[int], Any], Buffer]:
        if graph.device == "cpu":
            return _HostBuffer
        return lambda shape, kind: cuda.CudaBuffer(load_runtime(), graph.device, shape, kind)

    @property
    def slots(self) -> int:
        return self._slots

    def begin(self) -> None:
        self._begun = True
        self._lengths[self._rows] = 0

    def read(self, tokens: Sequence[int], options: RunOptions) -> Floats:
        row: Floats = self._run(self._rows, np.array([tokens], np.int64), options)[0]
        return row

    def join(self) -> None:
        self._begun = False
        self._rows += 1

    def drop(self) -> None:
        self._begun = False

    def step(self, tokens: Sequence[int], options: RunOptions) -> Floats:
        return self._run(0, np.array(tokens, np.int64)[:, None], options)

    def leave(self, row: int) -> None:
        last = self._rows - 1
        self._move(last, row)
        if self._begun:
            self._move(self._rows, last)
        self._rows = last

    def release(self) -> None:
        self._bindings.clear()
        self._buffers.clear()
        del self._graph
        release_free_memory()

    def _move(self, source: int, target: int) -> None:
        if source == target:
            return
        length = int(self._lengths[source])
        for buffer in self._buffers:
            buffer.move(source, target, length)
        self._lengths[target] = length

    def _run(self, first: int, ids: Integers, options: RunOptions) -> Floats:
        rows, tokens = ids.shape
        before = self._lengths[first : first + rows]
        after = before + tokens
        mask = np.arange(int(after.max())) < after[:, None]
        positions = before[:, None] + np.arange(tokens)
        binding = self._binding(first, rows)
        held = self._graph.bind_plain(binding, ids, mask.astype(np.int64), positions)
        target = self._graph.bind_logits(binding, self._room, rows, tokens)
        self._graph.session.run_with_iobinding(binding, options)
        del held
        self._lengths[first : first + rows] = after
        return take_last_logits(target)

    def _binding(self, first: int, rows: int) -> Binding:
        binding = self._bindings.get((first, rows))
        if binding is None:
            binding = self._bindings[first, rows] = self._graph.session.io_binding()
            kind, device, _ = self._graph.device.partition(":")
            shape = (rows, *self._shape)
            for past, present, buffer in zip(
                self._graph.past, self._graph.present, self._buffers, strict=True
            ):
                where = (kind, int(device or 0), self._graph.kv_type, shape, buffer.address(first))
                binding.bind_input(past, *where)
                binding.bind_output(present, *where)
        return binding
