"""Media types as callers write them: missing, loose, or inside a `data:` address."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

__all__ = ["media_type_of", "read_base64", "split_data_url", "text_of"]

_UNSPECIFIC: Final = frozenset(
    {"", "application/octet-stream", "binary/octet-stream", "application/binary", "*/*"}
)
_OTHER_NAMES: Final[Mapping[str, str]] = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
    "application/x-pdf": "application/pdf",
    "application/acrobat": "application/pdf",
}
# Words and endings of file names.
_WORDS: Final[Mapping[str, str]] = {
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp",
    "pdf": "application/pdf", "wav": "audio/wav", "mp3": "audio/mpeg", "flac": "audio/flac", "ogg": "audio/ogg",
    "txt": "text/plain", "text": "text/plain", "md": "text/markdown", "markdown": "text/markdown", "csv": "text/csv",
    "html": "text/html", "htm": "text/html", "json": "application/json", "xml": "application/xml",
    "yaml": "application/yaml", "yml": "application/yaml",
}  # fmt: skip
_BEGINNINGS: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF", "application/pdf"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
)
_RIFF: Final = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
_TEXTUAL: Final = frozenset(
    {"application/json", "application/xml", "application/yaml", "application/x-yaml", "application/toml", "application/csv",
     "application/javascript", "application/x-ndjson", "application/jsonl", "application/sql", "application/x-sh"}
)  # fmt: skip
_LOOKED_AT: Final = 4096


def media_type_of(told: str | None, data: bytes | None = None, name: str | None = None) -> str | None:
    """Return a file's media type in its usual spelling: what was told, else what its first bytes or its name say.

    Parameters are kept of text only (`charset`). None if nothing says it.

    Args:
        told: What the caller wrote, such as "image/jpg", "PNG", or "application/octet-stream", which says nothing.
        data: The file.
        name: Its name.
    """
    kind, _, parameters = (told or "").partition(";")
    kind = kind.strip().lower()
    kind = _WORDS.get(kind.removeprefix("."), _OTHER_NAMES.get(kind, kind))
    if kind in _UNSPECIFIC or kind.endswith("/*") or "/" not in kind:
        return _look_at(data) or _WORDS.get((name or "").rpartition(".")[2].lower()) or _look_for_text(data)
    if kind.startswith("text/") and parameters.strip():
        return f"{kind};{parameters.strip()}"
    return kind


def _look_at(data: bytes | None) -> str | None:
    if not data:
        return None
    if data[:4] == b"RIFF":
        return _RIFF.get(bytes(data[8:12]))
    return next((kind for beginning, kind in _BEGINNINGS if data.startswith(beginning)), None)


def _look_for_text(data: bytes | None) -> str | None:
    if not data or b"\x00" in data[:_LOOKED_AT]:
        return None
    try:
        data.decode()
    except UnicodeDecodeError:
        return None
    return "text/plain"


def text_of(data: bytes, media_type: str | None) -> str | None:
    """Return the text of a file whose media type says that it is text; None for other files.

    Bytes that are not valid in its `charset` (UTF-8 if it has none) become U+FFFD.
    """
    kind, _, parameters = (media_type or "").lower().partition(";")
    kind = kind.strip()
    if not (kind.startswith("text/") or kind in _TEXTUAL or kind.endswith(("+json", "+xml"))):
        return None
    charset = "utf-8"
    for parameter in parameters.split(";"):
        key, _, value = parameter.partition("=")
        if key.strip() == "charset":
            charset = value.strip().strip("\"'")
    try:
        return data.decode(charset, "replace").removeprefix("\ufeff")
    except LookupError:
        return data.decode("utf-8", "replace").removeprefix("\ufeff")


def split_data_url(url: str) -> tuple[bytes, str | None] | None:
    """Return the bytes and the media type of a `data:` address (RFC 2397); None for another address.

    Raises:
        ValueError: It has no data, or data that is not base64.
    """
    if url[:5].lower() != "data:":
        return None
    head, comma, body = url[5:].partition(",")
    if not comma:
        raise ValueError("it is a data: address that is not base64")
    head, semicolon, encoding = head.strip().rpartition(";")
    if not semicolon or encoding.strip().lower() != "base64":
        raise ValueError("it is a data: address that is not base64")
    return read_base64(body), head.strip() or None


def read_base64(text: str) -> bytes:
    """Decode base64 in either alphabet, with or without padding, with line breaks or percent signs.

    Raises:
        ValueError: It is not base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        pass
    plain = b"".join(unquote_to_bytes(text).split()).translate(bytes.maketrans(b"-_", b"+/")).rstrip(b"=")
    try:
        return base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
    except ValueError as error:
        raise ValueError(f"it holds data that is not base64: {error}") from None
