"""A loaded embedding model, which runs off the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Self

import attrs
import numpy as np
from tokenizers import Tokenizer

from jackfield_onnx._files.encoders import EncoderFolder, read_encoder_folder
from jackfield_onnx._local_errors import RequestError, UnsupportedModelError
from jackfield_onnx._runtime.session import OpenedSession, RunOptions, Session, SessionSettings, open_session
from jackfield_onnx._text.sampling import Floats
from jackfield_onnx._text.surrogates import mend_text

from .batches import (
    Piece,
    Truncate,
    check_finite,
    check_inputs,
    check_truncate,
    cut_text,
    make_batches,
    run_batch,
)
from .pooling import normalise, pool
from .queued import QueuedModel, read_uncut_tokenizer
from .worker import WorkSettings

__all__ = ["Embedder", "Embeddings"]

_POOLED: Final = "sentence_embedding"
_HIDDEN: Final = ("last_hidden_state", "token_embeddings")
# Names of prompts in models' configurations, by `input_type`.
_PROMPT_NAMES: Final = {
    "query": ("query", "search_query", "retrieval.query"),
    "document": ("document", "passage", "corpus", "search_document", "retrieval.passage"),
    "classification": ("classification",),
    "clustering": ("clustering", "separation"),
    "similarity": ("similarity", "sts", "STS", "text-matching"),
}


@attrs.frozen(kw_only=True)
class Embeddings:
    """The vectors of some texts.

    Args:
        vectors: float32 [texts, dimensions], in the order of the texts.
        tokens: Tokens read, including special tokens and prompts.
        truncated: Positions of the texts that were truncated.
        seconds: Time for which the model was busy.
    """

    vectors: Floats
    tokens: int
    truncated: tuple[int, ...] = ()
    seconds: float = 0.0


class Embedder(QueuedModel[Session]):
    """A loaded embedding model. Created by `load`; can be used from several event loops.

    Args:
        description: The model's folder.
        tokenizer: Its tokenizer.
        opened: Its session.
        settings: Settings of its queue.
    """

    def __init__(
        self,
        description: EncoderFolder,
        tokenizer: Tokenizer,
        opened: OpenedSession,
        settings: WorkSettings | None = None,
    ) -> None:
        self.description = description
        check_inputs(opened.session, description.name)
        self._output, self.dimensions = _choose_output(opened.session, description)
        super().__init__(description.name, "embedder", tokenizer, opened.session, opened.device, settings)

    @classmethod
    def _load(
        cls, folder: Path, session: SessionSettings, precision: str, settings: WorkSettings | None
    ) -> Self:
        description = read_encoder_folder(folder, precision)
        tokenizer = read_uncut_tokenizer(folder)
        return cls(description, tokenizer, open_session(description.graph, session), settings)

    async def embed(
        self,
        texts: Sequence[str],
        *,
        truncate: Truncate = "error",
        dimensions: int | None = None,
        input_type: str | None = None,
        dimension_choices: Sequence[int] = (),
        begun: Callable[[], None] | None = None,
    ) -> Embeddings:
        """Embed texts, off the event loop. Cancelling the task stops the run within milliseconds.

        Args:
            texts: The texts.
            truncate: What to do with a text that is too long: refuse it, or remove its `start` or its `end`.
            dimensions: Truncate vectors to this length; only lengths for which the model was trained.
            input_type: Purpose of the texts; the model must have a prompt for it.
            dimension_choices: Allowed lengths in addition to those in the model's files.
            begun: Called when the request has left the queue.

        Raises:
            TextTooLongError: A text is too long, and `truncate` is `error`.
            RequestError: The model does not support `dimensions` or `input_type`.
            EngineClosedError: The embedder was closed.
        """
        check_truncate(truncate)
        self._check_dimensions(dimensions, dimension_choices)
        prompt = self._choose_prompt(input_type)
        given = list(texts)

        def work(options: RunOptions) -> Embeddings:
            return self._embed(given, truncate, prompt, dimensions, options)

        return await self._worker.run(work, begun)

    async def count_tokens(self, texts: Sequence[str]) -> int:
        """Count the tokens of texts, including special tokens, without truncation."""
        return await asyncio.to_thread(lambda: sum(len(one.ids) for one in self._encode(list(texts))))

    def _embed(
        self, texts: list[str], truncate: Truncate, prompt: str, dimensions: int | None, options: RunOptions
    ) -> Embeddings:
        began = time.monotonic()
        pieces = self._make_pieces(texts, truncate, prompt)
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        for batch in make_batches(pieces):
            vectors[[piece.index for piece in batch]] = self._run(batch, options)
        if dimensions is not None and dimensions < self.dimensions:
            vectors = vectors[:, :dimensions]
            # A truncated vector no longer has length one, on which programs rely if the model normalises its vectors.
            vectors = normalise(vectors) if self.description.normalise else np.ascontiguousarray(vectors)
        return Embeddings(
            vectors=vectors,
            tokens=sum(len(piece.ids) for piece in pieces),
            truncated=tuple(piece.index for piece in pieces if piece.cut),
            seconds=time.monotonic() - began,
        )

    def _make_pieces(self, texts: list[str], truncate: Truncate, prompt: str) -> list[Piece]:
        found, limit = self.description, self.description.max_tokens
        skip = self._count_prompt_tokens(prompt) if prompt and found.skip_prompt else 0
        if prompt:
            texts = [prompt + text for text in texts]
        length = len(prompt if found.cased else prompt.lower())
        pieces = [
            cut_text(index, one, limit, truncate, found.name, length)
            for index, one in enumerate(self._encode(texts))
        ]
        return [attrs.evolve(piece, skip=skip) for piece in pieces] if skip else pieces

    def _count_prompt_tokens(self, prompt: str) -> int:
        """Count the tokens before the text: those of the prompt and the special tokens before it."""
        (one,) = self._encode([prompt])
        behind = 0
        while behind < len(one.ids) and one.sequence_ids[-1 - behind] is None:
            behind += 1
        return len(one.ids) - behind

    def _encode(self, texts: list[str]) -> list[Any]:
        if not self.description.cased:
            texts = [text.lower() for text in texts]
        encodings: list[Any] = self._tokenizer.encode_batch([mend_text(text) for text in texts])
        return encodings

    def _run(self, batch: list[Piece], options: RunOptions) -> Floats:
        found, counted = run_batch(self._graphs, batch, self._output, self.description.pad, options)
        with np.errstate(invalid="ignore", over="ignore"):  # reported below, for the texts concerned
            if found.ndim != 2:  # not pooled by the graph
                found = pool(found, counted, self.description.poolings)
                found = normalise(found) if self.description.normalise else found
            check_finite(found, batch, "the vector of text", self.description.name)
        return found

    def _check_dimensions(self, dimensions: int | None, declared: Sequence[int]) -> None:
        allowed = {*self.description.dimension_choices, *declared, self.dimensions}
        if dimensions is not None and dimensions not in allowed:
            raise RequestError(
                f"this model was not trained for vectors of {dimensions} dimensions; it supports "
                f"{', '.join(map(str, sorted(allowed)))}",
                "dimensions",
                "If its authors document others, declare them: dimension_choices = [256] in the entry of the model.",
            )

    def _choose_prompt(self, input_type: str | None) -> str:
        prompts = self.description.prompts
        if input_type is None:
            default = self.description.default_prompt
            return "" if default is None else prompts.get(default, "")
        found = next((name for name in _PROMPT_NAMES.get(input_type, ()) if name in prompts), None)
        if found is None and self._has_prompt_for_retrieval(input_type):
            return ""
        if found is None:
            known = f"it has {', '.join(sorted(prompts))}" if prompts else "it embeds all texts the same way"
            raise RequestError(f"the model has no prompt for {input_type!r}; {known}", "input_type")
        return prompts[found]

    def _has_prompt_for_retrieval(self, input_type: str) -> bool:
        """Return whether the model has a prompt for queries or for documents, so that the others go in bare."""
        names = [*_PROMPT_NAMES["query"], *_PROMPT_NAMES["document"]]
        return input_type in {"query", "document"} and any(name in self.description.prompts for name in names)


def _choose_output(session: Session, description: EncoderFolder) -> tuple[str, int]:
    """Choose the graph's output; return its name and the length of its vectors."""
    outputs = {slot.name: slot for slot in session.get_outputs()}
    # A graph that pools itself cannot exclude the prompt from pooling.
    if _POOLED in outputs and not description.skip_prompt:
        name, ways = _POOLED, 1
    else:
        ways = len(description.poolings)
        name = next((name for name in _HIDDEN if name in outputs), "")
    size = outputs[name].shape[-1] if name else None
    if not name or not (isinstance(size, int) or description.dimensions):
        raise UnsupportedModelError(
            f"this graph is not supported: its outputs are {', '.join(outputs)}", description.name
        )
    return name, (size if isinstance(size, int) else description.dimensions or 0) * ways
