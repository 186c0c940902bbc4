"""The model cache: each model is prepared once, in a folder of its own, and then used offline."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from jackfield.plugin import read_json
from jackfield_onnx._local_errors import (
    DamagedModelError,
    LocalModelError,
    PreparationError,
)

from .archive import find_missing_part, read_archive, read_manifest, write_archive
from .catalogue import CATALOGUE, CatalogueEntry, get_entry
from .hub import Hub
from .locking import lock_file
from .preparation import (
    FOLDER_FORMAT,
    MARKER_FILE,
    Marker,
    Preparation,
    ignore_progress,
    list_sources,
    never_cancelled,
    require_converter,
    write_marker,
)
from .wheels import Progress, compute_digest

__all__ = ["ModelStore", "StoredModel", "find_default_root"]
_WORK = ".preparing-"


@attrs.frozen
class StoredModel:
    """A model and its state in the cache.

    Args:
        entry: The model.
        folder: Its folder, whether it exists or not.
        ready: Whether it can be used without a network.
        size: Bytes on disk; 0 if it is not ready.
    """

    entry: CatalogueEntry
    folder: Path
    ready: bool
    size: int


def find_default_root() -> Path:
    """Return the default cache folder: JACKFIELD_MODEL_CACHE, else `jackfield/models` in the user's cache folder."""
    chosen = os.environ.get("JACKFIELD_MODEL_CACHE")
    if chosen is not None and chosen != "":
        return Path(chosen).expanduser()
    home = os.environ.get("XDG_CACHE_HOME")
    # The XDG base directory specification says that relative paths are ignored.
    base = Path(home) if home is not None and Path(home).is_absolute() else Path.home() / ".cache"
    return base / "jackfield" / "models"


