"""An opened decoder graph: checks of its inputs and outputs, and their binding."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from jackfield_onnx._files.layouts import DecoderFolder
from jackfield_onnx._local_errors import UnsupportedModelError
from jackfield_onnx._runtime.session import (
    Binding,
    OpenedSession,
    Session,
)
from jackfield_onnx._text.sampling import Floats

__all__ = ["DecoderGraph", "Integers", "take_last_logits"]

Integers = npt.NDArray[np.int64]

_TYPES: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}
_PLAIN_INPUTS = frozenset({"input_ids", "attention_mask", "position_ids"})


class DecoderGraph:
    """An opened graph, with the names and types of its inputs and outputs.

    Args:
        opened: Its session.
        found: The model's folder.

    Raises:
        UnsupportedModelError: The graph does not match the folder, or has an unknown input.
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
        self._require(
            {"input_ids", "attention_mask", *self.past} <= inputs.keys(), "an input of a decoder is missing"
        )
        self._require({self.logits, *self.present} <= outputs.keys(), "an output of a decoder is missing")
        shape = outputs[self.logits].shape
        self._require(len(shape) == 3, "its logits have another shape than those of a decoder")
        self._require(
            not isinstance(shape[2], int) or shape[2] == self.vocabulary,
            f"it has logits of {shape[2]} tokens, and its configuration says {self.vocabulary}",
        )
        unknown = inputs.keys() - _PLAIN_INPUTS - set(self.past)
        self._require(not unknown, f"it has an input {min(unknown, default='')!r}")
        self.with_positions = "position_ids" in inputs
        self.integers = {name: self._check_type(inputs[name].type) for name in _PLAIN_INPUTS & inputs.keys()}
        self.kv_type = self._check_type(inputs[self.past[0]].type)
        self.logits_type = self._check_type(outputs[self.logits].type)
        # Our converter's graphs return only the last position, others return all.
        self.last_only = outputs[self.logits].shape[1] == 1
        self.heads, self.head_dim = found.description.kv_heads, found.description.head_dim
        for name in self.past:
            self._require(len(inputs[name].shape) == 4, f"its input {name!r} is not of keys or values")
            _, heads, _, size = inputs[name].shape
            stated = [(heads, self.heads), (size, self.head_dim)]
            self._require(
                all(not isinstance(said, int) or said == meant for said, meant in stated),
                f"its keys and values are not of {self.heads} heads of {self.head_dim}",
            )

    def bind_plain(self, binding: Binding, ids: Integers, mask: Integers, positions: Integers) -> list[Any]:
        """Bind the inputs besides the KV cache; the returned arrays must outlive the run."""
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
        """Bind the logits to `room` if they fit, else to a new array; return the array."""
        positions = 1 if self.last_only else tokens
        target = (
            room[:rows] if positions == 1 else np.empty((rows, positions, self.vocabulary), self.logits_type)
        )
        binding.bind_output(self.logits, "cpu", 0, self.logits_type, target.shape, target.ctypes.data)
        return target

    def allocate_logits(self, slots: int) -> npt.NDArray[Any]:
        """Allocate an array for the logits of all slots, one position each."""
        return np.empty((slots, 1, self.vocabulary), self.logits_type)

    def _check_type(self, name: str) -> Any:
        self._require(name in _TYPES, f"it has values of type {name}")
        return _TYPES[name]

    def _require(self, holds: bool, what: str) -> None:
        if not holds:
            raise UnsupportedModelError(f"this graph is not supported: {what}", self._which)


def take_last_logits(logits: npt.NDArray[Any]) -> Floats:
    """Return the logits of the last position of each row, in float32."""
    return np.asarray(logits[:, -1], np.float32)
