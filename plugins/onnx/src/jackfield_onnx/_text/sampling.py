"""Sample the next token from logits: pure functions, and the state of one request around them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import attrs
import numpy as np
import numpy.typing as npt

from jackfield_onnx._local_errors import GenerationError, NotFiniteError, RequestError

from .constraint import TokenConstraint

__all__ = [
    "Choice",
    "Floats",
    "Sampler",
    "Sampling",
    "TokenLogprob",
    "draw",
    "forbid",
    "keep_likely",
    "log_softmax",
    "penalise_counts",
    "penalise_repetition",
    "select_top",
]

Floats = npt.NDArray[np.float32]
_Counts = npt.NDArray[np.int64]
_GREEDY = 1e-5  # temperatures below this are greedy: dividing by them would overflow float32
_HOTTEST = 2  # above this a reply is noise, which does not end by itself
# Fractions of the best token's weight above which the nucleus is searched before all tokens are sorted.
_THRESHOLDS = (1e-3, 1e-5)


@attrs.frozen(kw_only=True)
class Sampling:
    """Sampling options.

    Args:
        temperature: 0 always takes the most probable token.
        top_p: Keep the smallest set of tokens whose probabilities add up to this.
        top_k: Keep this many tokens; None keeps all.
        min_p: Keep tokens with at least this fraction of the most probable token's probability.
        repetition_penalty: Divide (negative logits: multiply) the logits of tokens of the prompt and the reply.
        presence_penalty: Subtracted from the logits of tokens of the reply.
        frequency_penalty: Subtracted once for each occurrence of a token in the reply.
        logit_bias: Added to the logits of these tokens, before anything else.
        seed: Makes sampling reproducible; None uses entropy of the operating system.
        top_logprobs: Report log-probabilities: of the chosen token, and of this many most probable ones. None reports none.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int | None = None
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: Mapping[int, float] = attrs.field(factory=dict)
    seed: int | None = None
    top_logprobs: int | None = None

    def __attrs_post_init__(self) -> None:
        limits = (
            ("temperature", 0 <= self.temperature <= _HOTTEST, f"0 or more and at most {_HOTTEST}"),
            ("top_p", 0 < self.top_p <= 1, "above 0 and at most 1"),
            ("top_k", self.top_k is None or self.top_k >= 1, "1 or more"),
            ("min_p", 0 <= self.min_p <= 1, "0 or more and at most 1"),
            ("repetition_penalty", self.repetition_penalty > 0, "above 0"),
            ("seed", self.seed is None or self.seed >= 0, "0 or more"),
            ("top_logprobs", self.top_logprobs is None or self.top_logprobs >= 0, "0 or more"),
        )
        for name, holds, rule in limits:
            if not holds:
                raise RequestError(f"{name} must be {rule}, not {getattr(self, name)}", name)


@attrs.frozen
class TokenLogprob:
    """A token and its log-probability."""

    token: int
    logprob: float


@attrs.frozen
class Choice:
    """A chosen token, with log-probabilities if they were requested.

    They describe the model's own distribution, without penalties and temperature.
    """

    token: int
    logprob: float | None = None
    top: tuple[TokenLogprob, ...] = ()


class Sampler:
    """Samples the tokens of one request, and records them for the penalties.

    Args:
        sampling: Sampling options.
        prompt: Tokens of the prompt, for the repetition penalty.
        vocabulary: Number of logits.
        end_tokens: Tokens that end a reply. The repetition penalty does not apply to them: they occur in every chat
            prompt, and ending a reply is not repetition.
        constraint: Restricts the tokens that may come next; None allows all.
    """

    def __init__(
        self,
        sampling: Sampling,
        prompt: Sequence[int],
        vocabulary: int,
        end_tokens: Sequence[int] = (),
        constraint: TokenConstraint | None = None,
    ) -> None:
        self._sampling = sampling
        self._constraint = constraint
        self._generated: list[int] = []
        self._random = np.random.Generator(np.random.PCG64(sampling.seed))
        self._counts: _Counts = np.zeros(vocabulary, np.int64)
        self._seen = np.zeros(vocabulary, np.bool_)
        self._seen[list(prompt)] = True
        self._seen[[token for token in end_tokens if token < vocabulary]] = False

    def choose(self, logits: Floats) -> Choice:
        """Choose the next token.

        Args:
            logits: One row [vocabulary]; it is not modified.

        Raises:
            GenerationError: The grammar allows no token.
            NotFiniteError: A logit is NaN, or all are infinite.
        """
        sampling = self._sampling
        # The greatest is NaN if any is. Some graphs forbid tokens by minus infinity, which is fine.
        if not math.isfinite(logits.max()):
            raise NotFiniteError(f"the model's output for token {int(self._counts.sum()) + 1} of the reply")
        scores = self._penalise(logits)
        if self._constraint is not None:
            forbid(scores, self._constraint.mask(self._generated))
        if sampling.temperature < _GREEDY:
            token = int(scores.argmax())
        else:
            kept, weights = keep_likely(scores, sampling)
            token = int(kept[draw(weights, self._random.random())])
        self._counts[token] += 1
        self._seen[token] = True
        if self._constraint is not None:
            self._constraint.accept(token)
            self._generated.append(token)
        if sampling.top_logprobs is None:
            return Choice(token)
        logprobs = log_softmax(logits)
        top = select_top(logprobs, sampling.top_logprobs)
        return Choice(
            token, float(logprobs[token]), tuple(TokenLogprob(int(t), float(logprobs[t])) for t in top)
        )

    def _penalise(self, logits: Floats) -> Floats:
        sampling = self._sampling
        scores = logits.copy()
        for token, bias in sampling.logit_bias.items():
            scores[token] += bias
        if sampling.repetition_penalty != 1:
            penalise_repetition(scores, self._seen, sampling.repetition_penalty)
        if sampling.presence_penalty != 0 or sampling.frequency_penalty != 0:
            penalise_counts(scores, self._counts, sampling.presence_penalty, sampling.frequency_penalty)
        return scores


