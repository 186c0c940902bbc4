"""Citations of Gemini: grounding metadata, and citations of recited sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from jackfield import Citation, CitationDelta

__all__ = ["read_citations"]

_SOURCES: Final = ("web", "retrievedContext", "maps")


def read_citations(candidate: Mapping[str, Any], text: str, choice: int) -> Iterator[CitationDelta]:
    """Yield the citations of a candidate, of both kinds.

    The service counts positions in bytes of UTF-8. They are converted to characters if they match the text so far.

    Args:
        candidate: The candidate, as it came.
        text: The text so far.
        choice: The number of the choice.

    Source: google-genai 2.34, GroundingMetadata and CitationMetadata (2026).
    """
    found = candidate.get("citationMetadata") or {}
    for cited in (*(found.get("citations") or ()), *(found.get("citationSources") or ())):
        start, end = _position(text, cited, None)
        yield CitationDelta(
            Citation(title=cited.get("title"), url=cited.get("uri"), start=start, end=end, data=cited), choice
        )
    yield from _grounding(candidate.get("groundingMetadata") or {}, text, choice)


def _grounding(metadata: Mapping[str, Any], said: str, choice: int) -> Iterator[CitationDelta]:
    chunks = metadata.get("groundingChunks") or ()
    seen: set[int] = set()
    for support in metadata.get("groundingSupports") or ():
        segment = support.get("segment") or {}
        text = segment.get("text")
        start, end = _position(said, segment, text)
        for written in support.get("groundingChunkIndices") or ():
            number = _whole(written)
            if number is None or not 0 <= number < len(chunks):
                continue
            seen.add(number)
            title, url = _source(chunks[number])
            data = {"support": support, "chunk": chunks[number]}
            yield CitationDelta(Citation(text, title, url, start, end, str(number), data), choice)
    for number, chunk in enumerate(chunks):
        if number not in seen:
            title, url = _source(chunk)
            yield CitationDelta(
                Citation(title=title, url=url, source_id=str(number), data={"chunk": chunk}), choice
            )


def _source(chunk: Mapping[str, Any]) -> tuple[str | None, str | None]:
    source: Mapping[str, Any] = next((chunk[name] for name in _SOURCES if chunk.get(name)), {})
    return source.get("title"), source.get("uri")


def _whole(value: Any) -> int | None:
    """Return an integer; a proxy may write it with a decimal point."""
    return int(value) if isinstance(value, int | float) else None


def _position(said: str, written: Mapping[str, Any], text: str | None) -> tuple[int | None, int | None]:
    """Convert a position in bytes to characters; None if it does not match the text."""
    data = said.encode()
    start, end = _whole(written.get("startIndex")) or 0, _whole(written.get("endIndex"))
    if end is None or not 0 <= start <= end <= len(data):
        return None, None
    try:
        before, cited = data[:start].decode(), data[start:end].decode()
    except UnicodeDecodeError:
        return None, None
    if text is not None and cited != text:
        return None, None
    return len(before), len(before) + len(cited)
