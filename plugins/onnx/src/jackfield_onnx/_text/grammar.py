"""Constrain replies to a grammar, with llguidance."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from jackfield_onnx._local_errors import GenerationError, RequestError

__all__ = ["Grammars"]


class Grammars:
    """Creates constraints for one model's vocabulary.

    Args:
        tokenizer: The model's tokenizer.
        vocabulary: Number of logits.
        end_tokens: Tokens that end a reply.
    """

    def __init__(self, tokenizer: Any, vocabulary: int, end_tokens: Sequence[int]) -> None:
        self._tokenizer = tokenizer
        self._vocabulary = vocabulary
        self._ends = tuple(end_tokens)
        self._lock = threading.Lock()
        self._words: Any = None

    def make_constraint(self, grammar: str) -> _Constraint:
        """Create a constraint for one reply. Blocks: half a second for a model's first.

        Raises:
            RequestError: The grammar, or a JSON schema in it, is not supported.
        """
        from llguidance import LLMatcher

        words = self._load_vocabulary()
        fault = LLMatcher.validate_grammar(grammar, words)
        if fault and not fault.startswith("WARNING"):
            raise RequestError(
                f"the reply cannot be constrained to this schema: {fault.strip().splitlines()[0]}",
                "response_format or the parameters of a tool",
                "Simplify the schema; llguidance's documentation lists the keywords that it supports.",
            )
        return _Constraint(LLMatcher(words, grammar, log_level=0), self._vocabulary, self._ends)

    def _load_vocabulary(self) -> Any:
        from llguidance import LLTokenizer

        with self._lock:
            if self._words is None:
                ends = list(self._ends) or None
                self._words = LLTokenizer(self._tokenizer.to_str(), n_vocab=self._vocabulary, eos_token=ends)
            return self._words


class _Constraint:
    """The state of one reply in its grammar."""

    def __init__(self, matcher: Any, vocabulary: int, ends: tuple[int, ...]) -> None:
        self._matcher = matcher
        self._ends = ends
        self._bits = np.zeros((vocabulary + 31) // 32, np.int32)
        self._vocabulary = vocabulary

    def mask(self, generated: Sequence[int]) -> npt.NDArray[np.bool_]:
        """Return which tokens may come next."""
        # The library takes an address and a size in bytes.
        self._matcher.unsafe_compute_mask_ptr(self._bits.ctypes.data, self._bits.nbytes)
        self._check()
        found = np.unpackbits(self._bits.view(np.uint8), bitorder="little")[: self._vocabulary]
        allowed = found.astype(np.bool_)
        if self._matcher.is_accepting():
            allowed[list(self._ends)] = True
        return allowed

    def accept(self, token: int) -> None:
        """Advance by a chosen token."""
        if token not in self._ends:
            self._matcher.consume_token(token)
            self._check()

    def _check(self) -> None:
        if self._matcher.is_error():
            raise GenerationError(f"the reply violated its grammar: {self._matcher.get_error()}")
