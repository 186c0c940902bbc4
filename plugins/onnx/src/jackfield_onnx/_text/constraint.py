"""What keeps an answer to a grammar: the interface between whoever knows the grammar and the sampler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["TokenConstraint"]


class TokenConstraint(Protocol):
    """Says which tokens may come next in one answer. Belongs to one request, and is called from one thread.

    For each token of the answer the sampler calls `mask` once and then, with what it chose, `accept` once.
    """

    def mask(self, generated: Sequence[int]) -> npt.NDArray[np.bool_]:
        """Say which tokens may come next.

        Args:
            generated: Tokens of the answer so far; each was given to `accept` before.

        Returns:
            One truth value for each token of the vocabulary. It may be shorter than the logits, whose last rows are
            padding in some models: what it does not reach is forbidden. An end token is allowed where the answer may
            end, and nothing else where it must. All False is an error of the answer.
        """

    def accept(self, token: int) -> None:
        """Take a chosen token into account; end tokens are given too."""
