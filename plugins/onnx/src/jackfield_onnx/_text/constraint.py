"""The interface between a grammar and the sampler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["TokenConstraint"]


class TokenConstraint(Protocol):
    """Determines which tokens may come next in one reply. Belongs to one request and is called from one thread.

    For each token of the reply the sampler calls `mask` once, and then `accept` once with the chosen token.
    """

    def mask(self, generated: Sequence[int]) -> npt.NDArray[np.bool_]:
        """Return which tokens may come next.

        Args:
            generated: Tokens of the reply so far; each was passed to `accept` before.

        Returns:
            One boolean per token of the vocabulary. It may be shorter than the logits, the last of which are padding in
            some models: tokens beyond its end are forbidden. End tokens are allowed where the reply may end, and only
            they are where it must end. If all are False, the reply fails.
        """

    def accept(self, token: int) -> None:
        """Advance by a chosen token; end tokens are passed, too."""
