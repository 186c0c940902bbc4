"""Keep an answer to a grammar, with llguidance."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from jackfield_onnx._local_errors import GenerationError, RequestError

__all__ = ["Grammars"]


class Grammars:
    """Makes constraints for one model's tokens.

    Args:
        tokenizer: The model's tokenizer.
        vocabulary: Number of its logits.
        end_tokens: Tokens that end an answer.
    """

    def __init__(self, tokenizer: Any, vocabulary: int, end_tokens: Sequence[int]) -> None:
        self._tokenizer = tokenizer
        self._vocabulary = vocabulary
        self._ends = tuple(end_tokens)
        self._lock = threading.Lock()
        self._words: Any = None

    def make_constraint(self, grammar: str) -> _Constraint:
        """Make a constraint for one answer. Blocks: half a second for a model's first.

        Raises:
            RequestError: The grammar, or the JSON schema in it, is not one that can be held.
        """
        from llguidance import LLMatcher

        words = self._load_vocabulary()
        fault = LLMatcher.validate_grammar(grammar, words)
        if fault and not fault.startswith("WARNING"):
            raise RequestError(
                f"this form cannot be forced on an answer: {fault.strip().splitlines()[0]}",
                "response_format or the parameters of a tool",
                "Simplify the schema; llguidance's documentation says which keywords it holds.",
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
    """One answer's place in its grammar."""

    def __init__(self, matcher: Any, vocabulary: int, ends: tuple[int, ...]) -> None:
        self._matcher = matcher
        self._ends = ends
        self._bits = np.zeros((vocabulary + 31) // 32, np.int32)
        self._vocabulary = vocabulary

    def mask(self, generated: Sequence[int]) -> npt.NDArray[np.bool_]:
        """Say which tokens may come next."""
        # Its parameter is untyped in the library: an address, and a size in bytes.
        self._matcher.unsafe_compute_mask_ptr(self._bits.ctypes.data, self._bits.nbytes)
        self._check()
        found = np.unpackbits(self._bits.view(np.uint8), bitorder="little")[: self._vocabulary]
        allowed = found.astype(np.bool_)
        if self._matcher.is_accepting():
            allowed[list(self._ends)] = True
        return allowed

    def accept(self, token: int) -> None:
        """Take a chosen token into account."""
        if token not in self._ends:
            self._matcher.consume_token(token)
            self._check()

    def _check(self) -> None:
        if self._matcher.is_error():
            raise GenerationError(f"the answer left its grammar: {self._matcher.get_error()}")
