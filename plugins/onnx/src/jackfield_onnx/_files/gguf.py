"""Read GGUF files: metadata and tensors, with numpy only.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (versions 2 and 3 differ only in byte order).
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import attrs
import numpy as np
import numpy.typing as npt

from jackfield_onnx._local_errors import DamagedModelError, UnsupportedModelError

__all__ = ["Floats", "GgufFile", "TensorInfo"]

Floats = npt.NDArray[np.float32]
_Blocks = npt.NDArray[np.uint8]

# Format characters of struct by the number of a scalar metadata type.
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_DEFAULT_ALIGNMENT = 32

# Elements and bytes of a block by the number of a tensor type.
_F32, _F16, _Q4_0, _Q4_1, _Q8_0, _BF16 = 0, 1, 2, 3, 8, 30
_BLOCKS = {_F32: (1, 4), _F16: (1, 2), _Q4_0: (32, 18), _Q4_1: (32, 20), _Q8_0: (32, 34), _BF16: (1, 2)}


@attrs.frozen
class TensorInfo:
    """A tensor's shape (rows first), the number of its type, and its offset in the data section."""

    shape: tuple[int, ...]
    kind: int
    offset: int


class GgufFile:
    """A GGUF file, mapped into memory and read on demand.

    Args:
        path: The file.

    Raises:
        DamagedModelError: It is not a GGUF file, or is truncated.
    """

    metadata: Mapping[str, Any]
    tensors: Mapping[str, TensorInfo]

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as file:
            try:
                self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError as error:  # an empty file cannot be mapped
                raise self._damaged_error("the file is empty") from error
        self._at = 0
        try:
            self._read_header()
        except (struct.error, IndexError, ValueError) as error:
            self.close()
            raise self._damaged_error(f"its header cannot be read: {error}") from error
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Arrays read from it are copies and stay valid."""
        self._bytes.close()

    def read_tensor(self, name: str) -> Floats:
        """Read a tensor as float32, dequantised if necessary.

        Raises:
            DamagedModelError: The file has no such tensor, or is truncated.
            UnsupportedModelError: The tensor's type is not supported.
        """
        info = self.tensors.get(name)
        if info is None:
            raise self._damaged_error(f"it has no tensor {name!r}")
        if info.kind not in _BLOCKS:
            raise UnsupportedModelError(
                f"tensor {name!r} has GGUF type {info.kind}, which is not supported",
                str(self._path),
                "Use a file in F32, F16, BF16, Q4_0, Q4_1 or Q8_0.",
            )
        elements, size = _BLOCKS[info.kind]
        count = int(np.prod(info.shape)) // elements
        start = self._data + info.offset
        if start + count * size > len(self._bytes):
            raise self._damaged_error(f"tensor {name!r} extends past the end of the file")
        # Copied as bytes first: a view would prevent the map from being closed.
        blocks = np.frombuffer(self._bytes[start : start + count * size], np.uint8).reshape(count, size)
        return _dequantise(blocks, info.kind).reshape(info.shape)

    def _read_header(self) -> None:
        if self._bytes[:4] != b"GGUF":
            raise self._damaged_error("it does not begin with GGUF")
        self._at = 4
        version = self._read_scalar("I")
        if version not in {2, 3}:
            raise UnsupportedModelError(
                f"GGUF version {version} is not supported", str(self._path), "Use a file of version 2 or 3."
            )
        tensor_count, entry_count = self._read_scalar("Q"), self._read_scalar("Q")
        self.metadata = {
            self._read_string(): self._read_value(self._read_scalar("I")) for _ in range(entry_count)
        }
        self.tensors = dict(self._read_tensor_info() for _ in range(tensor_count))
        alignment = self.metadata.get("general.alignment", _DEFAULT_ALIGNMENT)
        self._data = -(-self._at // alignment) * alignment

    def _read_tensor_info(self) -> tuple[str, TensorInfo]:
        name = self._read_string()
        dimensions = [self._read_scalar("Q") for _ in range(self._read_scalar("I"))]
        kind, offset = self._read_scalar("I"), self._read_scalar("Q")
        # GGUF writes the fastest-varying dimension first, numpy has it last.
        return name, TensorInfo(tuple(reversed(dimensions)), kind, offset)

    def _read_value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._read_string()
        if kind == _ARRAY:
            item_kind, count = self._read_scalar("I"), self._read_scalar("Q")
            if item_kind in _SCALARS:
                return self._read_scalars(_SCALARS[item_kind], count)
            return [self._read_value(item_kind) for _ in range(count)]
        if kind not in _SCALARS:
            raise self._damaged_error(f"metadata of type {kind} is unknown")
        return self._read_scalar(_SCALARS[kind])

    def _read_scalar(self, letter: str) -> Any:
        return self._read_scalars(letter, 1)[0]

    def _read_scalars(self, letter: str, count: int) -> list[Any]:
        form = f"<{count}{letter}"
        values = struct.unpack_from(form, self._bytes, self._at)
        self._at += struct.calcsize(form)
        return list(values)

    def _read_string(self) -> str:
        length = self._read_scalar("Q")
        raw = self._bytes[self._at : self._at + length]
        if len(raw) != length:
            raise self._damaged_error("a string extends past its end")
        self._at += length
        # Vocabularies contain single bytes of multi-byte characters, which must be preserved.
        return raw.decode("utf-8", "surrogateescape")

    def _damaged_error(self, what: str) -> DamagedModelError:
        return DamagedModelError(
            f"this is not a complete GGUF file: {what}", str(self._path), "Fetch the file again."
        )


def _dequantise(blocks: _Blocks, kind: int) -> Floats:
    """Convert blocks (one per row) to float32, according to the block layouts of ggml-common.h."""
    if kind == _F32:
        return blocks.view("<f4").astype(np.float32)
    if kind == _F16:
        return blocks.view("<f2").astype(np.float32)
    if kind == _BF16:
        # A bfloat16 is the upper half of a float32.
        return (blocks.view("<u2").astype(np.uint32) << 16).view(np.float32)
    scale = _read_half(blocks, 0)
    if kind == _Q8_0:
        return scale * blocks[:, 2:].view(np.int8)
    if kind == _Q4_0:
        return scale * (_unpack_nibbles(blocks[:, 2:]) - 8)
    return scale * _unpack_nibbles(blocks[:, 4:]) + _read_half(blocks, 2)


def _read_half(blocks: _Blocks, at: int) -> Floats:
    return np.ascontiguousarray(blocks[:, at : at + 2]).view("<f2").astype(np.float32)


def _unpack_nibbles(packed: _Blocks) -> Floats:
    # ggml stores the first half of a block in the low nibbles and the second half in the high ones.
    return np.concatenate([packed & 15, packed >> 4], axis=1).astype(np.float32)