def penalise_repetition(scores: Floats, seen: npt.NDArray[np.bool_], penalty: float) -> None:
    """Apply the repetition penalty of CTRL (Keskar et al. 2019) to tokens that occurred, in place."""
    at = np.flatnonzero(seen)
    values = scores[at]
    scores[at] = np.where(values > 0, values / penalty, values * penalty)


def penalise_counts(scores: Floats, counts: _Counts, presence: float, frequency: float) -> None:
    """Subtract presence and frequency penalties for tokens of the reply, in place."""
    at = np.flatnonzero(counts)
    scores[at] -= presence + frequency * counts[at].astype(np.float32)


def forbid(scores: Floats, allowed: npt.NDArray[np.bool_]) -> None:
    """Set the scores of tokens that are not allowed to minus infinity, in place.

    Raises:
        GenerationError: No token is allowed.
    """
    if not allowed.any():
        raise GenerationError("the reply cannot continue: its grammar allows no token here")
    scores[: len(allowed)][~allowed] = -np.inf
    scores[len(allowed) :] = -np.inf


def keep_likely(scores: Floats, sampling: Sampling) -> tuple[npt.NDArray[np.int64], Floats]:
    """Apply temperature, then top-k, then top-p, then min-p.

    Returns:
        The tokens kept, and their weights, which need not add up to one; most probable first unless all are kept.
    """
    # In float32, since numpy computes its exponential ten times faster, for 50,000 logits a token. Sums are in float64.
    weights = np.exp((scores - scores.max()) / np.float32(sampling.temperature))
    top_k, top_p = sampling.top_k, sampling.top_p
    if top_k is None and top_p >= 1:
        if sampling.min_p == 0:
            return np.arange(len(weights)), weights
        kept = np.flatnonzero(weights >= sampling.min_p)  # the most probable token's weight is one
        return kept, weights[kept]
    if top_k is not None:
        kept = select_top(scores, top_k)
        total = weights[kept].sum(dtype=np.float64)
    else:
        total = weights.sum(dtype=np.float64)
        kept = _select_candidates(scores, weights, top_p * total)
    before = np.cumsum(weights[kept], dtype=np.float64) - weights[kept]
    # A token is kept while those before it have not reached top_p; so the first one always is.
    kept = kept[: max(1, int(np.searchsorted(before, top_p * total)))]
    if sampling.min_p > 0:
        kept = kept[weights[kept] >= sampling.min_p]
    return kept, weights[kept]


def _select_candidates(scores: Floats, weights: Floats, needed: float) -> npt.NDArray[np.int64]:
    """Return probable tokens, most probable first, whose weights add up to at least `needed`.

    The nucleus nearly always consists of tokens with at least a thousandth of the best one's weight, and comparing all
    weights with a number is a hundred times cheaper than sorting them.
    """
    at = np.arange(len(weights))
    for least in _THRESHOLDS:
        likely = np.flatnonzero(weights >= least)
        if weights[likely].sum(dtype=np.float64) >= needed:
            at = likely
            break
    return at[np.argsort(-scores[at], kind="stable")]


def draw(weights: Floats, uniform: float) -> int:
    """Pick an index with a probability proportional to its weight.

    Args:
        weights: Not negative, not all zero.
        uniform: A random number in [0, 1).
    """
    sums = np.cumsum(weights, dtype=np.float64)
    at = int(np.searchsorted(sums, uniform * sums[-1], side="right"))
    return min(at, len(weights) - 1)


def select_top(scores: Floats, count: int) -> npt.NDArray[np.int64]:
    """Return the `count` tokens with the highest scores, highest first, ties by id."""
    count = min(count, len(scores))
    if count == 0:
        return np.empty(0, np.int64)
    if count == len(scores):
        return np.argsort(-scores, kind="stable")
    threshold = np.partition(scores, len(scores) - count)[len(scores) - count]
    # All at the threshold are sorted before truncating, so that ties do not depend on the partition's internal order.
    at = np.flatnonzero(scores >= threshold)
    return at[np.argsort(-scores[at], kind="stable")][:count]


def log_softmax(logits: Floats) -> Floats:
    """Convert logits to log-probabilities."""
    shifted = logits - logits.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()), dtype=np.float32)
