"""Read text files that people and other programs write: configuration, secrets, key files, model folders."""

from __future__ import annotations

import codecs
import errno
from pathlib import Path
from typing import Final

__all__ = ["decode_text", "describe_encoding", "read_text_file"]

_OTHER_ENCODINGS: Final = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
"""In this order: a mark of UTF-32 begins as one of UTF-16 does."""


def read_text_file(path: str | Path) -> str:
    r"""Read a text file in UTF-8, with or without a byte order mark, which many editors on Windows write.

    Args:
        path: The file; `~` is the home folder.

    Returns:
        The text without the mark; line ends are `\n`.

    Raises:
        OSError: The file cannot be read, or it is not UTF-8, which `strerror` then says.
    """
    path = Path(path).expanduser()
    try:
        text = decode_text(path.read_bytes())
    except UnicodeDecodeError as error:
        raise OSError(errno.EILSEQ, describe_encoding(error), str(path)) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def decode_text(data: bytes) -> str:
    """Decode UTF-8 without its byte order mark.

    Raises:
        UnicodeDecodeError: It is not UTF-8; see `describe_encoding`.
    """
    return data.decode("utf-8-sig")


def describe_encoding(error: UnicodeDecodeError) -> str:
    """Return what is wrong with bytes that are not UTF-8, without showing them: they may be a secret."""
    data = bytes(error.object)
    for mark, name in _OTHER_ENCODINGS.items():
        if data.startswith(mark):
            return f"it is {name}; save it as UTF-8"
    if b"\0" in data[:64]:
        return "it is not text in UTF-8 but binary, or UTF-16; save it as UTF-8"
    line = data[: error.start].count(b"\n") + 1
    return f"it is not UTF-8 (line {line}); save it as UTF-8"
