"""Tokenised texts in batches, as an encoder's graph wants them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, get_args

import attrs
import numpy as np
import numpy.typing as npt

from jackfield_onnx._local_errors import RequestError, TextTooLongError, UnsupportedModelError
from jackfield_onnx._runtime.session import RunOptions, Session

__all__ = [
    "Piece",
    "Truncate",
    "check_inputs",
    "check_truncate",
    "cut_pair",
    "cut_text",
    "make_batches",
    "run_batch",
]

Truncate = Literal["error", "start", "end"]

_BATCH: Final = (
    32  # texts in one run: enough to fill the cores, and a cancellation waits for no more than this
)
_INPUTS: Final = frozenset({"input_ids", "attention_mask", "token_type_ids", "position_ids"})


@attrs.frozen
class Piece:
    """A tokenised text, or pair of texts, and its place in the request.

    Args:
        index: Its place.
        ids: Its tokens.
        types: 0 for tokens of the first text, 1 for those of the second.
        cut: Tokens were left out.
        skip: Tokens at the beginning that do not count in pooling.
    """

    index: int
    ids: list[int]
    types: list[int]
    cut: bool = False
    skip: int = 0


def cut_text(index: int, encoding: Any, limit: int, truncate: Truncate, model: str) -> Piece:
    """Make a piece of one text; the markers at both ends stay.

    Raises:
        TextTooLongError: It is too long and may not be cut.
    """
    ids, types = list(encoding.ids), list(encoding.type_ids)
    excess = len(ids) - limit
    if excess > 0:
        if truncate == "error":
            raise TextTooLongError(index, len(ids), limit, model)
        # Markers are what belongs to no text: some tokenizers have none, or only one.
        own = [at for at, part in enumerate(encoding.sequence_ids) if part == 0]
        _cut(ids, types, own, excess, truncate)
    return Piece(index, ids, types, excess > 0)


def cut_pair(index: int, encoding: Any, limit: int, truncate: Truncate, model: str) -> Piece:
    """Make a piece of two texts; only the second is ever cut.

    Raises:
        TextTooLongError: It is too long and may not be cut, or the first text alone is too long.
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
    """Check a caller's word.

    Raises:
        RequestError: It is none of ours.
    """
    if truncate not in get_args(Truncate):
        raise RequestError(f"truncate must be error, start or end, not {truncate!r}", "truncate")


def check_inputs(session: Session, model: str) -> None:
    """Check that a graph wants nothing that is not given here.

    Raises:
        UnsupportedModelError: It does.
    """
    unknown = {slot.name for slot in session.get_inputs()} - _INPUTS
    if unknown:
        raise UnsupportedModelError(f"this graph is not run here: it has an input {min(unknown)!r}", model)


def make_batches(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Group texts of similar length, so that short ones do not pay for the padding of a long one."""
    ordered = sorted(pieces, key=lambda piece: len(piece.ids))
    for start in range(0, len(ordered), _BATCH):
        yield ordered[start : start + _BATCH]


def run_batch(
    session: Session, batch: Sequence[Piece], output: str, pad: int, options: RunOptions
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Run a batch.

    Returns:
        The output, and the mask [texts, tokens] of what counts in pooling.
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
    names = {slot.name for slot in session.get_inputs()}
    feed = {name: np.ascontiguousarray(value) for name, value in given.items() if name in names}
    (found,) = session.run([output], feed, options)
    return np.asarray(found, np.float32), counted


def _cut(ids: list[int], types: list[int], own: list[int], excess: int, truncate: Truncate) -> None:
    gone = own[:excess] if truncate == "start" else own[len(own) - excess :]
    for at in reversed(gone):
        del ids[at], types[at]
