"""Write and read models as archives, for machines without a network.

An archive is a tar file: first `jackfield-model.json`, the manifest with the size and digest of every file, then the
files. An archive that does not match its manifest is refused.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

from jackfield.plugin import read_json
from jackfield_onnx._local_errors import DamagedModelError, DigestMismatchError

from .folder import TOKENIZER_FILE
from .hub import is_safe_path
from .preparation import MARKER_FILE

__all__ = [
    "MANIFEST",
    "ByteProgress",
    "Manifest",
    "find_missing_part",
    "read_archive",
    "read_manifest",
    "write_archive",
]

MANIFEST: Final = "jackfield-model.json"
_FORMAT: Final = 1
_CHUNK: Final = 1 << 20
_LARGEST_MANIFEST: Final = 1 << 20

Manifest = dict[str, Any]
ByteProgress = Callable[[int, int], None]


def write_archive(folder: Path, manifest: Manifest, target: Path, progress: ByteProgress) -> str:
    """Write a model's folder as an archive.

    Args:
        folder: The folder.
        manifest: `name`, `sources` and `files` (path to size and sha256).
        target: The file to write.
        progress: Called with the bytes written and the total.

    Returns:
        The archive's sha256, to compare after copying it.
    """
    total = sum(int(fact["size"]) for fact in manifest["files"].values())
    done = 0
    part = target.with_name(target.name + ".part")
    with part.open("wb") as raw, tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        head = json.dumps({**manifest, "format": _FORMAT}, indent=1).encode()
        tar.addfile(_make_entry(MANIFEST, len(head)), io.BytesIO(head))
        for path, fact in manifest["files"].items():
            with (folder / path).open("rb") as file:
                tar.addfile(_make_entry(f"model/{path}", int(fact["size"])), file)
            done += int(fact["size"])
            progress(done, total)
    with part.open("rb") as written:
        digest = hashlib.file_digest(written, "sha256").hexdigest()
    part.replace(target)
    return digest


def read_manifest(tar: tarfile.TarFile, source: str) -> Manifest:
    """Read and validate an archive's manifest.

    Raises:
        DamagedModelError: It is not a model archive, or lists a file that may not be in a model's folder.
    """
    first = tar.next()
    if first is None or first.name != MANIFEST or not first.isreg() or first.size > _LARGEST_MANIFEST:
        raise _damaged_error("this is not a model archive", source)
    try:
        file = tar.extractfile(first)
        manifest: Manifest = read_json(file.read() if file is not None else b"")
        known = manifest["format"] == _FORMAT and isinstance(manifest["name"], str)
        facts = {
            str(path): (int(fact["size"]), str(fact["sha256"])) for path, fact in manifest["files"].items()
        }
        list(manifest["sources"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged_error(f"its manifest cannot be read: {error!r}", source) from error
    if not known or not facts:
        raise _damaged_error("its format is not supported, or it is empty", source)
    for path in facts:
        # Our own marker says that a folder is complete, which an archive cannot know.
        if not is_safe_path(path) or PurePosixPath(path.casefold()) == PurePosixPath(MARKER_FILE):
            raise _damaged_error(f"it contains {path!r}, which is not allowed in a model's folder", source)
    return manifest


def find_missing_part(folder: Path) -> str | None:
    """Return which part of a model a folder lacks, without which it can never be loaded; None if it has them."""
    if next(folder.rglob("*.onnx"), None) is None:
        return "it has no graph (*.onnx)"
    return None if (folder / TOKENIZER_FILE).exists() else f"{TOKENIZER_FILE} is missing"


def read_archive(
    tar: tarfile.TarFile, manifest: Manifest, folder: Path, source: str, progress: ByteProgress
) -> None:
    """Extract the files of an archive that its manifest lists.

    Raises:
        DamagedModelError: A file is missing, or is not in the manifest.
        DigestMismatchError: A file's size or digest differs from the manifest.
    """
    left = dict(manifest["files"])
    total, done = sum(int(fact["size"]) for fact in left.values()), 0
    while (entry := tar.next()) is not None:
        path = entry.name.removeprefix("model/")
        # Only names and contents are used: links, devices, owners and modes of an archive are ignored.
        if not entry.isreg() or not entry.name.startswith("model/") or path not in left:
            raise _damaged_error(f"it contains {entry.name!r}, which is not in its manifest", source)
        fact = left.pop(path)
        if entry.size != int(fact["size"]):
            raise _mismatch_error(path, source)
        target = folder.joinpath(*PurePosixPath(path).parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        file = tar.extractfile(entry)
        if file is None or _copy_and_hash(file, target) != fact["sha256"]:
            raise _mismatch_error(path, source)
        done += entry.size
        progress(done, total)
    if left:
        raise _damaged_error(f"it does not contain {min(left)}", source)


def _copy_and_hash(file: IO[bytes], target: Path) -> str:
    digest = hashlib.sha256()
    with target.open("xb") as out:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            out.write(chunk)
    return digest.hexdigest()


def _make_entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size = size
    entry.mode = 0o644
    return entry


def _damaged_error(what: str, source: str) -> DamagedModelError:
    return DamagedModelError(what, source, "Nothing was imported. Export the model again.")


def _mismatch_error(path: str, source: str) -> DigestMismatchError:
    return DigestMismatchError(
        f"{path} does not match the archive's manifest",
        source,
        "Nothing was imported. Copy the archive again.",
    )
