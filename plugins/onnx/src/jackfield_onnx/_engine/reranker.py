"""A loaded cross-encoder, which runs off the event loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import attrs
import numpy as np
from tokenizers import Tokenizer

from jackfield_onnx._files.encoders import RerankerFolder, read_reranker_folder
from jackfield_onnx._local_errors import UnsupportedModelError
from jackfield_onnx._runtime.session import OpenedSession, RunOptions, Session, SessionSettings, open_session
from jackfield_onnx._text.sampling import Floats
from jackfield_onnx._text.surrogates import mend_text

from .batches import (
    Piece,
    Truncate,
    check_finite,
    check_inputs,
    check_truncate,
    cut_pair,
    make_batches,
    run_batch,
)
from .queued import QueuedModel, read_uncut_tokenizer
from .worker import WorkSettings

__all__ = ["Reranker", "Scores"]

_LOGITS = "logits"


@attrs.frozen(kw_only=True)
class Scores:
    """How relevant documents are to a query.

    Args:
        ranked: Position and score of each document, best first.
        tokens: Tokens read; the query's count once per document.
        truncated: Positions of the documents that were truncated.
        seconds: Time for which the model was busy.
    """

    ranked: tuple[tuple[int, float], ...]
    tokens: int
    truncated: tuple[int, ...] = ()
    seconds: float = 0.0


class Reranker(QueuedModel[Session]):
    """A loaded cross-encoder. Created by `load`; can be used from several event loops.

    Args:
        description: The model's folder.
        tokenizer: Its tokenizer.
        opened: Its session.
        settings: Settings of its queue.
    """

    def __init__(
        self,
        description: RerankerFolder,
        tokenizer: Tokenizer,
        opened: OpenedSession,
        settings: WorkSettings | None = None,
    ) -> None:
        self.description = description
        check_inputs(opened.session, description.name)
        outputs = {slot.name: slot for slot in opened.session.get_outputs()}
        if _LOGITS not in outputs or outputs[_LOGITS].shape[-1] not in {1, None}:
            raise UnsupportedModelError(
                "this graph is not a reranker: it does not return one score per text", description.name
            )
        super().__init__(description.name, "reranker", tokenizer, opened.session, opened.device, settings)

    @classmethod
    def _load(
        cls, folder: Path, session: SessionSettings, precision: str, settings: WorkSettings | None
    ) -> Self:
        description = read_reranker_folder(folder, precision)
        opened = open_session(description.graph, session)
        return cls(description, read_uncut_tokenizer(folder), opened, settings)

    async def rank(
        self,
        query: str,
        documents: Sequence[str],
        *,
        top_n: int | None = None,
        truncate: Truncate = "error",
        begun: Callable[[], None] | None = None,
    ) -> Scores:
        """Rank documents by their relevance to a query, off the event loop.

        Args:
            query: The query; it is never truncated.
            documents: The documents.
            top_n: Return only this many of the best.
            truncate: What to do with a document that is too long: refuse it, or remove its `start` or its `end`.
            begun: Called when the request has left the queue.

        Raises:
            TextTooLongError: A document is too long and `truncate` is `error`, or the query alone is too long.
            EngineClosedError: The reranker was closed.
        """
        check_truncate(truncate)
        pairs = [(mend_text(query), mend_text(document)) for document in documents]

        def work(options: RunOptions) -> Scores:
            return self._rank(pairs, top_n, truncate, options)

        return await self._worker.run(work, begun)

    def _rank(
        self, pairs: list[tuple[str, str]], top_n: int | None, truncate: Truncate, options: RunOptions
    ) -> Scores:
        began = time.monotonic()
        found = self.description
        encodings: list[Any] = self._tokenizer.encode_batch(pairs)
        pieces = [
            cut_pair(index, one, found.max_tokens, truncate, found.name)
            for index, one in enumerate(encodings)
        ]
        scores = np.zeros(len(pairs), np.float32)
        for batch in make_batches(pieces):
            scores[[piece.index for piece in batch]] = self._run(batch, options)
        best = np.argsort(-scores, kind="stable")[:top_n]
        return Scores(
            ranked=tuple((int(index), float(scores[index])) for index in best),
            tokens=sum(len(piece.ids) for piece in pieces),
            truncated=tuple(piece.index for piece in pieces if piece.cut),
            seconds=time.monotonic() - began,
        )

    def _run(self, batch: list[Piece], options: RunOptions) -> Floats:
        found, _ = run_batch(self._graphs, batch, _LOGITS, self.description.pad, options)
        logits = found.reshape(len(batch), -1)[:, :1]
        check_finite(logits, batch, "the score of document", self.description.name)
        with np.errstate(over="ignore"):  # then the score is 0
            scores = 1 / (1 + np.exp(-logits)) if self.description.sigmoid else logits
        return np.asarray(scores[:, 0], np.float32)
