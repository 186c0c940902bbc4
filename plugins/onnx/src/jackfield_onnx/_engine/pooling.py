"""Pool hidden states into vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from jackfield_onnx._files.encoders import Pooling
from jackfield_onnx._text.sampling import Floats

__all__ = ["mean_pool", "normalise", "pool"]

_Mask = npt.NDArray[np.int64]
_SHORTEST_NORM: Final = 1e-12


def pool(hidden: Floats, mask: _Mask, poolings: Sequence[Pooling]) -> Floats:
    """Pool the hidden states of each text into one vector.

    Args:
        hidden: Hidden states [texts, tokens, dimensions].
        mask: 1 for tokens that are pooled, [texts, tokens].
        poolings: Kinds of pooling; their vectors are concatenated.
    """
    return np.concatenate([_WAYS[way](hidden, mask) for way in poolings], axis=1)


def mean_pool(hidden: Floats, mask: _Mask) -> Floats:
    """Average hidden states over the tokens in the mask."""
    weights = mask[..., None].astype(np.float32)
    weighted = hidden * weights
    weighted[mask == 0] = 0  # whatever the model computed there does not count, NaN included
    mean: Floats = weighted.sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-9)
    return mean


def normalise(vectors: Floats) -> Floats:
    """Scale rows to length one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, _SHORTEST_NORM), dtype=np.float32)


def _take_first(hidden: Floats, mask: _Mask) -> Floats:
    first: Floats = hidden[np.arange(len(hidden)), mask.argmax(axis=1)]
    return first


def _take_last(hidden: Floats, mask: _Mask) -> Floats:
    at = mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)
    last: Floats = hidden[np.arange(len(hidden)), at]
    return last


def _take_greatest(hidden: Floats, mask: _Mask) -> Floats:
    greatest: Floats = np.where(mask[..., None] > 0, hidden, np.float32(-1e9)).max(axis=1)
    return greatest


def _average_by_root(hidden: Floats, mask: _Mask) -> Floats:
    roots = np.sqrt(mask.sum(axis=1, keepdims=True)).astype(np.float32)
    return np.asarray(mean_pool(hidden, mask) * roots, np.float32)


def _average_by_position(hidden: Floats, mask: _Mask) -> Floats:
    """Average with weights that increase with the position in the text."""
    return mean_pool(hidden, mask * np.arange(1, mask.shape[1] + 1))


_WAYS: Final[Mapping[Pooling, Callable[[Floats, _Mask], Floats]]] = {
    "mean": mean_pool,
    "cls": _take_first,
    "lasttoken": _take_last,
    "max": _take_greatest,
    "mean_sqrt_len_tokens": _average_by_root,
    "weightedmean": _average_by_position,
}
