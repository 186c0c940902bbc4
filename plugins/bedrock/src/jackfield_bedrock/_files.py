"""Build blocks of files for Converse: images, audio, documents, and the names that documents must have."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, Final

from jackfield import Audio, Document, Image
from jackfield.plugin import ParameterWriter

__all__ = ["Files"]

# The service's names of formats, by media type. Source: AWS's service model in botocore 1.44.5 (2026-11).
_DOCUMENTS: Final[Mapping[str, str]] = {
    "application/pdf": "pdf",
    "application/x-pdf": "pdf",
    "text/csv": "csv",
    "application/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/plain": "txt",
    "text/markdown": "md",
    "text/x-markdown": "md",
}
_ENDINGS: Final = {
    **{name: name for name in _DOCUMENTS.values()},
    "htm": "html",
    "markdown": "md",
    "text": "txt",
}
# Text under a name of its own, which the service has no format for.
_TEXT: Final = re.compile(
    r"text/.+|application/([\w.-]+\+)?(json|xml|yaml|toml)|application/(x-yaml|javascript|sql)", re.ASCII
)
_IMAGES: Final = ("png", "jpeg", "gif", "webp")
_FORMATS: Final[Mapping[str, str]] = {
    "image/jpg": "jpeg",
    "image/pjpeg": "jpeg",
    "audio/mpeg": "mp3",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/vnd.wave": "wav",
    "audio/x-m4a": "m4a",
    "audio/x-flac": "flac",
}
_BAD_IN_NAME: Final = re.compile(r"[^A-Za-z0-9\s\-()\[\]]+", re.ASCII)
_SPACES: Final = re.compile(r"\s+")
_LONGEST_NAME: Final = 200


class Files:
    """Builds the blocks of one request's files; what the service does not accept is refused or changed, and reported.

    Args:
        writer: Collects the report.
        documents: The model takes documents; of others, those of text become text.
    """

    def __init__(self, writer: ParameterWriter, *, documents: bool) -> None:
        self._writer = writer
        self._takes_documents = documents
        self._names: set[str] = set()
        self._count = 0

    def build(self, part: Image | Audio | Document, where: str) -> dict[str, Any] | None:
        """Return the block of a file; None if it is left out."""
        if isinstance(part, Document):
            return self._document(part, where)
        kind = "image" if isinstance(part, Image) else "audio"
        if isinstance(part, Image) and part.detail is not None:
            self._writer.drop(f"{where}.detail", "the service has no such setting", part.detail)
        source = self._source(part, where)
        if source is None:
            return None
        guessed = _ending(part.url)
        media = _plain(part.media_type) or (f"{kind}/{guessed}" if guessed else "")
        media = media or ("image/png" if kind == "image" else "audio/wav")
        if part.media_type is None:
            why = f"the service requires the format of an {kind}"
            self._writer.note(f"{where}.media_type", "defaulted", wire=f"{kind}.format", value=media, why=why)
        form = _FORMATS.get(media, media.rpartition("/")[2].partition("+")[0])
        if kind == "image" and form not in _IMAGES:
            self._writer.refuse(where, f"the service takes images in {', '.join(_IMAGES)}", media)
            return None
        return {kind: {"format": form, "source": source}}

    def _source(self, part: Image | Audio | Document, where: str) -> dict[str, Any] | None:
        """Build a source of bytes, or of a place in S3; the service fetches nothing from elsewhere."""
        if part.data is not None:
            if part.data:
                return {"bytes": base64.b64encode(part.data).decode()}
            self._writer.drop(where, "the service does not accept an empty file")
            return None
        url = part.url or ""
        if url.startswith("s3://"):
            return {"s3Location": {"uri": url}}
        self._writer.refuse(
            where, "the service fetches nothing from the web; pass bytes, or an s3:// address"
        )
        return None

    def _document(self, part: Document, where: str) -> dict[str, Any] | None:
        if part.text is not None and not part.text.strip():
            self._writer.drop(where, "the service rejects blank text", part.text)
            return None
        if part.text is not None and not self._takes_documents:
            why = "the model does not take documents: its text was sent as text"
            self._writer.note(where, "emulated", wire="text", why=why)
            return {"text": part.text}
        source = {"text": part.text} if part.text is not None else self._source(part, where)
        form = None if source is None else self._format(part, where)
        if form is None:
            return None
        block: dict[str, Any] = {"format": form, "name": self._name(part, where), "source": source}
        if part.citations:
            block["citations"] = {"enabled": True}
        return {"document": block}

    def _format(self, part: Document, where: str) -> str | None:
        """Return the format by the media type, else by the file's name or address; None if the service has none for it."""
        media = _plain(part.media_type)
        if not media:
            known = _ENDINGS.get(_ending(part.name)) or _ENDINGS.get(_ending(part.url))
            form = "txt" if part.text is not None else known or "pdf"
            if part.text is None:
                why = "the service requires the format of a document"
                self._writer.note(
                    f"{where}.media_type", "defaulted", wire="document.format", value=form, why=why
                )
            return form
        if media in _DOCUMENTS:
            return _DOCUMENTS[media]
        if part.text is not None or _TEXT.fullmatch(media):
            why = "the service has no format for this media type: it was sent as plain text"
            self._writer.note(f"{where}.media_type", "clamped", wire="document.format", value="txt", why=why)
            return "txt"
        forms = ", ".join(dict.fromkeys(_DOCUMENTS.values()))
        self._writer.refuse(where, f"the service takes documents in {forms}", media)
        return None

    def _name(self, part: Document, where: str) -> str:
        """Return the name that the service requires: no characters that it rejects, and no name twice in a request.

        Source: AWS's service model in botocore 1.44.5 (2026-11); "Messages can't contain duplicate document names" (2026).
        """
        self._count += 1
        given = _SPACES.sub(" ", _BAD_IN_NAME.sub(" ", part.name or "")).strip()[:_LONGEST_NAME].rstrip()
        name = self._unique(given or f"Document {self._count}")
        if part.name is None:
            why = "the service requires a name for every document"
            self._writer.note(f"{where}.name", "defaulted", wire="document.name", value=name, why=why)
        elif name != part.name:
            why = (
                "the service accepts up to 200 letters, digits, single spaces, - and brackets in a document's name, and no "
                "name twice"
            )
            self._writer.note(f"{where}.name", "clamped", wire="document.name", value=name, why=why)
        return name

    def _unique(self, wanted: str) -> str:
        name, number = wanted, 1
        while name.lower() in self._names:
            number += 1
            ending = f" ({number})"
            name = wanted[: _LONGEST_NAME - len(ending)].rstrip() + ending
        self._names.add(name.lower())
        return name


def _plain(media_type: str | None) -> str:
    """Return a media type in lower case and without parameters; "" if there is none."""
    return (media_type or "").partition(";")[0].strip().lower()


def _ending(name: str | None) -> str:
    """Return the extension of a file's name or address; "" if it has none."""
    stem, dot, ending = (name or "").rpartition("/")[2].rpartition(".")
    return ending.lower() if dot and stem else ""
