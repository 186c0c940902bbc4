"""A loaded embedding model: texts in, unit vectors out, off the event loop."""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, Self

import attrs
import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from jackfield_onnx import _folder
from jackfield_onnx._errors import EngineClosedError, GenerationError, RequestError, TextTooLongError
from jackfield_onnx._runtime import (
    OpenedSession,
    RunOptions,
    SessionSettings,
    give_memory_back,
    new_run_options,
    open_session,
)
from jackfield_onnx._sampling import Floats

Truncate = Literal["error", "start", "end"]

_BATCH = 32  # texts in one run: enough to fill the cores, and a cancellation waits for no more than this
_SHORTEST_NORM = 1e-12


@attrs.frozen(kw_only=True)
class Embeddings:
    """Vectors of some texts.

    Args:
        vectors: float32 [texts, dimensions], each of length one, in the order of the texts.
        tokens: Word pieces read, markers included.
        truncated: Positions of the texts that were cut.
    """

    vectors: Floats
    tokens: int
    truncated: tuple[int, ...] = ()


@attrs.frozen
class _Piece:
    """A tokenised text and its place in the request."""

    index: int
    ids: list[int]
    cut: bool


class Embedder:
    """A loaded encoder model. Made by `load`; works from any event loop, one after another or at once.

    Args:
        description: What the model's folder says.
        tokenizer: Its tokenizer.
        opened: Its session.
    """

    def __init__(
        self, description: _folder.EncoderDescription, tokenizer: Tokenizer, opened: OpenedSession
    ) -> None:
        self.description = description
        self.device = opened.device
        self._tokenizer = tokenizer
        self._session: Any = opened.session
        # One thread: a run uses all of the session's own threads already.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"jackfield-onnx {description.name}")
        self._closed = False
        self._running: RunOptions | None = None

    @property
    def closed(self) -> bool:
        """Whether it takes no more requests."""
        return self._closed

    @classmethod
    async def load(cls, folder: Path, session: SessionSettings | None = None) -> Self:
        """Load a model from its folder, off the event loop.

        Raises:
            DamagedModelError: When the folder is incomplete or malformed.
            DeviceUnavailableError: When the model cannot run where it was told to.
            RuntimeMissingError: When ONNX Runtime is not installed.
        """
        return await asyncio.to_thread(cls._load, folder, SessionSettings() if session is None else session)

    @classmethod
    def _load(cls, folder: Path, session: SessionSettings) -> Self:
        description = _folder.read_encoder(folder)
        tokenizer = _folder.read_tokenizer(folder)
        # A tokenizer's file may cut and pad on its own; here, cutting is the caller's choice and padding a batch's.
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return cls(description, tokenizer, open_session(folder / _folder.GRAPH_FILE, session))

    async def embed(self, texts: Sequence[str], *, truncate: Truncate = "error") -> Embeddings:
        """Embed texts, off the event loop. Cancelling the task stops the run within milliseconds.

        Args:
            texts: Any number of them.
            truncate: What to do with a text that is too long: refuse it, or cut its `start` or its `end` off.

        Raises:
            TextTooLongError: When a text is too long and may not be cut.
            EngineClosedError: When the embedder was closed.
        """
        options = await asyncio.to_thread(new_run_options)
        work = self._submit(self._embed, list(texts), truncate, options)
        try:
            return await work
        except asyncio.CancelledError:
            options.terminate = True
            raise

    async def count_tokens(self, texts: Sequence[str]) -> int:
        """Count word pieces, markers included, uncut."""
        return await asyncio.to_thread(lambda: sum(len(ids) for ids in self._encode(texts)))

    async def aclose(self) -> None:
        """Stop what runs, join the thread and release the memory. May be called twice."""
        self._closed = True
        if self._running is not None:
            self._running.terminate = True
        await asyncio.to_thread(self._thread.shutdown)
        self._session = None
        await asyncio.to_thread(give_memory_back)

    def _submit(self, *call: Any) -> "asyncio.Future[Embeddings]":
        if self._closed:
            raise self._closed_error()
        return asyncio.get_running_loop().run_in_executor(self._thread, *call)

    def _embed(self, texts: list[str], truncate: Truncate, options: RunOptions) -> Embeddings:
        if self._closed:  # while this request was waiting
            raise self._closed_error()
        pieces = self._pieces(texts, truncate)
        vectors = np.zeros((len(texts), self.description.dimensions), np.float32)
        self._running = options
        try:
            for batch in _batches(pieces):
                vectors[[piece.index for piece in batch]] = self._run(batch, options)
        except Exception as error:
            if self._closed:
                raise self._closed_error() from error
            raise GenerationError(f"embedding failed: {error}", self.description.name) from error
        finally:
            self._running = None
        return Embeddings(
            vectors=vectors,
            tokens=sum(len(piece.ids) for piece in pieces),
            truncated=tuple(piece.index for piece in pieces if piece.cut),
        )

    def _pieces(self, texts: list[str], truncate: Truncate) -> list[_Piece]:
        if truncate not in {"error", "start", "end"}:
            raise RequestError(f"truncate must be error, start or end, not {truncate!r}", "truncate")
        limit = self.description.max_tokens
        pieces = []
        for index, ids in enumerate(self._encode(texts)):
            excess = len(ids) - limit
            if excess > 0 and truncate == "error":
                raise TextTooLongError(index, len(ids), limit, self.description.name)
            # The markers at both ends stay; the cut goes between one of them and the text.
            if excess > 0 and truncate == "start":
                ids[1 : 1 + excess] = []
            elif excess > 0:
                ids[-1 - excess : -1] = []
            pieces.append(_Piece(index, ids, excess > 0))
        return pieces

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        encodings: list[Any] = self._tokenizer.encode_batch(list(texts))
        return [encoding.ids for encoding in encodings]

    def _run(self, batch: list[_Piece], options: RunOptions) -> Floats:
        """Run a batch: the mean of the last hidden states over the real tokens, at length one."""
        ids = np.zeros((len(batch), max(len(piece.ids) for piece in batch)), np.int64)
        mask = np.zeros_like(ids)
        for row, piece in enumerate(batch):
            ids[row, : len(piece.ids)] = piece.ids
            mask[row, : len(piece.ids)] = 1
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        (hidden,) = self._session.run(["last_hidden_state"], feed, options)
        return normalise(mean_pool(hidden, mask))

    def _closed_error(self) -> EngineClosedError:
        return EngineClosedError(
            "the embedder was closed", self.description.name, "Load it again before the next request."
        )


def mean_pool(hidden: Floats, mask: npt.NDArray[np.int64]) -> Floats:
    """Average hidden states [texts, tokens, dimensions] over the tokens that the mask [texts, tokens] keeps."""
    weights = mask[..., None].astype(np.float32)
    mean: Floats = (hidden * weights).sum(axis=1) / weights.sum(axis=1)
    return mean


def normalise(vectors: Floats) -> Floats:
    """Scale rows to length one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, _SHORTEST_NORM), dtype=np.float32)


def _batches(pieces: list[_Piece]) -> Iterator[list[_Piece]]:
    """Group texts of similar length, so that short ones do not pay for the padding of a long one."""
    ordered = sorted(pieces, key=lambda piece: len(piece.ids))
    for start in range(0, len(ordered), _BATCH):
        yield ordered[start : start + _BATCH]