class ModelStore:
    """Models by name, in one folder each.

    A folder appears in the cache by a single rename when it is complete. It is prepared in a hidden folder in the same
    place, under a lock; files left by a killed process are removed by the next one.

    Args:
        root: The cache folder; None for the default.
        catalogue: Models that can be fetched by name.
        hub: Creates the client for all other models when it is needed.
        precision: Which graph of a model on a hub to fetch.
    """

    def __init__(
        self,
        root: Path | None = None,
        catalogue: Mapping[str, CatalogueEntry] = CATALOGUE,
        *,
        hub: Callable[[], Hub] = Hub,
        precision: str = "auto",
    ) -> None:
        self.root = find_default_root() if root is None else root
        self._catalogue = catalogue
        self._hub = hub
        self._precision = precision

    def list(self) -> tuple[StoredModel, ...]:
        """List all models of the catalogue. Reads the cache and fetches nothing."""
        return tuple(self._inspect(entry) for entry in self._catalogue.values())

    def list_cached(self) -> tuple[StoredModel, ...]:
        """List the models from hubs that are in the cache, ready or not."""
        found = []
        for marker in sorted(self.root.glob(f"hub--*/{MARKER_FILE}")):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError, LocalModelError):
                entry = self._get_entry(read_json(marker.read_bytes())["name"])
                if self._get_path(entry) == marker.parent:
                    found.append(self._inspect(entry))
        return tuple(found)

    def export(self, model: str, target: Path, *, progress: Progress | None = None) -> str:
        """Write a cached model as an archive, after verifying the digest of every file.

        Returns:
            The archive's sha256.

        Raises:
            DamagedModelError: The model is not in the cache, or a file has changed.
            PreparationError: The archive cannot be written.
        """
        entry = self._get_entry(model)
        report = progress or ignore_progress
        self.verify(model)
        marker = self._read_marker(entry)
        manifest: dict[str, Any] = {"name": entry.title if entry.hub else entry.id, **marker}
        try:
            return write_archive(
                self._get_path(entry), manifest, target, lambda done, all_: report("archive", done, all_)
            )
        except OSError as error:
            raise PreparationError(f"the archive cannot be written: {error}", str(target)) from error

    def import_archive(self, source: Path, *, progress: Progress | None = None) -> str:
        """Import a model from an archive into the cache, replacing one of the same name.

        Returns:
            The model's name.

        Raises:
            DamagedModelError: It is not a model archive, or contains unexpected files.
            DigestMismatchError: A file does not match the archive's manifest.
            PreparationError: It cannot be read or written; the cache is unchanged.
        """
        report = progress or ignore_progress
        try:
            with tarfile.open(source, mode="r:") as tar:
                manifest = read_manifest(tar, str(source))
                entry = self._get_entry(manifest["name"])
                if manifest["sources"] != list_sources(entry):
                    raise DamagedModelError(
                        "it was prepared from other sources than those of this version",
                        f"{manifest['name']} in {source}",
                        "Export it again with this version of jackfield-onnx.",
                    )
                self.root.mkdir(parents=True, exist_ok=True)
                with lock_file(self._get_lock_path(entry), lambda: report("wait", 0, None)):
                    self._sweep(entry)
                    with self._make_workplace(entry) as place:
                        made = place / "model"
                        made.mkdir()
                        read_archive(
                            tar, manifest, made, str(source), lambda done, all_: report("extract", done, all_)
                        )
                        write_marker(made, entry, manifest.get("commit"))
                        # A model in the cache is replaced by one that can be used, or it stays.
                        fault = self._find_fault_in(made, entry) or find_missing_part(made)
                        if fault is not None:
                            raise DamagedModelError(
                                f"the model in it is not complete: {fault}",
                                str(source),
                                "Nothing was imported. Export the model again.",
                            )
                        self._discard(entry)
                        made.rename(self._get_path(entry))
        except tarfile.TarError as error:
            raise DamagedModelError(f"this is not a valid archive: {error}", str(source)) from error
        except OSError as error:
            raise PreparationError(f"the archive cannot be imported: {error}", str(source)) from error
        return str(manifest["name"])

    def folder(self, model: str) -> Path:
        """Return the folder of a model, whether it exists or not.

        Raises:
            UnknownModelError: The catalogue has no such model.
        """
        return self.root / get_entry(model, self._catalogue).id

    def is_ready(self, model: str) -> bool:
        """Return whether a model can be used without a network. Compares file sizes, not digests."""
        return self._find_fault(self._get_entry(model)) is None

    def verify(self, model: str) -> None:
        """Compare the digest of every file of a model with the one recorded when it was prepared.

        Raises:
            DamagedModelError: The model is not complete, or a file has changed.
        """
        entry = self._get_entry(model)
        missing = self._find_fault(entry)
        if missing is None:
            files = self._read_marker(entry)["files"]
            changed = [
                name
                for name, fact in files.items()
                if compute_digest(self._get_path(entry) / name) != fact["sha256"]
            ]
            missing = f"{changed[0]} has changed" if changed else None
        if missing is not None:
            raise DamagedModelError(
                f"the model in the cache is not complete: {missing}",
                f"{entry.id} in {self._get_path(entry)}",
                "Remove it and prepare it again.",
            )

    def remove(self, model: str) -> bool:
        """Remove a model from the cache.

        Returns:
            Whether it was in the cache.
        """
        entry = self._get_entry(model)
        if not self.root.exists():
            return False
        with lock_file(self._get_lock_path(entry), lambda: None):
            found = self._get_path(entry).exists()
            self._discard(entry)
        return found

    def ensure(
        self,
        model: str,
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Path:
        """Prepare a model if it is not in the cache, and return its folder. Blocks.

        Args:
            model: Name in the catalogue, or `hub:owner/name@revision`.
            progress: Called with a stage (`wait`, `download`, `extract`, `convert`), the amount done, and the total if
                known: bytes, or layers while converting.
            cancelled: Called often; when it returns true, the preparation stops and leaves nothing behind.

        Raises:
            UnknownModelError: The catalogue has no such model.
            PreparationError: The model could not be prepared. The cache is unchanged.
        """
        entry = self._get_entry(model)
        if self._find_fault(entry) is None:
            return self._get_path(entry)
        if entry.kind == "chat":
            require_converter(entry)
        work = Preparation(
            entry, progress or ignore_progress, cancelled or never_cancelled, self._hub, self._precision
        )
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with lock_file(self._get_lock_path(entry), lambda: work.report("wait", 0, None)):
                # Another process may have prepared it in the meantime.
                if self._find_fault(entry) is not None:
                    self._prepare(entry, work)
        except OSError as error:
            raise PreparationError(
                f"the model could not be prepared: {error}",
                f"{entry.id} in {self.root}",
                "Check disk space and permissions, or set JACKFIELD_MODEL_CACHE to another folder.",
            ) from error
        return self._get_path(entry)

    async def ensure_async(self, model: str, *, progress: Progress | None = None) -> Path:
        """Call `ensure` off the event loop. Cancelling the task stops the preparation.

        Args:
            model: As for `ensure`.
            progress: As for `ensure`; called from another thread.
        """
        stop = threading.Event()
        try:
            return await asyncio.to_thread(self.ensure, model, progress=progress, cancelled=stop.is_set)
        except asyncio.CancelledError:
            stop.set()
            raise

    def _prepare(self, entry: CatalogueEntry, work: Preparation) -> None:
        self._sweep(entry)
        with self._make_workplace(entry) as place:
            made = place / "model"
            made.mkdir()
            commit = work.run(place, made)
            write_marker(made, entry, commit)
            # A damaged folder is only removed when its replacement is ready.
            self._discard(entry)
            made.rename(self._get_path(entry))

    @contextlib.contextmanager
    def _make_workplace(self, entry: CatalogueEntry) -> Iterator[Path]:
        place = Path(tempfile.mkdtemp(prefix=f"{_WORK}{entry.id}-", dir=self.root))
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _sweep(self, entry: CatalogueEntry) -> None:
        """Remove temporary folders of killed processes; the lock guarantees that no other process is at work."""
        for place in self.root.glob(f"{_WORK}{entry.id}-*"):
            shutil.rmtree(place, ignore_errors=True)

    def _discard(self, entry: CatalogueEntry) -> None:
        # Renamed first, so that a partly removed model is never seen under its name.
        if self._get_path(entry).exists():
            with self._make_workplace(entry) as place:
                self._get_path(entry).rename(place / "discarded")

    def _find_fault(self, entry: CatalogueEntry) -> str | None:
        """Return why a model is not complete, None if it is."""
        return self._find_fault_in(self._get_path(entry), entry)

    @staticmethod
    def _find_fault_in(folder: Path, entry: CatalogueEntry) -> str | None:
        try:
            marker = _read_marker_in(folder)
            if marker["format"] != FOLDER_FORMAT or marker["sources"] != list_sources(entry):
                return "it was prepared from other sources"
            for name, fact in marker["files"].items():
                if (folder / name).stat().st_size != fact["size"]:
                    return f"{name} has another size"
        except FileNotFoundError as error:
            return f"{Path(error.filename).name} is missing"
        except (ValueError, KeyError, TypeError, AttributeError, NotADirectoryError):
            return f"{MARKER_FILE} is malformed"
        return None

    def _read_marker(self, entry: CatalogueEntry) -> Marker:
        return _read_marker_in(self._get_path(entry))

    def _inspect(self, entry: CatalogueEntry) -> StoredModel:
        ready = self._find_fault(entry) is None
        size = (
            sum(path.stat().st_size for path in self._get_path(entry).rglob("*") if path.is_file())
            if ready
            else 0
        )
        return StoredModel(entry, self._get_path(entry), ready, size)

    def _get_entry(self, model: str) -> CatalogueEntry:
        return get_entry(model, self._catalogue)

    def _get_path(self, entry: CatalogueEntry) -> Path:
        return self.root / entry.id

    def _get_lock_path(self, entry: CatalogueEntry) -> Path:
        return self.root / f".{entry.id}.lock"


def _read_marker_in(folder: Path) -> Marker:
    marker: Marker = read_json((folder / MARKER_FILE).read_bytes())
    return marker
