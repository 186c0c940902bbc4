"""Run a decoder graph for several answers at once, with their keys and values where the graph runs.

Rows are the answers that are being made. One more may be under way to them: its prompt is read beside the rows, and
then it joins. Two kinds of graph stand behind one interface; which it is, `_layouts` finds out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import attrs
import numpy as np
import numpy.typing as npt

from jackfield_onnx._files.layouts import DecoderFolder
from jackfield_onnx._local_errors import UnsupportedModelError
from jackfield_onnx._runtime import cuda
from jackfield_onnx._runtime.session import (
    Binding,
    OpenedSession,
    RunOptions,
    Session,
    SessionSettings,
    give_memory_back,
    load_runtime,
    open_session,
)
from jackfield_onnx._text.sampling import Floats

__all__ = ["Buffer", "ConcatDecoder", "Decoder", "DecoderGraph", "SharedDecoder", "open_decoder"]

_Integers = npt.NDArray[np.int64]

_TYPES: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}
_PLAIN_INPUTS = frozenset({"input_ids", "attention_mask", "position_ids"})


class Decoder(Protocol):
    """What the scheduler needs of a model. All calls but `release` come from one thread.

    A call that raises has changed nothing but the row that was begun.
    """

    @property
    def slots(self) -> int:
        """Rows there is room for, the one that was begun included."""

    def begin(self) -> None:
        """Begin a row, beside those that are there; there is never more than one."""

    def read(self, tokens: Sequence[int], options: RunOptions) -> Floats:
        """Let the row that was begun read more of its prompt.

        Returns:
            The logits [vocabulary] that follow the last token. The next call overwrites them.
        """

    def join(self) -> None:
        """Make the row that was begun the last of the rows."""

    def drop(self) -> None:
        """Forget the row that was begun."""

    def step(self, tokens: Sequence[int], options: RunOptions) -> Floats:
        """Give each row one more token.

        Returns:
            The logits [rows, vocabulary] that follow. The next call overwrites them.
        """

    def leave(self, row: int) -> None:
        """Forget a row; the last one takes its place."""

    def release(self) -> None:
        """Let go of graph and buffers; no call may follow or be under way."""


def open_decoder(
    found: DecoderFolder, session: SessionSettings, *, slots: int, context: int
) -> tuple[Decoder, str]:
    """Open a graph where it was told to run, or on the CPU if that is left open.

    Args:
        found: What its folder says.
        session: Where and how it runs.
        slots: Rows to make room for.
        context: Positions to make room for, in each row.

    Returns:
        The decoder, and the device it runs on.

    Raises:
        DeviceUnavailableError: When it cannot run where it was told to.
        UnsupportedModelError: When it is no graph of a decoder that is run here.
    """
    name, on_cpu = found.description.name, attrs.evolve(session, device="cpu")
    if found.cpu_only:
        wants_cuda = session.device != "cpu" and (session.device != "auto" or cuda.offered(load_runtime()))
        if wants_cuda:
            cuda.not_for_cuda(session.device, name, "its graph was written for the CPU")
        session = on_cpu
    graph = DecoderGraph(open_session(found.graph, session), found)
    if found.attention == "concat":
        return ConcatDecoder(graph, slots), graph.device
    if graph.device != "cpu" and graph.kv_type != np.float16:
        cuda.not_for_cuda(session.device, name, "its fused attention keeps keys and values in float32")
        graph = DecoderGraph(open_session(found.graph, on_cpu), found)
    return SharedDecoder(graph, slots, context), graph.device


class DecoderGraph:
    """A graph that was opened, and what it says about its inputs and outputs.

    Args:
        opened: Its session.
        found: What its folder says.

    Raises:
        UnsupportedModelError: When graph and folder do not agree, or it wants what is not given here.
    """

    def __init__(self, opened: OpenedSession, found: DecoderFolder) -> None:
        self.session: Session = opened.session
        self.device = opened.device
        self.logits = found.logits
        self.vocabulary = found.description.vocabulary
        self._which = str(found.graph)
        layers = range(found.description.layers)
        past_key, past_value, present_key, present_value = found.names
        self.past = [name % layer for layer in layers for name in (past_key, past_value)]
        self.present = [name % layer for layer in layers for name in (present_key, present_value)]
        inputs = {slot.name: slot for slot in self.session.get_inputs()}
        outputs = {slot.name: slot for slot in self.session.get_outputs()}
        self._demand(
            {"input_ids", "attention_mask", *self.past} <= inputs.keys(), "it lacks an input of a decoder"
        )
        self._demand({self.logits, *self.present} <= outputs.keys(), "it lacks an output of a decoder")
        unknown = inputs.keys() - _PLAIN_INPUTS - set(self.past)
        self._demand(not unknown, f"it has an input {min(unknown, default='')!r}")
        self.with_positions = "position_ids" in inputs
        self.integers = {name: self._type(inputs[name].type) for name in _PLAIN_INPUTS & inputs.keys()}
        self.kv_type = self._type(inputs[self.past[0]].type)
        self.logits_type = self._type(outputs[self.logits].type)
        # Ours give the last position only; the others give all.
        self.last_only = outputs[self.logits].shape[1] == 1
        self.heads, self.head_dim = found.description.kv_heads, found.description.head_dim
        for name in self.past:
            _, heads, _, size = inputs[name].shape
            stated = [(heads, self.heads), (size, self.head_dim)]
            self._demand(
                all(not isinstance(said, int) or said == meant for said, meant in stated),
                f"its keys and values are not of {self.heads} heads of {self.head_dim}",
            )

    def bind_plain(
        self, binding: Binding, ids: _Integers, mask: _Integers, positions: _Integers
    ) -> list[Any]:
        """Bind the plain inputs; what comes back must outlive the run."""
        given = {"input_ids": ids, "attention_mask": mask, "position_ids": positions}
        held = []
        for name, kind in self.integers.items():
            array = np.ascontiguousarray(given[name], kind)
            binding.bind_input(name, "cpu", 0, kind, array.shape, array.ctypes.data)
            held.append(array)
        return held

    def bind_logits(
        self, binding: Binding, room: npt.NDArray[Any], rows: int, tokens: int
    ) -> npt.NDArray[Any]:
        """Bind the logits to the room where they fit, else to room of their own."""
        positions = 1 if self.last_only else tokens
        target = (
            room[:rows] if positions == 1 else np.empty((rows, positions, self.vocabulary), self.logits_type)
        )
        binding.bind_output(self.logits, "cpu", 0, self.logits_type, target.shape, target.ctypes.data)
        return target

    def room(self, slots: int) -> npt.NDArray[Any]:
        """Make room for the logits of all slots, one position each."""
        return np.empty((slots, 1, self.vocabulary), self.logits_type)

    def _type(self, name: str) -> Any:
        self._demand(name in _TYPES, f"it has values of type {name}")
        return _TYPES[name]

    def _demand(self, holds: bool, what: str) -> None:
        if not holds:
            raise UnsupportedModelError(f"this graph is not run here: {what}", self._which)


class Buffer(Protocol):
    """Keys or values of all slots: [slots, heads, length, head]."""

    def address(self, row: int) -> int:
        """Say where a row begins."""

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` positions of each head of a row to another row."""


