"""The model cache: complete folders only, prepared once and used offline ever after."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from jackfield_onnx._local_errors import (
    DamagedModelError,
    LocalModelError,
    PreparationError,
)

from .archive import read_archive, read_manifest, write_archive
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
    """A model of the catalogue, and whether it is in the cache.

    Args:
        entry: The model.
        folder: Where it is, or would be.
        ready: Whether it can be used without a network.
        size: Bytes on disk; 0 when it is not ready.
    """

    entry: CatalogueEntry
    folder: Path
    ready: bool
    size: int


def find_default_root() -> Path:
    """Find the cache: JACKFIELD_MODEL_CACHE, else `jackfield/models` under the user's cache home."""
    chosen = os.environ.get("JACKFIELD_MODEL_CACHE")
    if chosen is not None and chosen != "":
        return Path(chosen).expanduser()
    home = os.environ.get("XDG_CACHE_HOME")
    # The XDG specification says that a relative path here is to be ignored.
    base = Path(home) if home is not None and Path(home).is_absolute() else Path.home() / ".cache"
    return base / "jackfield" / "models"


class ModelStore:
    """Models by name, in one folder each.

    A folder appears in the cache by one rename when it is complete, so what is there can be used. Preparation happens
    in a hidden folder beside it, under a lock; what a killed process left there is removed by the next one.

    Args:
        root: The cache; None takes the default.
        catalogue: What can be had by name.
        hub: Where all else is fetched from; made when it is needed.
        precision: Which graph of a hub's model is fetched.
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
        """List all models of the catalogue. Reads the cache; fetches nothing."""
        return tuple(self._inspect(entry) for entry in self._catalogue.values())

    def list_cached(self) -> tuple[StoredModel, ...]:
        """List what is in the cache from hubs, ready or not."""
        found = []
        for marker in sorted(self.root.glob(f"hub--*/{MARKER_FILE}")):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError, LocalModelError):
                entry = self._get_entry(json.loads(marker.read_text(encoding="utf-8"))["name"])
                if self._get_path(entry) == marker.parent:
                    found.append(self._inspect(entry))
        return tuple(found)

    def export(self, model: str, target: Path, *, progress: Progress | None = None) -> str:
        """Write a model of the cache as an archive, after comparing the digest of every file.

        Returns:
            The archive's sha256.

        Raises:
            DamagedModelError: When the model is not in the cache, or a file has changed.
            PreparationError: When the archive cannot be written.
        """
        entry = self._get_entry(model)
        tell = progress or ignore_progress
        self.verify(model)
        marker = self._read_marker(entry)
        manifest: dict[str, Any] = {"name": entry.title if entry.hub else entry.id, **marker}
        try:
            return write_archive(
                self._get_path(entry), manifest, target, lambda done, all_: tell("archive", done, all_)
            )
        except OSError as error:
            raise PreparationError(f"the archive cannot be written: {error}", str(target)) from error

    def import_archive(self, source: Path, *, progress: Progress | None = None) -> str:
        """Take a model out of an archive into the cache, in the place of one of that name.

        Returns:
            The model's name.

        Raises:
            DamagedModelError: When it is no archive of a model, or holds what it should not.
            DigestMismatchError: When a file is not what the archive announces.
            PreparationError: When it cannot be read or written; the cache is as it was.
        """
        tell = progress or ignore_progress
        try:
            with tarfile.open(source, mode="r:") as tar:
                manifest = read_manifest(tar, str(source))
                entry = self._get_entry(manifest["name"])
                if manifest["sources"] != list_sources(entry):
                    raise DamagedModelError(
                        "it was prepared from other sources than this version knows",
                        f"{manifest['name']} in {source}",
                        "Export it again with this version of jackfield-onnx.",
                    )
                self.root.mkdir(parents=True, exist_ok=True)
                with lock_file(self._get_lock_path(entry), lambda: tell("wait", 0, None)):
                    self._sweep(entry)
                    with self._make_workplace(entry) as place:
                        made = place / "model"
                        made.mkdir()
                        read_archive(
                            tar, manifest, made, str(source), lambda done, all_: tell("extract", done, all_)
                        )
                        write_marker(made, entry, manifest.get("commit"))
                        self._discard(entry)
                        made.rename(self._get_path(entry))
        except tarfile.TarError as error:
            raise DamagedModelError(f"this is no archive: {error}", str(source)) from error
        except OSError as error:
            raise PreparationError(f"the archive cannot be taken in: {error}", str(source)) from error
        return str(manifest["name"])

    def folder(self, model: str) -> Path:
        """Give the folder of a model, whether or not it is there.

        Raises:
            UnknownModelError: When the catalogue has no such model.
        """
        return self.root / get_entry(model, self._catalogue).id

    def is_ready(self, model: str) -> bool:
        """Tell whether a model can be used without a network. Compares file sizes, not digests."""
        return self._find_fault(self._get_entry(model)) is None

    def verify(self, model: str) -> None:
        """Compare the digest of every file of a model with what was written down when it was prepared.

        Raises:
            DamagedModelError: When the model is not complete, or a file has changed.
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
            Whether there was anything to remove.
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
        """Make a model ready and give its folder. Blocks; fetches only what the cache does not have.

        Args:
            model: Name in the catalogue.
            progress: Called with a stage (`wait`, `download`, `extract`, `convert`), what is done of it, and the whole
                if that is known: bytes, or layers while converting.
            cancelled: Asked often; when it says yes, the preparation ends and leaves nothing behind.

        Raises:
            UnknownModelError: When the catalogue has no such model.
            PreparationError: When it could not be made ready. The cache is as it was.
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
                # Somebody else may have prepared it while we waited.
                if self._find_fault(entry) is not None:
                    self._prepare(entry, work)
        except OSError as error:
            raise PreparationError(
                f"the model could not be prepared: {error}",
                f"{entry.id} in {self.root}",
                "Check room and permissions, or name another folder in JACKFIELD_MODEL_CACHE.",
            ) from error
        return self._get_path(entry)

    async def ensure_async(self, model: str, *, progress: Progress | None = None) -> Path:
        """Do what `ensure` does, off the event loop. Cancelling the task ends the preparation.

        Args:
            model: Name in the catalogue.
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
            # A damaged folder makes way only now that there is another.
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
        """Remove what killed processes left; the lock says that none is at work."""
        for place in self.root.glob(f"{_WORK}{entry.id}-*"):
            shutil.rmtree(place, ignore_errors=True)

    def _discard(self, entry: CatalogueEntry) -> None:
        # Renamed first, so that nobody ever sees half a model under its own name.
        if self._get_path(entry).exists():
            with self._make_workplace(entry) as place:
                self._get_path(entry).rename(place / "discarded")

    def _find_fault(self, entry: CatalogueEntry) -> str | None:
        """Say what keeps a model from being complete, None if nothing does."""
        try:
            marker = self._read_marker(entry)
            if marker["format"] != FOLDER_FORMAT or marker["sources"] != list_sources(entry):
                return "it was prepared from other sources"
            for name, fact in marker["files"].items():
                if (self._get_path(entry) / name).stat().st_size != fact["size"]:
                    return f"{name} has another size"
        except FileNotFoundError as error:
            return f"{Path(error.filename).name} is missing"
        except (ValueError, KeyError, TypeError, AttributeError, NotADirectoryError):
            return f"{MARKER_FILE} is malformed"
        return None

    def _read_marker(self, entry: CatalogueEntry) -> Marker:
        marker: Marker = json.loads((self._get_path(entry) / MARKER_FILE).read_text(encoding="utf-8"))
        return marker

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
