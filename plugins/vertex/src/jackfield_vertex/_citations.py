"""Where Gemini's statements come from: grounding metadata, and citations of recited sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from jackfield import Citation, CitationDelta

__all__ = ["read_citations"]

_SOURCES: Final = ("web", "retrievedContext", "maps")


def read_citations(candidate: Mapping[str, Any], said: str, choice: int) -> Iterator[CitationDelta]:
    """Read both kinds of citations of a candidate.

    Places are counted in bytes of UTF-8; they are given as characters where the text that was said agrees.

    Args:
        candidate: As it came.
        said: The text so far.
        choice: Which choice it is.

    Source: google-genai 2.34, GroundingMetadata and CitationMetadata (2026).
    """
    told = candidate.get("citationMetadata") or {}
    for cited in (*(told.get("citations") or ()), *(told.get("citationSources") or ())):
        start, end = _place(said, cited, None)
        yield CitationDelta(
            Citation(title=cited.get("title"), url=cited.get("uri"), start=start, end=end, data=cited), choice
        )
    yield from _grounded(candidate.get("groundingMetadata") or {}, said, choice)


def _grounded(told: Mapping[str, Any], said: str, choice: int) -> Iterator[CitationDelta]:
    chunks = told.get("groundingChunks") or ()
    seen: set[int] = set()
    for support in told.get("groundingSupports") or ():
        segment = support.get("segment") or {}
        text = segment.get("text")
        start, end = _place(said, segment, text)
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
    """Give a number; a program between may write one with a point."""
    return int(value) if isinstance(value, int | float) else None


def _place(said: str, told: Mapping[str, Any], text: str | None) -> tuple[int | None, int | None]:
    """Turn a place in bytes into one in characters; None where it does not fit what was said."""
    data = said.encode()
    start, end = _whole(told.get("startIndex")) or 0, _whole(told.get("endIndex"))
    if end is None or not 0 <= start <= end <= len(data):
        return None, None
    try:
        before, cited = data[:start].decode(), data[start:end].decode()
    except UnicodeDecodeError:
        return None, None
    if text is not None and cited != text:
        return None, None
    return len(before), len(before) + len(cited)
