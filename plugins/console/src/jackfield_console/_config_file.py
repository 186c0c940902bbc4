"""The configuration's file: read, replaced at once, with its earlier versions beside it."""

from __future__ import annotations

import difflib
import errno
import hashlib
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

import attrs

from ._secret_texts import show_text

__all__ = ["ConfigFile", "ConflictError", "FileError", "Snapshot", "Version", "diff_of"]

T = TypeVar("T")

KEPT: Final = 20
"""Earlier versions that are kept."""
_REMEMBERED: Final = 32


class FileError(Exception):
    """The file cannot be read or written; the text says why and what to do."""


class ConflictError(FileError):
    """The file is not the one that the change was made for.

    Attributes:
        diff: What somebody else changed; empty if the version before is not known.
    """

    def __init__(self, message: str, diff: str = "") -> None:
        super().__init__(message)
        self.diff = diff


@attrs.frozen
class Snapshot:
    """The file as it was read.

    Attributes:
        text: Its text, line ends as they are.
        digest: Names this text; a change is made for one.
        changed_at: When it was written, in seconds of `time.time()`.
    """

    text: str
    digest: str
    changed_at: float


@attrs.frozen
class Version:
    """An earlier version of the file.

    Attributes:
        number: Its number; higher is later.
        replaced_at: When it was replaced, in seconds of `time.time()`.
        text: Its text.
    """

    number: int
    replaced_at: float
    text: str


