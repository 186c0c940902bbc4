"""Beam search: with one beam it is greedy decoding, with several it keeps the most probable hypotheses."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import attrs
import numpy as np

from jackfield_onnx._files.checks import check_number, check_whole

from .sampling import Floats, log_softmax, select_top

__all__ = ["BeamSettings", "Step", "search"]

Step: TypeAlias = Callable[[Sequence[int], Sequence[int]], Floats]
"""Takes each row's last token and the row that it continues; returns logits [rows, vocabulary]."""


@attrs.frozen(kw_only=True)
class BeamSettings:
    """Settings of a beam search, as in transformers' `generation_config.json`.

    Args:
        beams: Number of beams.
        length_penalty: Above 0, longer texts are preferred.
        early_stopping: Stop as soon as there are as many finished texts as beams.
        no_repeat: No n-gram of this length occurs twice; 0 allows all.
        least_tokens: Minimum number of tokens.
        forced_first: Forces the first token.
        forced_last: Forces the last token when the maximum length is reached.
    """

    beams: int = attrs.field(default=1, validator=check_whole(1))
    length_penalty: float = attrs.field(default=1.0, validator=check_number)
    early_stopping: bool = False
    no_repeat: int = attrs.field(default=0, validator=check_whole(0))
    least_tokens: int = attrs.field(default=0, validator=check_whole(0))
    forced_first: int | None = attrs.field(default=None, validator=attrs.validators.optional(check_whole(0)))
    forced_last: int | None = attrs.field(default=None, validator=attrs.validators.optional(check_whole(0)))


@attrs.frozen
class _Beam:
    tokens: tuple[int, ...]
    score: float


def search(
    step: Step, start: int, ends: Sequence[int], max_tokens: int, settings: BeamSettings
) -> tuple[tuple[int, ...], bool]:
    """Search for the most probable text.

    Args:
        step: Runs the model.
        start: The decoder's start token.
        ends: End tokens.
        max_tokens: Maximum number of tokens, the end token included.
        settings: Settings of the search.

    Returns:
        The tokens without the end token, and whether the text ended with one.
    """
    alive = [_Beam((), 0.0)]
    done: list[tuple[float, tuple[int, ...]]] = []
    logits = step([start], [0])
    for made in range(1, max_tokens + 1):
        found = _find_candidates(logits, alive, ends, made == max_tokens, settings)
        kept: list[tuple[int, _Beam]] = []
        for rank, (row, beam) in enumerate(found):
            if beam.tokens[-1] in ends:
                # A finished hypothesis counts only among the best candidates, as many as there are beams.
                if rank < settings.beams:
                    done.append((_weigh(beam.score, made, settings), beam.tokens[:-1]))
            elif len(kept) < settings.beams:
                kept.append((row, beam))
        alive = [beam for _, beam in kept]
        if not alive or _is_finished(done, alive[0], made, max_tokens, settings):
            break
        if made < max_tokens:
            logits = step([beam.tokens[-1] for beam in alive], [row for row, _ in kept])
    if done:
        return max(done, key=lambda one: one[0])[1], True
    return alive[0].tokens, False


def _find_candidates(
    logits: Floats, alive: list[_Beam], ends: Sequence[int], last: bool, settings: BeamSettings
) -> list[tuple[int, _Beam]]:
    """Return the most probable continuations of all beams, best first, enough to continue every beam."""
    scores = np.stack(
        [_score(row, beam.tokens, ends, last, settings) for row, beam in zip(logits, alive, strict=True)]
    )
    total = scores + np.array([[beam.score] for beam in alive], np.float32)
    flat, width = total.ravel(), total.shape[1]
    found = []
    for at in select_top(flat, settings.beams * (1 + len(ends))):
        row, token = divmod(int(at), width)
        if np.isfinite(flat[at]):
            found.append((row, _Beam((*alive[row].tokens, token), float(flat[at]))))
    return found


def _score(
    logits: Floats, tokens: tuple[int, ...], ends: Sequence[int], last: bool, settings: BeamSettings
) -> Floats:
    scores = log_softmax(np.asarray(logits, np.float32))
    forced = settings.forced_first if not tokens else settings.forced_last if last else None
    if forced is not None:
        only = np.full_like(scores, -np.inf)
        only[forced] = 0
        return only
    if len(tokens) < settings.least_tokens:
        scores[list(ends)] = -np.inf
    size = settings.no_repeat
    if 0 < size <= len(tokens):
        tail = tokens[len(tokens) - size + 1 :]
        for at in range(len(tokens) - size + 1):
            if tokens[at : at + size - 1] == tail:
                scores[tokens[at + size - 1]] = -np.inf
    return scores


def _weigh(score: float, length: int, settings: BeamSettings) -> float:
    return score / math.pow(length, settings.length_penalty)


def _is_finished(
    done: list[tuple[float, tuple[int, ...]]], best: _Beam, made: int, most: int, settings: BeamSettings
) -> bool:
    if len(done) < settings.beams:
        return False
    if settings.early_stopping or settings.beams == 1:
        return True
    worst = sorted((worth for worth, _ in done), reverse=True)[settings.beams - 1]
    return worst >= _weigh(best.score, made if settings.length_penalty <= 0 else most, settings)
