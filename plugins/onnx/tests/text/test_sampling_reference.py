"""Probabilities before the draw, against the documented formulas of transformers' logits processors.

The formulas are written down anew here, in float64 and in transformers' own order: repetition penalty, temperature,
top-k, top-p, min-p. `exported/test_transformers.py` holds the same cases to transformers itself, where torch is there.
"""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from jackfield_onnx._text.sampling import Sampler, Sampling, keep_likely, log_softmax

SIZE = 400
CASES = [
    {"temperature": 0.7},
    {"temperature": 1.8},
    {"top_k": 1},
    {"top_k": 40},
    {"top_k": 1000},
    {"top_p": 0.9},
    {"top_p": 0.05},
    {"min_p": 0.1},
    {"min_p": 1.0},
    {"repetition_penalty": 1.3},
    {"repetition_penalty": 0.8},
    {"temperature": 0.6, "top_k": 50, "top_p": 0.95},
    {"temperature": 1.5, "top_p": 0.99, "min_p": 0.02, "repetition_penalty": 1.1},
    {"temperature": 0.3, "top_k": 7, "top_p": 0.5, "min_p": 0.3, "repetition_penalty": 2.0},
]


def softmax(scores):
    weights = np.exp(scores - scores.max())
    return weights / weights.sum()


def transformers_probabilities(logits, seen, options):
    """The documented chain, step by step."""
    scores = logits.astype(np.float64)
    penalty = options.get("repetition_penalty", 1.0)
    at = sorted(set(seen))
    scores[at] = np.where(scores[at] < 0, scores[at] * penalty, scores[at] / penalty)
    scores = scores / options.get("temperature", 1.0)
    if "top_k" in options:
        threshold = np.sort(scores)[-min(options["top_k"], len(scores))]
        scores = np.where(scores < threshold, -np.inf, scores)
    if options.get("top_p", 1.0) < 1.0:
        ascending = np.argsort(scores, kind="stable")
        sums = softmax(scores[ascending]).cumsum()
        removed = sums <= 1 - options["top_p"]
        removed[-1] = False
        scores[ascending[removed]] = -np.inf
    if "min_p" in options:
        probabilities = softmax(scores)
        scores = np.where(probabilities < options["min_p"] * probabilities.max(), -np.inf, scores)
    return softmax(scores)


def our_probabilities(logits, seen, options):
    sampling = Sampling(**options)
    scores = Sampler(sampling, seen, len(logits))._penalise(logits)
    kept, weights = keep_likely(scores, sampling)
    found = np.zeros(len(logits))
    found[kept] = weights / weights.sum(dtype=np.float64)
    return found


def row(seed):
    random = np.random.default_rng(seed)
    return random.normal(0, 3, SIZE).astype(np.float32), random.integers(0, SIZE, 30).tolist()


@pytest.mark.parametrize("options", CASES, ids=str)
@pytest.mark.parametrize("seed", range(5))
def test_probabilities_are_those_of_the_formulas(options, seed):
    logits, seen = row(seed)

    np.testing.assert_allclose(
        our_probabilities(logits, seen, options), transformers_probabilities(logits, seen, options), atol=2e-6
    )


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 10_000),
    st.floats(0.1, 2),
    st.one_of(st.none(), st.integers(1, 500)),
    st.sampled_from([1.0, 0.97, 0.6, 0.2]),
    st.sampled_from([0.0, 0.01, 0.2]),
    st.floats(0.5, 2),
)
def test_so_are_those_of_any_options(seed, temperature, top_k, top_p, min_p, penalty):
    logits, seen = row(seed)
    given_options = {
        "temperature": temperature,
        "top_p": top_p,
        "min_p": min_p,
        "repetition_penalty": penalty,
    }
    if top_k is not None:
        given_options["top_k"] = top_k

    found = our_probabilities(logits, seen, given_options)
    expected = transformers_probabilities(logits, seen, given_options)

    # A nucleus may end one token apart where the sum meets top_p to the last digit of float32.
    assert np.abs(found - expected).sum() < 1e-4 or np.abs((found > 0).sum() - (expected > 0).sum()) <= 1


def test_the_comparison_can_fail():
    logits, seen = row(0)
    wrong = transformers_probabilities(logits, seen, {"temperature": 0.7})

    with pytest.raises(AssertionError):
        np.testing.assert_allclose(our_probabilities(logits, seen, {"temperature": 0.71}), wrong, atol=2e-6)


@pytest.mark.parametrize("seed", range(3))
def test_log_probabilities_are_the_logarithm_of_the_softmax(seed):
    logits, _ = row(seed)

    np.testing.assert_allclose(log_softmax(logits), np.log(softmax(logits.astype(np.float64))), atol=1e-5)


def test_a_seed_draws_as_often_as_the_probabilities_say():
    logits, _ = row(1)
    options = {"temperature": 0.8, "top_k": 12, "top_p": 0.95}
    expected = transformers_probabilities(logits, [], options)
    draws = 6000
    # One draw a seed: what a program gets that asks with ever new seeds.
    found = np.bincount(
        [
            Sampler(Sampling(**options, seed=seed), [], len(logits)).choose(logits).token
            for seed in range(draws)
        ],
        minlength=len(logits),
    )

    likely = expected > 0
    assert found[~likely].sum() == 0
    squares = ((found[likely] - draws * expected[likely]) ** 2 / (draws * expected[likely])).sum()
    assert squares < 40  # chi-square of at most 11 degrees: above it once in ten thousand