class _HostBuffer:
    def __init__(self, shape: Sequence[int], kind: Any) -> None:
        # Zeros come as untouched pages: a short conversation pays for its own length, not for the whole context.
        self._array: npt.NDArray[Any] = np.zeros(shape, kind)

    def address(self, row: int) -> int:
        return int(self._array[row:].ctypes.data)

    def move(self, source: int, target: int, length: int) -> None:
        self._array[target, :, :length] = self._array[source, :, :length]


class SharedDecoder:
    """A graph that appends to buffers of ours, each row at its own place.

    Past and present name the same memory, so attention writes one position a row and step, and nothing is copied. The
    buffers must outlive the bindings, which know only their addresses.

    Args:
        graph: The graph.
        slots: Rows to make room for.
        context: Positions to make room for, in each row.
    """

    def __init__(self, graph: DecoderGraph, slots: int, context: int) -> None:
        self._graph = graph
        self._slots = slots
        self._shape = (graph.heads, context, graph.head_dim)
        make = self._allocator(graph)
        self._buffers = [make((slots, *self._shape), graph.kv_type) for _ in graph.past]
        self._bindings: dict[tuple[int, int], Binding] = {}
        self._room = graph.room(slots)
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
        give_memory_back()

    def _move(self, source: int, target: int) -> None:
        if source == target:
            return
        length = int(self._lengths[source])
        for buffer in self._buffers:
            buffer.move(source, target, length)
        self._lengths[target] = length

    def _run(self, first: int, ids: _Integers, options: RunOptions) -> Floats:
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
        return _last(target)

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


class ConcatDecoder:
    """A graph that gives back past and new keys and values as one, longer by a position each step.

    They stay where the graph runs from step to step. Rows are of one length, so a shorter one is padded on its left,
    masked, and told its own positions; when a row joins or leaves, all are copied once.

    Args:
        graph: The graph.
        slots: Rows at once; one where the graph takes no positions, since it would then count the padding.
    """

    def __init__(self, graph: DecoderGraph, slots: int) -> None:
        self._graph = graph
        self._slots = slots if graph.with_positions else 1
        self._kind, _, number = graph.device.partition(":")
        self._number = int(number or 0)
        self._room = graph.room(self._slots)
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
                self._to_device(np.concatenate([_fitted(rows, longest), _fitted(begun, longest)]))
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
            self._to_device(np.ascontiguousarray(_fitted(_to_host(value)[order], longest)))
            for value in self._values
        ]

    def release(self) -> None:
        self._values, self._begun = [], []
        del self._graph
        give_memory_back()

    def _run(
        self, ids: _Integers, lengths: Sequence[int], values: Sequence[Any], options: RunOptions
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
        # In the order in which they were bound; the logits come last.
        return _last(target), binding.get_outputs()[: len(self._graph.present)]

    def _to_device(self, array: npt.NDArray[Any]) -> Any:
        return load_runtime().OrtValue.ortvalue_from_numpy(array, self._kind, self._number)


def _to_host(value: Any) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = value.numpy()
    return array


def _fitted(values: npt.NDArray[Any], length: int) -> npt.NDArray[Any]:
    """Cut rows [rows, heads, length, head] on their left, or pad them there."""
    missing = length - values.shape[2]
    if missing <= 0:
        return values[:, :, -missing:]
    return np.pad(values, ((0, 0), (0, 0), (missing, 0), (0, 0)))


def _last(logits: npt.NDArray[Any]) -> Floats:
    """Give the logits of the last position of each row, in float32."""
    return np.asarray(logits[:, -1], np.float32)
