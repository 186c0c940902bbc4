"""Truncate tokenised texts and run them through an encoder in batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal, get_args

import attrs
import numpy as np
import numpy.typing as npt

from jackfield_onnx._local_errors import (
    NotFiniteError,
    RequestError,
    TextTooLongError,
    UnsupportedModelError,
)
from jackfield_onnx._runtime.session import RunOptions, Session

__all__ = [
    "Piece",
    "Truncate",
    "check_finite",
    "check_inputs",
    "check_truncate",
    "cut_pair",
    "cut_text",
    "make_batches",
    "run_batch",
]

Truncate = Literal["error", "start", "end"]

# Texts per run: enough to use all cores, and few enough for a cancellation to take effect soon.
_BATCH: Final = 32
_INPUTS: Final = frozenset({"input_ids", "attention_mask", "token_type_ids", "position_ids"})
# Most graphs want int64, some int32; masks may also be numbers or truth values.
_TYPES: Final[Mapping[str, Any]] = {
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(bool)": np.bool_,
}


@attrs.frozen
class Piece:
    """A tokenised text or pair of texts.

    Args:
        index: Its position in the request.
        ids: Its tokens.
        types: 0 for tokens of the first text, 1 for those of the second.
        cut: Whether it was truncated.
        skip: Number of tokens at the beginning that are excluded from pooling.
    """

    index: int
    ids: list[int]
    types: list[int]
    cut: bool = False
    skip: int = 0


def cut_text(index: int, encoding: Any, limit: int, truncate: Truncate, model: str, prompt: int = 0) -> Piece:
    """Truncate a text to the limit; special tokens are kept.

    Args:
        index: Its position in the request.
        encoding: The tokenised text.
        limit: Maximum number of tokens.
        truncate: Where to truncate.
        model: The model's name.
        prompt: Number of characters at the beginning that are the model's prompt, which is kept, too.

    Raises:
        TextTooLongError: It is too long, and `truncate` is `error`, or there is too little besides what is kept.
    """
    ids, types = list(encoding.ids), list(encoding.type_ids)
    excess = len(ids) - limit
    if excess > 0:
        if truncate == "error":
            raise TextTooLongError(index, len(ids), limit, model)
        # Special tokens belong to no sequence; some tokenizers add none, or only one.
        own = [
            at
            for at, (part, (start, _)) in enumerate(zip(encoding.sequence_ids, encoding.offsets, strict=True))
            if part == 0 and start >= prompt
        ]
        if len(own) < excess:
            raise TextTooLongError(index, len(ids), limit, model)
        _cut(ids, types, own, excess, truncate)
    return Piece(index, ids, types, excess > 0)


def cut_pair(index: int, encoding: Any, limit: int, truncate: Truncate, model: str) -> Piece:
    """Truncate a pair of texts to the limit; only the second text is truncated.

    Raises:
        TextTooLongError: It is too long, and `truncate` is `error` or the second text is too short to make up for it.
    """
    ids, types = list(encoding.ids), list(encoding.type_ids)
    excess = len(ids) - limit
    if excess > 0:
        second = [at for at, part in enumerate(encoding.sequence_ids) if part == 1]
        if truncate == "error" or len(second) < excess:
            raise TextTooLongError(index, len(ids), limit, model)
        _cut(ids, types, second, excess, truncate)
    return Piece(index, ids, types, excess > 0)


def check_truncate(truncate: str) -> None:
    """Check the value of `truncate`.

    Raises:
        RequestError: It is not valid.
    """
    if truncate not in get_args(Truncate):
        raise RequestError(f"truncate must be error, start or end, not {truncate!r}", "truncate")


def check_inputs(session: Session, model: str) -> None:
    """Check that a graph has only known inputs.

    Raises:
        UnsupportedModelError: It has another one.
    """
    unknown = {slot.name for slot in session.get_inputs()} - _INPUTS
    if unknown:
        raise UnsupportedModelError(f"this graph is not supported: it has an input {min(unknown)!r}", model)
    for slot in session.get_inputs():
        if slot.type not in _TYPES:
            raise UnsupportedModelError(
                f"this graph is not supported: its input {slot.name!r} is of type {slot.type}", model
            )


def check_finite(values: npt.NDArray[np.float32], batch: Sequence[Piece], what: str, model: str) -> None:
    """Check that a model's results [texts, ...] are numbers.

    Args:
        values: The results.
        batch: The texts.
        what: What a result is, for the message.
        model: The model's name.

    Raises:
        NotFiniteError: One is NaN or infinite.
    """
    wrong = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(wrong):
        first = min(batch[int(row)].index for row in wrong)
        raise NotFiniteError(f"{what} {first}", model)


def make_batches(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Group texts of similar length, so that short ones are not padded to the length of a long one."""
    ordered = sorted(pieces, key=lambda piece: len(piece.ids))
    for start in range(0, len(ordered), _BATCH):
        yield ordered[start : start + _BATCH]


def run_batch(
    session: Session, batch: Sequence[Piece], output: str, pad: int, options: RunOptions
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Run a batch.

    Returns:
        The output, and the mask [texts, tokens] for pooling.
    """
    width = max(len(piece.ids) for piece in batch)
    ids = np.full((len(batch), width), pad, np.int64)
    mask, types, counted = (np.zeros_like(ids) for _ in range(3))
    for row, piece in enumerate(batch):
        length = len(piece.ids)
        ids[row, :length] = piece.ids
        types[row, :length] = piece.types
        mask[row, :length] = 1
        counted[row, piece.skip : length] = 1
    positions = np.broadcast_to(np.arange(width), ids.shape)
    given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types, "position_ids": positions}
    feed = {
        slot.name: np.ascontiguousarray(given[slot.name], _TYPES[slot.type]) for slot in session.get_inputs()
    }
    (found,) = session.run([output], feed, options)
    return np.asarray(found, np.float32), counted


def _cut(ids: list[int], types: list[int], own: list[int], excess: int, truncate: Truncate) -> None:
    gone = own[:excess] if truncate == "start" else own[len(own) - excess :]
    for at in reversed(gone):
        del ids[at], types[at]
