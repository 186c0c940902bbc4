"""Models as archives, for sites without a network: what was exported is what is imported, or it is refused.

An archive is a tar file: first `jackfield-model.json`, which names every file with its size and digest, then the files.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

from jackfield_onnx._local_errors import DamagedModelError, DigestMismatchError

from .hub import is_safe_path

__all__ = ["MANIFEST", "ByteProgress", "Manifest", "read_archive", "read_manifest", "write_archive"]

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
        told: Told of bytes written, and of all.

    Returns:
        The archive's sha256, for whoever carries it.
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
    """Read what an archive says it holds.

    Raises:
        DamagedModelError: It is no archive of ours, or names what may not lie in a model's folder.
    """
    first = tar.next()
    if first is None or first.name != MANIFEST or not first.isreg() or first.size > _LARGEST_MANIFEST:
        raise _damaged_error("this is no archive of a model", source)
    try:
        file = tar.extractfile(first)
        manifest: Manifest = json.loads(file.read() if file is not None else b"")
        known = manifest["format"] == _FORMAT and isinstance(manifest["name"], str)
        facts = {
            str(path): (int(fact["size"]), str(fact["sha256"])) for path, fact in manifest["files"].items()
        }
        list(manifest["sources"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged_error(f"its list of files cannot be read: {error!r}", source) from error
    if not known or not facts:
        raise _damaged_error("its format is another, or it is empty", source)
    for path in facts:
        if not is_safe_path(path):
            raise _damaged_error(f"it holds {path!r}, which has no place in a model's folder", source)
    return manifest


def read_archive(
    tar: tarfile.TarFile, manifest: Manifest, folder: Path, source: str, progress: ByteProgress
) -> None:
    """Take the files out of an archive, each as it was announced and nothing else.

    Raises:
        DamagedModelError: A file is missing, or there is one that was not announced.
        DigestMismatchError: A file is not what was announced.
    """
    left = dict(manifest["files"])
    total, done = sum(int(fact["size"]) for fact in left.values()), 0
    while (entry := tar.next()) is not None:
        path = entry.name.removeprefix("model/")
        # Only by name and as bytes: links, devices, owners and modes of an archive mean nothing here.
        if not entry.isreg() or not entry.name.startswith("model/") or path not in left:
            raise _damaged_error(f"it holds {entry.name!r}, which was not announced", source)
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
        raise _damaged_error(f"{min(left)} is missing in it", source)


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
    return DamagedModelError(what, source, "Nothing of it was used. Export the model again.")


def _mismatch_error(path: str, source: str) -> DigestMismatchError:
    return DigestMismatchError(
        f"{path} is not what the archive announces", source, "Nothing of it was used. Copy the archive again."
    )
