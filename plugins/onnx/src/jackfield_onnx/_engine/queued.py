"""What embedders, rerankers and summarizers share: how they are loaded, queued and closed."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from pathlib import Path
from typing import Generic, Self, TypeVar

from tokenizers import Tokenizer

from jackfield_onnx._files.folder import read_tokenizer
from jackfield_onnx._runtime.session import SessionSettings

from .worker import Worker, WorkSettings

__all__ = ["QueuedModel", "read_uncut_tokenizer"]

Graphs = TypeVar("Graphs")


class QueuedModel(Generic[Graphs]):
    """A loaded model that serves one request after another. Works from any event loop, one after another or at once.

    Args:
        name: The model, as people know it.
        what: What it is called in messages, such as `embedder`.
        tokenizer: Its tokenizer.
        graphs: Its session, or its sessions.
        device: Where they run.
        settings: Its queue.
    """

    def __init__(
        self,
        name: str,
        what: str,
        tokenizer: Tokenizer,
        graphs: Graphs,
        device: str,
        settings: WorkSettings | None,
    ) -> None:
        self.device = device
        self._tokenizer = tokenizer
        self._opened: Graphs | None = graphs
        self._worker = Worker(name, what, self._release, settings)

    @classmethod
    async def load(
        cls,
        folder: Path,
        session: SessionSettings | None = None,
        *,
        precision: str = "auto",
        settings: WorkSettings | None = None,
    ) -> Self:
        """Load a model from its folder, off the event loop.

        Args:
            folder: The folder.
            session: Where and how its graphs run.
            precision: Which graph of a folder that has several.
            settings: Its queue.

        Raises:
            DamagedModelError: When the folder is incomplete or malformed.
            DeviceUnavailableError: When the model cannot run where it was told to.
            RuntimeMissingError: When ONNX Runtime is not installed.
            UnsupportedModelError: When it is no model of this kind, or wants what is not done here.
        """
        return await asyncio.to_thread(cls._load, folder, session or SessionSettings(), precision, settings)

    @classmethod
    @abstractmethod
    def _load(
        cls, folder: Path, session: SessionSettings, precision: str, settings: WorkSettings | None
    ) -> Self:
        """Load it; blocks."""

    @property
    def closed(self) -> bool:
        """Whether it takes no more requests."""
        return self._worker.closed

    async def aclose(self) -> None:
        """Stop what runs, join the thread and release the memory. May be called twice."""
        await self._worker.aclose()

    @property
    def _graphs(self) -> Graphs:
        if self._opened is None:
            raise RuntimeError("the model was released")
        return self._opened

    def _release(self) -> None:
        self._opened = None


def read_uncut_tokenizer(folder: Path) -> Tokenizer:
    """Read a folder's tokenizer, which may have been told to cut and pad.

    Here, cutting is the caller's choice and padding a batch's.

    Raises:
        DamagedModelError: It is missing or malformed.
    """
    tokenizer = read_tokenizer(folder)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
