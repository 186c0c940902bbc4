"""Entry points of the installed distributions, with a fast path that does without importlib.metadata.

Importing importlib.metadata and letting it search takes 25 ms of CPU, a tenth of a program that asks one question.
Nearly everything installed is a folder of plain files on `sys.path`; where it is not, importlib.metadata is asked.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

__all__ = ["FoundEntryPoint", "find_entry_points"]

_RECORDS = (".dist-info", ".egg-info")


class FoundEntryPoint:
    """One line of a distribution's entry points.

    Attributes:
        group: The group that it stands in.
        name: Its name.
        value: What it names: `module` or `module:attribute`.
        record: The folder with the distribution's metadata.
    """

    __slots__ = ("group", "name", "record", "value")

    def __init__(self, group: str, name: str, value: str, record: Path) -> None:
        self.group = group
        self.name = name
        self.value = value
        self.record = record

    def load(self) -> Any:
        """Import what it names.

        Raises:
            ImportError: The module cannot be imported.
            AttributeError: The module has no such attribute.
        """
        module, _, attribute = self.value.partition("[")[0].partition(":")
        found: Any = import_module(module.strip())
        for name in filter(None, attribute.strip().split(".")):
            found = getattr(found, name)
        return found

    @property
    def distribution(self) -> tuple[str, str]:
        """Name and version of the distribution."""
        found = {"name": "", "version": ""}
        for name in ("METADATA", "PKG-INFO"):
            for line in _read(self.record / name).split("\n"):
                key, colon, value = line.partition(":")
                if not colon:  # the headers end
                    break
                if key.lower() in found:
                    found[key.lower()] = value.strip()
        return found["name"], found["version"]


def find_entry_points(prefix: str) -> list[FoundEntryPoint]:
    """Find the entry points whose group starts with a prefix; of two copies of a distribution, only the first counts."""
    if _is_all_in_folders():
        return _find_in_folders(prefix)
    return _find_by_importlib(prefix)


def _is_all_in_folders() -> bool:
    for finder in sys.meta_path:
        # Python's own finder of folders and archives; anybody else's may know distributions that we do not see.
        if getattr(finder, "__name__", "") != "PathFinder" and hasattr(finder, "find_distributions"):
            return False
    return not any(Path(path).is_file() for path in sys.path)  # an archive


def _find_in_folders(prefix: str) -> list[FoundEntryPoint]:
    found: list[FoundEntryPoint] = []
    seen: set[str] = set()
    for folder in dict.fromkeys(sys.path):
        try:
            # Not a Path a file: the folders hold thousands, of which a few are records.
            names = sorted(name for name in os.listdir(folder or ".") if name.endswith(_RECORDS))  # noqa: PTH208
        except OSError:  # not there, or not ours to read
            continue
        for name in names:
            # Neither a wheel's record nor an egg's writes a dash into the distribution's name.
            key = _normalise(name.rpartition(".")[0].split("-")[0])
            if key not in seen:
                seen.add(key)
                found += _find_in_record(Path(folder, name), prefix)
    return found


def _normalise(name: str) -> str:
    return "-".join(filter(None, name.lower().replace("_", "-").replace(".", "-").split("-")))


def _read(file: Path) -> str:
    try:
        # One damaged record, of whatever is installed beside us, must not take all plugins away.
        return file.read_text("utf-8", errors="replace")
    except OSError:  # most distributions have no entry points
        return ""


def _find_in_record(record: Path, prefix: str) -> list[FoundEntryPoint]:
    text = _read(record / "entry_points.txt")
    if prefix not in text:
        return []
    found = []
    group = ""
    for line in map(str.strip, text.split("\n")):
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1]
        elif line and line[0] != "#" and group.startswith(prefix):
            name, _, value = line.partition("=")
            found.append(FoundEntryPoint(group, name.strip(), value.strip(), record))
    return found


def _find_by_importlib(prefix: str) -> list[FoundEntryPoint]:
    from importlib.metadata import distributions

    found: list[FoundEntryPoint] = []
    seen: set[str] = set()
    for distribution in distributions():
        try:
            key = _normalise(distribution.name or "")
            entries = () if key in seen else distribution.entry_points
        except Exception:  # noqa: S112 -- a damaged record, and whoever keeps it may raise anything
            continue
        seen.add(key)
        found += [
            _OfDistribution(entry.group, entry.name, entry.value, distribution)
            for entry in entries
            if entry.group.startswith(prefix)
        ]
    return found


class _OfDistribution(FoundEntryPoint):
    """An entry point of a distribution that may not be a folder."""

    __slots__ = ("_found",)

    def __init__(self, group: str, name: str, value: str, found: Any) -> None:
        super().__init__(group, name, value, Path())
        self._found = found

    @property
    def distribution(self) -> tuple[str, str]:
        """Name and version of the distribution."""
        return self._found.name, self._found.version
