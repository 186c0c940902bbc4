"""Progress of first preparations, on stderr: bars for people, lines for logs."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from jackfield.progress import listening

from ._output import is_terminal, write_aside

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["hide_progress", "progress_shown"]

_LABELS = {
    "wait": "waiting for another process",
    "download": "downloading the model",
    "extract": "unpacking",
    "convert": "converting",
}
_LINES_A_STAGE = 5


class _Display(Protocol):
    def report(self, stage: str, done: int, total: int | None) -> None: ...

    def hide(self) -> None: ...


_shown: list[_Display] = []


@contextmanager
def progress_shown(*, quiet: bool = False) -> Iterator[None]:
    """Show progress while the block runs. Nothing is drawn, nor loaded for it, before some is reported."""
    if quiet:
        yield
        return
    display: _Display = _Bars() if is_terminal(sys.stderr) else _Lines()
    _shown.append(display)
    try:
        with listening(display.report):
            yield
    finally:
        _shown.remove(display)
        display.hide()


def hide_progress() -> None:
    """Take the bars away, because an answer begins; more progress brings them back."""
    for display in _shown:
        display.hide()


class _Bars:
    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def report(self, stage: str, done: int, total: int | None) -> None:
        # From whatever thread works; an answer may begin on another.
        with self._lock:
            if self._progress is None:
                self._progress = _make_bars()
                self._progress.start()
            if stage not in self._tasks:
                label = _LABELS.get(stage, stage)
                self._tasks[stage] = self._progress.add_task(label, total=total, amount="")
            self._progress.update(
                self._tasks[stage], completed=done, total=total, amount=_amount(stage, done, total)
            )

    def hide(self) -> None:
        with self._lock:
            if self._progress is not None:
                self._progress.stop()
            self._progress, self._tasks = None, {}


class _Lines:
    """A line when a stage begins, and a few on its way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._steps: dict[str, int] = {}

    def report(self, stage: str, done: int, total: int | None) -> None:
        step = _LINES_A_STAGE * done // total if total else 0
        with self._lock:
            if self._steps.get(stage, -1) >= step:
                return
            self._steps[stage] = step
        write_aside(f"{_LABELS.get(stage, stage)} {_amount(stage, done, total)}".rstrip())

    def hide(self) -> None:
        pass


def _make_bars() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns: tuple[Any, ...] = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[amount]}"),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _amount(stage: str, done: int, total: int | None) -> str:
    if total is None:
        return ""
    unit = _bytes if stage == "download" else str
    return f"{unit(done)} of {unit(total)}"


def _bytes(count: int) -> str:
    return f"{count / 1_000_000:.0f} MB"