class ConfigFile:
    """The file of a configuration.

    Args:
        path: The file; a symbolic link is followed.
        kept: Earlier versions that are kept beside it, as `NAME.~N~`.
    """

    def __init__(self, path: Path, *, kept: int = KEPT) -> None:
        self.path = path
        self._kept = kept
        self._seen: dict[str, str] = {}

    @property
    def target(self) -> Path:
        """The file that is replaced."""
        return Path(os.path.realpath(self.path))

    def read(self) -> Snapshot:
        """Read the file.

        Raises:
            FileError: It cannot be read.
        """
        target = self.target
        try:
            data = target.read_bytes()
            changed_at = target.stat().st_mtime
            text = data.decode("utf-8-sig")
        except OSError as error:
            raise FileError(f"{self.path} cannot be read: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise FileError(f"{self.path} is not UTF-8; save it as UTF-8") from error
        digest = hashlib.sha256(data).hexdigest()
        self._seen[digest] = text
        while len(self._seen) > _REMEMBERED:
            self._seen.pop(next(iter(self._seen)))
        return Snapshot(text, digest, changed_at)

    def find_fault(self) -> str | None:
        """Return why the file cannot be replaced; None if it can, as far as that is known without writing."""
        target = self.target
        folder = target.parent
        if not target.exists():
            return f"there is no file {self.path}"
        if not os.access(target, os.R_OK):
            return f"{self.path} cannot be read by the user of this process"
        if os.access(folder, os.W_OK) and os.access(target, os.W_OK):
            return None
        return _why_read_only(target)

    def try_text(self, text: str, load: Callable[[Path], T]) -> T:
        """Load a text as the file would be loaded: from the same folder, so that relative paths mean the same.

        Args:
            text: What would be written.
            load: Takes the file; what it raises is passed on.

        Raises:
            FileError: No file can be written there.
        """
        path = self._write_beside(text.encode("utf-8"))
        try:
            return load(path)
        finally:
            with suppress(OSError):
                path.unlink()

    def replace(self, text: str, *, base: str) -> Snapshot:
        """Write a new text in one step; the earlier one is kept beside it.

        Args:
            text: The new text.
            base: The digest of the text that was changed.

        Raises:
            ConflictError: The file holds another text by now.
            FileError: It cannot be written; nothing is changed.
        """
        with self._locked():
            current = self.read()
            if current.digest != base:
                raise self.conflict(base, current)
            data = self.target.read_bytes()
            mark = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
            new = self._write_beside(mark + text.encode("utf-8"))
            try:
                self._keep(data)
                new.replace(self.target)
            except OSError as error:
                with suppress(OSError):
                    new.unlink()
                raise FileError(_why(self.path, error)) from error
            _sync_folder(self.target.parent)
            return self.read()

    def conflict(self, base: str, current: Snapshot) -> ConflictError:
        """Return the error of a change that was made for another text than the current one."""
        before = self._seen.get(base)
        return ConflictError(
            f"{self.path.name} was changed by somebody else after this page was made; nothing was written",
            "" if before is None else diff_of(before, current.text),
        )

    # Earlier versions

    def list_versions(self) -> list[Version]:
        """Return the earlier versions, the latest first."""
        versions = []
        for number, path in sorted(self._numbered(), reverse=True):
            try:
                text = path.read_bytes().decode("utf-8-sig")
                versions.append(Version(number, path.stat().st_mtime, text))
            except (OSError, UnicodeDecodeError):
                continue
        return versions

    def restore(self, number: int, *, base: str) -> Snapshot:
        """Write an earlier version again; the one that it replaces is kept, too.

        Raises:
            FileError: There is no such version, or the file cannot be written.
        """
        found = next((one for one in self.list_versions() if one.number == number), None)
        if found is None:
            raise FileError(f"there is no version {number} of {self.path.name}")
        return self.replace(found.text, base=base)

    def _numbered(self) -> list[tuple[int, Path]]:
        target = self.target
        pattern = re.compile(rf"{re.escape(target.name)}\.~(\d+)~")
        try:
            names = os.listdir(target.parent)  # noqa: PTH208 -- names are wanted
        except OSError:
            return []
        return [
            (int(found[1]), target.parent / name)
            for name in names
            if (found := pattern.fullmatch(name)) is not None
        ]

    def _keep(self, data: bytes) -> None:
        there = sorted(self._numbered())
        number = there[-1][0] + 1 if there else 1
        path = self.target.with_name(f"{self.target.name}.~{number}~")
        beside = self._write_beside(data)
        beside.replace(path)
        now = time.time()
        os.utime(path, (now, now))
        for _, old in there[: max(len(there) + 1 - self._kept, 0)]:
            with suppress(OSError):
                old.unlink()

    # Writing

    def _write_beside(self, data: bytes) -> Path:
        """Write a new file in the folder, with mode and owner of the configuration's."""
        target = self.target
        path = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
        try:
            like = target.stat()
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise FileError(_why(self.path, error)) from error
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                _make_alike(file.fileno(), like)
                os.fsync(file.fileno())
        except OSError as error:
            with suppress(OSError):
                path.unlink()
            raise FileError(_why(self.path, error)) from error
        return path

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process at a time replace the file."""
        try:
            import fcntl
        except ModuleNotFoundError:  # where there is none, the comparison before the step is all
            yield
            return
        try:
            handle = os.open(self.target.parent, os.O_RDONLY)
        except OSError as error:
            raise FileError(_why(self.path, error)) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def diff_of(old: str, new: str) -> str:
    """Return what changed between two texts, as a page may show it."""
    lines = difflib.unified_diff(
        show_text(old).splitlines(), show_text(new).splitlines(), "before", "after", lineterm=""
    )
    return "\n".join(lines)


def _make_alike(handle: int, like: os.stat_result) -> None:
    """Copy mode and owner of a file to a new one."""
    own = os.fstat(handle)
    if (own.st_uid, own.st_gid) != (like.st_uid, like.st_gid):
        os.fchown(handle, like.st_uid, like.st_gid)
    os.fchmod(handle, stat.S_IMODE(like.st_mode))


def _why(path: Path, error: OSError) -> str:
    if error.errno == errno.EBUSY:
        return f"{path} is mounted as a single file and cannot be replaced; mount its folder instead"
    if error.errno == errno.EPERM:
        return (
            f"{path} belongs to another user or group, and this process cannot keep it so; run the gateway as the file's "
            "owner, or give it the file"
        )
    if error.errno in (errno.EROFS, errno.EACCES):
        return _why_read_only(path)
    return f"{path} cannot be written: {error.strerror or error}"


def _why_read_only(path: Path) -> str:
    return (
        f"{path} cannot be written by this process (a read-only file system, or the file or its folder belongs to somebody "
        "else); edit it where it comes from, and let the gateway reload"
    )


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # not every file system can
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
