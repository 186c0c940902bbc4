"""Read answers that are never streamed, and the vectors in them."""

from __future__ import annotations

import base64
from array import array
from collections.abc import Callable, Iterable
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from math import isfinite
from sys import byteorder
from typing import Any

from jackfield._faces import show_in
from jackfield._json import read_json
from jackfield._types.errors import MalformedResponseError
from jackfield._types.events import Event
from jackfield._types.wire import Frame, Head

from .json_frames import not_json

__all__ = ["WholeDecoder", "find_vector_fault", "vector_reader"]


class WholeDecoder:
    """Decode an answer that is one JSON value: embeddings, rankings, counts of tokens.

    Args:
        read: Returns the events of the value. It may raise `FailureInStream` where the value tells of a failure, and
            any `JackfieldError`; what else it trips over makes the answer a malformed one.
    """

    def __init__(self, read: Callable[[Any], Iterable[Event]]) -> None:
        self._reader = read
        self._has_come = False

    def start(self, head: Head) -> list[Event]:
        """Handle the response head."""
        return []

    def feed(self, frame: Frame) -> list[Event]:
        """Read the whole answer.

        Raises:
            MalformedResponseError: It is not JSON, or the reader says so; with the body.
        """
        try:
            value = read_json(frame.data)
        except ValueError as error:
            raise not_json(frame, error) from error
        self._has_come = True
        try:
            return list(self._reader(value))
        except MalformedResponseError as error:
            if error.body is None:  # a reader has the value, not the bytes
                error.body = bytes(frame.data)
            raise

    def finish(self) -> list[Event]:
        """Check that there was an answer.

        Raises:
            MalformedResponseError: There was none.
        """
        if not self._has_come:
            raise MalformedResponseError("the answer has no body")
        return []


@lru_cache(maxsize=1)
def vector_reader() -> Callable[[Any], Any]:
    """Return the function that makes an `EmbeddingData.vector` of what a service sent.

    It takes a sequence of numbers, or the base64 text of little-endian float32 values, and returns a writable
    vector of shape (dimensions,): a numpy array if numpy is installed (looked for once), else `array("f")`.
    """
    if find_spec("numpy") is None:
        return _as_array
    numpy = import_module("numpy")
    decoded = _base64_decoder()

    def as_numpy(value: Any) -> Any:
        if isinstance(value, str):
            # A bytearray makes the vector writable without another copy; little-endian is a no-op nearly everywhere.
            return numpy.frombuffer(bytearray(decoded(value)), dtype="<f4").astype(numpy.float32, copy=False)
        _reject_other_values(value)
        return numpy.asarray(value, dtype=numpy.float32)

    return as_numpy


def find_vector_fault(vector: Any) -> str | None:
    """Return why a vector must not be used; None if it is finite numbers in one dimension.

    Servers send null, NaN, nothing, or a list of vectors (one for each token) where a vector should be (llama.cpp,
    Ollama); in an index, such a vector spoils every search.
    """
    shape = getattr(vector, "shape", None)
    if shape is not None and len(shape) != 1:
        return "it is not a list of numbers" if not shape else f"it has the shape {tuple(shape)}"
    if not len(vector):
        return "it has no numbers"
    if shape is not None:
        is_finite = _numpy().isfinite(vector).all()
    else:  # a sum is three times as fast, and is finite only if all numbers are
        is_finite = isfinite(sum(vector)) or all(map(isfinite, vector))
    return None if is_finite else "it has numbers that are not finite"


@lru_cache(maxsize=1)
def _numpy() -> Any:
    return import_module("numpy")


def _base64_decoder() -> Callable[[str], bytes]:
    """Return pybase64's decoder if it is installed (the extra `numpy` brings it), else the standard library's.

    It decodes fifteen times as fast, and the standard decoder is most of the work of reading embeddings.
    """
    if find_spec("pybase64") is None:
        return base64.b64decode
    fast = import_module("pybase64").b64decode

    def decode(text: str) -> bytes:
        try:
            return bytes(fast(text, validate=True))  # validating is its quicker way
        except ValueError:  # a line break, say, which the standard decoder passes over
            return base64.b64decode(text)

    return decode


def _reject_other_values(value: Any) -> None:
    """Reject a list of texts or of true and false, of which numpy would make numbers; its first value tells.

    Raises:
        MalformedResponseError: It is one.
    """
    if isinstance(value, list) and value and isinstance(value[0], str | bool):
        raise MalformedResponseError(f"an embedding is not a list of numbers: it begins {value[:3]!r}")


def _as_array(value: Any) -> Any:
    if not isinstance(value, str):
        _reject_other_values(value)
        return array("f", value)
    vector = array("f", base64.b64decode(value))
    if byteorder == "big":  # the wire is little-endian
        vector.byteswap()
    return vector


show_in("jackfield.plugin", WholeDecoder)
