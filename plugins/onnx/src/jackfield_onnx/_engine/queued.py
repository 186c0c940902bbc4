"""The base of embedders, rerankers and summarizers: loading, queueing and closing."""

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
    """A loaded model that serves one request at a time. Can be used from several event loops.

    Args:
        name: The model's display name.
        what: Its kind in messages, such as `embedder`.
        tokenizer: Its tokenizer.
        graphs: Its session or sessions.
        device: The device they run on.
        settings: Settings of its queue.
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
            precision: Which graph to use if a folder has several.
            settings: Settings of its queue.

        Raises:
            DamagedModelError: The folder is incomplete or malformed.
            DeviceUnavailableError: The model cannot run on the requested device.
            RuntimeMissingError: ONNX Runtime is not installed.
            UnsupportedModelError: The model is of another kind or is not supported.
        """
        return await asyncio.to_thread(cls._load, folder, session or SessionSettings(), precision, settings)

    @classmethod
    @abstractmethod
    def _load(
        cls, folder: Path, session: SessionSettings, precision: str, settings: WorkSettings | None
    ) -> Self:
        """Load a model from its folder. Blocks."""

    @property
    def closed(self) -> bool:
        """Whether it no longer accepts requests."""
        return self._worker.closed

    async def aclose(self) -> None:
        """Stop the current run, join the thread and release the memory. Idempotent."""
        await self._worker.aclose()

    @property
    def _graphs(self) -> Graphs:
        if self._opened is None:
            raise RuntimeError("the model was released")
        return self._opened

    def _release(self) -> None:
        self._opened = None


def read_uncut_tokenizer(folder: Path) -> Tokenizer:
    """Read a folder's tokenizer, with its truncation and padding disabled.

    Truncation is the caller's choice, and padding depends on the batch.

    Raises:
        DamagedModelError: It is missing or malformed.
    """
    tokenizer = read_tokenizer(folder)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
