"""A loaded sequence-to-sequence model that writes summaries, which runs off the event loop.

Folders are in optimum's layout: `encoder_model.onnx` with `decoder_model.onnx` and `decoder_with_past_model.onnx`, or
with `decoder_model_merged.onnx`, which is both (optimum-onnx 0.1's documentation and sources, read 2026-11-22).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import attrs
import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from jackfield.plugin import read_json
from jackfield_onnx._files.checks import check_text, check_token_ids, check_whole
from jackfield_onnx._local_errors import (
    ContextOverflowError,
    DamagedModelError,
    NotFiniteError,
    RequestError,
    UnsupportedModelError,
)
from jackfield_onnx._runtime.session import RunOptions, Session, SessionSettings, open_session
from jackfield_onnx._text.beams import BeamSettings, search
from jackfield_onnx._text.sampling import Floats
from jackfield_onnx._text.surrogates import mend_text

from .queued import QueuedModel, read_uncut_tokenizer
from .replies import Step, Usage
from .worker import WorkSettings

__all__ = ["Summarizer", "SummarizerFolder", "read_summarizer_folder"]

_ENCODER: Final = "encoder_model.onnx"
_FIRST: Final = "decoder_model.onnx"
_LATER: Final = "decoder_with_past_model.onnx"
_MERGED: Final = "decoder_model_merged.onnx"
_SWITCH: Final = "use_cache_branch"
_MAX_TOKENS: Final = 128
_NO_LIMIT: Final = 1_000_000
_Sessions = tuple[Session, Session, Session]
_Values = dict[str, npt.NDArray[Any]]


@attrs.frozen(kw_only=True)
class SummarizerFolder:
    """A sequence-to-sequence model in a folder.

    Args:
        name: The model's display name.
        encoder: Path of the encoder.
        decoders: Paths of the decoder of the first token and that of all others; the same if they are merged.
        layers: Number of decoder blocks.
        heads: Attention heads of each block.
        head_dim: Dimensions of a head.
        start: The decoder's start token.
        ends: End tokens.
        max_input: Maximum number of input tokens; None for no limit.
        max_tokens: Maximum number of output tokens if the request has no `max_tokens`.
        prefix: Prepended to the text, as in the model's training.
        search: Settings of the beam search.
    """

    name: str
    encoder: Path
    decoders: tuple[Path, Path]
    layers: int = attrs.field(validator=check_whole(1))
    heads: int = attrs.field(validator=check_whole(1))
    head_dim: int = attrs.field(validator=check_whole(1))
    start: int = attrs.field(validator=check_whole(0))
    ends: tuple[int, ...] = attrs.field(validator=check_token_ids)
    max_input: int | None = attrs.field(validator=attrs.validators.optional(check_whole(1)))
    max_tokens: int = attrs.field(validator=check_whole(1))
    prefix: str = attrs.field(validator=check_text)
    search: BeamSettings


def read_summarizer_folder(folder: Path) -> SummarizerFolder:
    """Read a summarization model's folder.

    Raises:
        DamagedModelError: A file is missing or malformed.
        UnsupportedModelError: It is not a sequence-to-sequence model.
    """
    place = next((one for one in (folder, folder / "onnx") if (one / _ENCODER).exists()), None)
    if place is None:
        raise UnsupportedModelError(
            f"this is not a sequence-to-sequence model: it has no {_ENCODER}", str(folder)
        )
    decoders = (place / _MERGED,) * 2 if (place / _MERGED).exists() else (place / _FIRST, place / _LATER)
    for graph in decoders:
        if not graph.exists():
            raise DamagedModelError(
                f"{graph.name} is missing",
                str(folder),
                "Export it with --task text2text-generation-with-past.",
            )
    try:
        return _describe(folder, place / _ENCODER, decoders)
    except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
        raise DamagedModelError(
            f"its configuration cannot be read: {error!r}", str(folder), "Export the model again."
        ) from error


def _describe(folder: Path, encoder: Path, decoders: Any) -> SummarizerFolder:
    config = _read_json(folder / "config.json")
    task = config.get("task_specific_params", {}).get("summarization", {})
    said = {**config, **task, **_read_json(folder / "generation_config.json")}
    ends = said["eos_token_id"]
    heads = config.get("decoder_attention_heads") or config["num_heads"]
    stated = _read_json(folder / "tokenizer_config.json").get("model_max_length") or _NO_LIMIT
    limits = [
        one for one in (stated, config.get("max_position_embeddings"), config.get("n_positions")) if one
    ]
    longest, least = said.get("max_length") or 0, said.get("min_length") or 0
    return SummarizerFolder(
        name=folder.name,
        encoder=encoder,
        decoders=decoders,
        layers=config.get("decoder_layers") or config.get("num_decoder_layers") or config["num_layers"],
        heads=heads,
        head_dim=config.get("d_kv") or config["d_model"] // heads,
        start=said["decoder_start_token_id"],
        ends=tuple(ends) if isinstance(ends, list) else (ends,),
        max_input=min(limits) if min(limits) < _NO_LIMIT else None,
        # transformers' lengths include the start token; its default of 20 means that nobody set it.
        max_tokens=longest - 1 if longest > 20 else _MAX_TOKENS,
        prefix=task.get("prefix") or said.get("prefix") or "",
        search=BeamSettings(
            beams=said.get("num_beams") or 1,
            length_penalty=1.0 if said.get("length_penalty") is None else said["length_penalty"],
            early_stopping=bool(said.get("early_stopping", False)),
            no_repeat=said.get("no_repeat_ngram_size") or 0,
            least_tokens=max(0, least - 1),
            forced_first=said.get("forced_bos_token_id"),
            forced_last=said.get("forced_eos_token_id"),
        ),
    )


class Summarizer(QueuedModel[_Sessions]):
    """A loaded sequence-to-sequence model. Created by `load`; can be used from several event loops.

    Args:
        description: The model's folder.
        tokenizer: Its tokenizer.
        sessions: Its encoder, the decoder of the first token, and that of all others.
        device: The device they run on.
        settings: Settings of its queue.
    """

    def __init__(
        self,
        description: SummarizerFolder,
        tokenizer: Tokenizer,
        sessions: _Sessions,
        device: str,
        settings: WorkSettings | None = None,
    ) -> None:
        self.description = description
        super().__init__(description.name, "summarizer", tokenizer, sessions, device, settings)

    @classmethod
    def _load(
        cls, folder: Path, session: SessionSettings, precision: str, settings: WorkSettings | None
    ) -> Self:
        del precision  # unused: optimum exports one set of graphs for this task
        description = read_summarizer_folder(folder)
        encoder, first = (
            open_session(one, session) for one in (description.encoder, description.decoders[0])
        )
        merged = description.decoders[0] == description.decoders[1]
        later = first if merged else open_session(description.decoders[1], session)
        sessions = (encoder.session, first.session, later.session)
        return cls(description, read_uncut_tokenizer(folder), sessions, encoder.device, settings)

    async def summarize(
        self,
        text: str,
        *,
        max_tokens: int | None = None,
        beams: int | None = None,
        begun: Callable[[], None] | None = None,
    ) -> tuple[Step, Usage]:
        """Summarize a text, off the event loop. Cancelling the task stops the model within one run of its graph.

        Args:
            text: The text.
            max_tokens: Maximum number of tokens. Default: the model's own limit.
            beams: Number of beams. Default: the model's own.
            begun: Called when the request has left the queue.

        Returns:
            The whole summary as one step, and what it used.

        Raises:
            ContextOverflowError: The text is longer than the model's maximum input.
            RequestError: `max_tokens` or `beams` is below 1.
            EngineClosedError: The summarizer was closed.
        """
        for name, value in (("max_tokens", max_tokens), ("num_beams", beams)):
            if value is not None and value < 1:
                raise RequestError(f"{name} must be 1 or more, not {value}", name)
        asked = time.monotonic()

        def work(options: RunOptions) -> tuple[Step, Usage]:
            return self._summarize(text, max_tokens, beams, time.monotonic() - asked, options)

        return await self._worker.run(work, begun)

    def _summarize(
        self, text: str, max_tokens: int | None, beams: int | None, queued: float, options: RunOptions
    ) -> tuple[Step, Usage]:
        began = time.monotonic()
        found = self.description
        encoding: Any = self._tokenizer.encode(found.prefix + mend_text(text))
        ids: list[int] = encoding.ids
        if found.max_input is not None and len(ids) > found.max_input:
            raise ContextOverflowError(len(ids), None, found.max_input, found.name)
        decoding = _Decoding(self._graphs, found, ids, options)
        read = time.monotonic() - began
        settings = found.search if beams is None else attrs.evolve(found.search, beams=beams)
        most = max_tokens or found.max_tokens
        tokens, ended = search(decoding.step, found.start, found.ends, most, settings)
        answer: str = self._tokenizer.decode(list(tokens), skip_special_tokens=True)
        usage = Usage(
            prompt_tokens=len(ids),
            generated_tokens=len(tokens) + ended,
            queued_seconds=queued,
            prompt_seconds=read,
            seconds=time.monotonic() - began,
        )
        return Step(answer.strip(), tokens, None, "stop" if ended else "length"), usage


class _Decoding:
    """A summary being generated: the encoder's output, and the KV cache of each beam."""

    def __init__(
        self,
        sessions: _Sessions,
        found: SummarizerFolder,
        ids: Sequence[int],
        options: RunOptions,
    ) -> None:
        encoder, self._first, self._later = sessions
        self._found = found
        self._options = options
        mask = np.ones((1, len(ids)), np.int64)
        feed = _convert({"input_ids": np.array([ids], np.int64), "attention_mask": mask}, encoder)
        (hidden,) = encoder.run(["last_hidden_state"], feed, options)
        self._read: _Values = {"encoder_hidden_states": hidden, "encoder_attention_mask": mask}
        self._past: _Values = {}
        self._steps = 0

    def step(self, tokens: Sequence[int], rows: Sequence[int]) -> Floats:
        """Append a token to each beam, which continues the given row; return the logits."""
        session = self._later if self._past else self._first
        wanted = {slot.name: slot for slot in session.get_inputs()}
        past = {name: value[list(rows)] for name, value in self._past.items()}
        feed: _Values = {"input_ids": np.array(tokens, np.int64)[:, None], **past}
        for name, value in self._read.items():
            if name in wanted:
                feed[name] = np.repeat(value, len(tokens), axis=0)
        if _SWITCH in wanted:
            feed[_SWITCH] = np.array([bool(self._past)])
            if not self._past:
                feed |= self._make_empty_past(wanted)
        names = [slot.name for slot in session.get_outputs()]
        found = dict(zip(names, session.run(names, _convert(feed, session), self._options), strict=True))
        logits = np.asarray(found.pop("logits")[:, -1], np.float32)
        self._steps += 1
        if not np.isfinite(logits.max(axis=1)).all():  # the greatest is NaN if any is
            raise NotFiniteError(
                f"the model's output for token {self._steps} of the summary", self._found.name
            )
        later = bool(past)
        for name, value in found.items():
            key = name.replace("present", "past_key_values")
            # Keys and values of the encoder are kept from the first run: later runs return them empty, or not at all.
            if name.startswith("present") and not (later and ".encoder." in name):
                past[key] = value
        self._past = past
        return logits

    def _make_empty_past(self, wanted: Mapping[str, Any]) -> _Values:
        """Create empty keys and values, which a merged graph needs for its first run."""
        found = self._found
        names = [name for name in wanted if name.startswith("past_key_values")]
        kinds = {"tensor(float16)": np.float16}
        return {
            name: np.zeros((1, found.heads, 0, found.head_dim), kinds.get(wanted[name].type, np.float32))
            for name in names
        }


def _convert(feed: _Values, session: Session) -> _Values:
    """Convert ids and masks, which are int64, for graphs that want int32."""
    wanted = {slot.name for slot in session.get_inputs() if slot.type == "tensor(int32)"}
    return {name: value.astype(np.int32) if name in wanted else value for name, value in feed.items()}


def _read_json(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    body: dict[str, Any] = read_json(path.read_bytes())
    return body
