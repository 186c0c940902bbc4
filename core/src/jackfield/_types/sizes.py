"""Sizes in bytes, as a configuration writes them, and how long an answer may be."""

from __future__ import annotations

import re
from typing import Final, Protocol

from .errors import ConnectionFailedError, MalformedResponseError

__all__ = ["MAX_RESPONSE", "Readable", "parse_size", "read_limited", "show_size"]

MAX_RESPONSE: Final = 256 << 20
"""Most bytes of an answer unless a connection says otherwise.

Far above what services send: the embeddings of 2,048 inputs with 3,072 dimensions, the most that OpenAI takes, are 130 MiB
of JSON (some 20 bytes a number); ten images as base64 are some tens of MiB.
"""

_UNITS: Final = {
    "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
}  # fmt: skip
_WRITTEN: Final = r"([0-9]+(?:\.[0-9]+)?) *([A-Za-z]+)"


def parse_size(text: str) -> int:
    """Parse a size such as "256 MiB" into bytes.

    Raises:
        ValueError: It is not a number with one of the units B, kB, MB, GB, KiB, MiB, GiB.
    """
    found = re.fullmatch(_WRITTEN, text.strip())
    if found is None or found[2] not in _UNITS:
        raise ValueError('must be a size such as "256 MiB" (B, kB, MB, GB, KiB, MiB, GiB)')
    return int(float(found[1]) * _UNITS[found[2]])


def show_size(size: int) -> str:
    """Return a size with the largest binary unit that divides it."""
    for unit in ("GiB", "MiB", "KiB"):
        if size and size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]} {unit}"
    return f"{size} bytes"


class Readable(Protocol):
    """An open file or answer of the standard library."""

    def read(self, size: int, /) -> bytes:
        """Read up to `size` bytes; fewer only at the end."""


def read_limited(body: Readable, sender: str, *, most: int = 1 << 20) -> bytes:
    """Read a body to its end, for code that asks a service past the core's transport, such as a token endpoint. Blocks.

    Args:
        body: What is read.
        sender: Who answers, for the error.
        most: Most bytes.

    Raises:
        MalformedResponseError: It is longer.
        ConnectionFailedError: It was cut.
    """
    from http.client import IncompleteRead

    try:
        found = body.read(most + 1)
    except IncompleteRead as error:
        raise ConnectionFailedError(f"the answer of {sender} was cut") from error
    if len(found) > most:
        raise MalformedResponseError(
            f"the answer of {sender} is longer than {show_size(most)}; is its address right?"
        )
    if len(found) < most and getattr(
        body, "length", None
    ):  # http.client reads less than was promised without a word
        raise ConnectionFailedError(f"the answer of {sender} was cut")
    return found
