"""Build the ONNX graph of a llama model from the tensors of a GGUF file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

import attrs
import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper

from .folder import (
    WEIGHTS_FILE,
)
from .gguf import Floats, GgufFile

__all__ = ["BLOCK_SIZE", "LlamaGraphBuilder", "LlamaShape", "quantise", "split_halves"]

BLOCK_SIZE = 32
_MICROSOFT = "com.microsoft"  # the domain of ONNX Runtime's own operators
_OPSET = 21
_IR_VERSION = 10
_INLINE_BYTES = 1024  # smaller constants stay in the graph, where shape inference can see them
_PAGE = 4096  # the runtime maps external data by pages
_TO_END = np.iinfo(np.int64).max


@attrs.frozen(kw_only=True)
class LlamaShape:
    """The hyperparameters of a llama graph."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    feed_forward: int
    context: int
    vocabulary: int
    epsilon: float
    rope_base: float


def quantise(weight: Floats) -> tuple[npt.NDArray[np.uint8], Floats]:
    """Quantise rows to 8 bits in symmetric blocks.

    Returns:
        Numbers [rows, blocks, 32] around 128, and one scale per block [rows, blocks].
    """
    rows, columns = weight.shape
    blocks = weight.reshape(rows, columns // BLOCK_SIZE, BLOCK_SIZE)
    scales = np.abs(blocks).max(axis=-1) / np.float32(127)
    scales[scales == 0] = 1  # a block of zeros: any scale but zero works
    numbers = np.rint(blocks / scales[..., None]) + 128
    return numbers.astype(np.uint8), scales


def split_halves(weight: Floats, heads: int) -> Floats:
    """Undo llama.cpp's row order of attn_q and attn_k.

    llama.cpp interleaves the two halves of each head for its rotary embedding; the fused operator rotates halves.
    """
    rows, columns = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


class LlamaGraphBuilder:
    """Builds the graph. Each weight is written to the data file at once, so memory holds one at a time."""

    def __init__(self, gguf: GgufFile, shape: LlamaShape, data: BinaryIO, precision: str) -> None:
        self._gguf = gguf
        self._exact = precision == "fp32"
        self._shape = shape
        self._data = data
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs = [
            helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["rows", "tokens"]),
            helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["rows", "length"]),
        ]
        self._outputs = [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", 1, shape.vocabulary])
        ]

    def build(self, progress: Callable[[int, int], None] | None) -> Any:
        self._add_lengths()
        self._add_rotary()
        table = self._gguf.read_tensor("token_embd.weight")
        embedding = None if self._exact else quantise(table)
        if embedding is None:
            hidden = self._add_node(
                "Gather", [self._add_constant("embedding", table), "input_ids"], ["embedded"]
            )
        else:
            hidden = self._add_embedding(embedding)
        normed = self._add_node(
            "SimplifiedLayerNormalization",
            [hidden, self._add_norm_weight("blk.0.attn_norm.weight")],
            ["first.norm"],
            epsilon=self._shape.epsilon,
            axis=-1,
            stash_type=1,
        )
        for layer in range(self._shape.layers):
            hidden, normed = self._add_block(layer, hidden, normed)
            if progress is not None:
                progress(layer + 1, self._shape.layers)
        last = self._add_last_position(normed)
        if "output.weight" in self._gguf.tensors:
            self._add_linear(last, "logits", self._gguf.read_tensor("output.weight"))
        elif embedding is None:
            self._add_linear(last, "logits", table)
        else:
            self._add_tied_head(last, embedding)
        graph = helper.make_graph(self._nodes, "llama", self._inputs, self._outputs, self._constants)
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_MICROSOFT, 1)]
        return helper.make_model(
            graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="jackfield-onnx"
        )

    def _add_lengths(self) -> None:
        """Derive the inputs of attention (each row's last position, the longest length) from the mask."""
        one = self._add_constant("one", np.array([1], np.int64))
        self._add_node("ReduceSum", ["attention_mask", one], ["lengths"], keepdims=0)
        self._add_node("Sub", ["lengths", one], ["last_positions"])
        self._add_node("Cast", ["last_positions"], ["seqlens_k"], to=TensorProto.INT32)
        self._add_node("Shape", ["attention_mask"], ["mask_shape"])
        self._add_node(
            "Gather", ["mask_shape", self._add_constant("axis_1", np.array(1, np.int64))], ["longest"]
        )
        self._add_node("Cast", ["longest"], ["total_length"], to=TensorProto.INT32)

    def _add_rotary(self) -> None:
        half = np.arange(0, self._shape.head_dim, 2, dtype=np.float64) / self._shape.head_dim
        angles = np.outer(np.arange(self._shape.context), 1.0 / self._shape.rope_base**half)
        self._add_constant("cos", np.cos(angles).astype(np.float32))
        self._add_constant("sin", np.sin(angles).astype(np.float32))

    def _add_embedding(self, embedding: tuple[npt.NDArray[np.uint8], Floats]) -> str:
        numbers, scales = embedding
        rows, blocks = scales.shape
        return self._add_node(
            "GatherBlockQuantized",
            [
                self._add_constant("embedding.numbers", numbers.reshape(rows, -1)),
                "input_ids",
                self._add_constant("embedding.scales", scales),
                self._add_constant("embedding.zeros", np.full((rows, blocks), 128, np.uint8)),
            ],
            ["embedded"],
            domain=_MICROSOFT,
            bits=8,
            block_size=BLOCK_SIZE,
            gather_axis=0,
            quantize_axis=1,
        )

    def _add_block(self, layer: int, hidden: str, normed: str) -> tuple[str, str]:
        """Add one transformer block.

        Returns:
            The names of the residual stream and of its normalised form for the next block.
        """
        read, source, to = self._gguf.read_tensor, f"blk.{layer}.", f"layer{layer}."
        attended = self._add_attention(layer, normed)
        projected = self._add_linear(attended, to + "output", read(source + "attn_output.weight"))
        hidden, normed = self._add_and_norm(hidden, projected, source + "ffn_norm.weight", to + "middle")
        gate = self._add_linear(normed, to + "gate", read(source + "ffn_gate.weight"))
        up = self._add_linear(normed, to + "up", read(source + "ffn_up.weight"))
        sigmoid = self._add_node("Sigmoid", [gate], [to + "sigmoid"])
        silu = self._add_node("Mul", [gate, sigmoid], [to + "silu"])
        gated = self._add_node("Mul", [silu, up], [to + "gated"])
        down = self._add_linear(gated, to + "down", read(source + "ffn_down.weight"))
        last = layer + 1 == self._shape.layers
        norm = "output_norm.weight" if last else f"blk.{layer + 1}.attn_norm.weight"
        return self._add_and_norm(hidden, down, norm, to + "end")

    def _add_attention(self, layer: int, normed: str) -> str:
        shape, source, to = self._shape, f"blk.{layer}.", f"layer{layer}."
        weights = [
            split_halves(self._gguf.read_tensor(source + "attn_q.weight"), shape.heads),
            split_halves(self._gguf.read_tensor(source + "attn_k.weight"), shape.kv_heads),
            self._gguf.read_tensor(source + "attn_v.weight"),
        ]
        packed = self._add_linear(normed, to + "qkv", np.concatenate(weights))
        past, present = [], []
        for side in ("key", "value"):
            past.append(self._add_cache(self._inputs, f"past_key_values.{layer}.{side}", "past"))
            present.append(self._add_cache(self._outputs, f"present.{layer}.{side}", "total"))
        return self._add_node(
            "GroupQueryAttention",
            [packed, "", "", *past, "seqlens_k", "total_length", "cos", "sin"],
            [to + "attended", *present],
            domain=_MICROSOFT,
            num_heads=shape.heads,
            kv_num_heads=shape.kv_heads,
            do_rotary=1,
            rotary_interleaved=0,
            scale=shape.head_dim**-0.5,
        )

    def _add_cache(self, side: list[Any], name: str, length: str) -> str:
        shape: list[str | int | None] = ["rows", self._shape.kv_heads, length, self._shape.head_dim]
        side.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return name

    def _add_and_norm(self, hidden: str, addend: str, norm: str, to: str) -> tuple[str, str]:
        normed = self._add_node(
            "SkipSimplifiedLayerNormalization",
            [hidden, addend, self._add_norm_weight(norm)],
            [to + ".norm", "", "", to + ".sum"],
            domain=_MICROSOFT,
            epsilon=self._shape.epsilon,
        )
        return to + ".sum", normed

    def _add_last_position(self, normed: str) -> str:
        """Keep only the last position: other logits of a prompt are never sampled, and take a fifth of its time."""
        bounds = [self._add_constant(f"last.{i}", np.array([i], np.int64)) for i in (-1, _TO_END, 1)]
        return self._add_node("Slice", [normed, *bounds], ["last"])

    def _add_tied_head(self, last: str, embedding: tuple[npt.NDArray[np.uint8], Floats]) -> None:
        # A tied head uses the embedding's numbers, in the shape that this operator requires.
        shape = self._add_constant("head.shape", np.array(embedding[0].shape, np.int64))
        self._add_node("Reshape", ["embedding.numbers", shape], ["head.numbers"])
        self._add_matmul(last, "logits", ["head.numbers", "embedding.scales"], embedding[0].shape)

    def _add_linear(self, x: str, name: str, weight: Floats) -> str:
        if self._exact:
            return self._add_node("MatMul", [x, self._add_constant(name + ".weight", weight.T)], [name])
        numbers, scales = quantise(weight)
        constants = [
            self._add_constant(name + ".numbers", numbers),
            self._add_constant(name + ".scales", scales),
        ]
        return self._add_matmul(x, name, constants, numbers.shape)

    def _add_matmul(self, x: str, name: str, weights: Sequence[str], shape: tuple[int, ...]) -> str:
        return self._add_node(
            "MatMulNBits",
            [x, *weights],
            [name],
            domain=_MICROSOFT,
            N=shape[0],
            K=shape[1] * BLOCK_SIZE,
            bits=8,
            block_size=BLOCK_SIZE,
            # Level 4 multiplies in int8. Lower levels dequantise at every step, which is 6 to 12 times slower.
            accuracy_level=4,
        )

    def _add_norm_weight(self, name: str) -> str:
        return self._add_constant(name, self._gguf.read_tensor(name))

    def _add_node(
        self,
        operator: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        *,
        domain: str = "",
        **attributes: Any,
    ) -> str:
        """Append a node and return the name of its first output."""
        self._nodes.append(
            helper.make_node(operator, inputs, outputs, name=outputs[0], domain=domain, **attributes)
        )
        return outputs[0]

    def _add_constant(self, name: str, array: npt.NDArray[Any]) -> str:
        if array.nbytes < _INLINE_BYTES:
            self._constants.append(numpy_helper.from_array(array, name))
            return name
        self._data.seek(-(-self._data.tell() // _PAGE) * _PAGE)
        proto = TensorProto(
            name=name,
            dims=array.shape,
            data_type=helper.np_dtype_to_tensor_dtype(array.dtype),
            data_location=TensorProto.EXTERNAL,
        )
        place = {"location": WEIGHTS_FILE, "offset": self._data.tell(), "length": array.nbytes}
        for key, value in place.items():
            proto.external_data.add(key=key, value=str(value))
        self._data.write(np.ascontiguousarray(array).data)
        self._constants.append(proto)
        return name
