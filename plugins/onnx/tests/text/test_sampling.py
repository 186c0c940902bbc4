import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays

from jackfield_onnx._local_errors import GenerationError, RequestError
from jackfield_onnx._text.sampling import (
    Sampler,
    Sampling,
    draw,
    keep_likely,
    log_softmax,
    penalise_counts,
    penalise_repetition,
    select_top,
)

logits = arrays(np.float32, st.integers(2, 700), elements=st.floats(-30, 30, width=32))


def reference_keep(scores, temperature, top_k, top_p):
    """The rules, written down without a thought for speed."""
    order = sorted(range(len(scores)), key=lambda token: (-float(scores[token]), token))
    order = order[: top_k or len(order)]
    weights = [np.exp(np.float64(scores[token] - scores.max()) / temperature) for token in order]
    total, before, kept = np.cumsum(weights)[-1], 0.0, []
    for token, weight in zip(order, weights, strict=True):
        if kept and before >= top_p * total * (1 - 1e-6):
            break
        kept.append(token)
        before += weight
    return kept


@settings(max_examples=60, deadline=None)
@given(
    logits,
    st.floats(0.05, 2),
    st.one_of(st.none(), st.integers(1, 800)),
    st.sampled_from([0.01, 0.3, 0.9, 0.99]),
)
def test_the_kept_tokens_are_those_of_the_rules(scores, temperature, top_k, top_p):
    kept, weights = keep_likely(scores, Sampling(temperature=temperature, top_k=top_k, top_p=top_p))
    expected = reference_keep(scores, temperature, top_k, top_p)

    # A nucleus may end one token apart where the sum meets top_p to the last digit.
    assert abs(len(kept) - len(expected)) <= 1
    assert kept[: len(expected)].tolist() == expected[: len(kept)]
    assert len(weights) == len(kept)


@settings(max_examples=40, deadline=None)
@given(logits, st.integers(0, 800))
def test_most_likely_is_a_stable_sort_cut_short(scores, count):
    expected = np.argsort(-scores, kind="stable")[:count]

    np.testing.assert_array_equal(select_top(scores, count), expected)


def test_a_nucleus_wider_than_the_first_look_is_found():
    kept, _ = keep_likely(np.zeros(5000, np.float32), Sampling(top_p=0.5))

    assert len(kept) == 2500


def test_without_limits_every_token_stays():
    kept, weights = keep_likely(np.array([1.0, 2.0, 0.0], np.float32), Sampling(temperature=0.5))

    assert kept.tolist() == [0, 1, 2]
    np.testing.assert_allclose(weights, np.exp([-2.0, 0.0, -4.0]), rtol=1e-6)


@pytest.mark.parametrize(("uniform", "index"), [(0.0, 0), (0.249, 0), (0.25, 2), (0.999999, 2)])
def test_drawing_follows_the_weights_and_never_a_zero(uniform, index):
    assert draw(np.array([1.0, 0.0, 3.0]), uniform) == index


def test_the_repetition_penalty_divides_above_zero_and_multiplies_below():
    scores = np.array([2.0, -2.0, 3.0], np.float32)

    penalise_repetition(scores, np.array([True, True, False]), 2.0)

    assert scores.tolist() == [1.0, -4.0, 3.0]


def test_presence_counts_once_and_frequency_each_time():
    scores = np.array([1.0, 1.0, 1.0], np.float32)

    penalise_counts(scores, np.array([0, 1, 3]), 0.5, 0.25)

    assert scores.tolist() == [1.0, 0.25, -0.25]


def test_log_softmax_adds_up_to_one_even_for_large_logits():
    logprobs = log_softmax(np.array([1000.0, 999.0, 0.0], np.float32))

    assert np.exp(logprobs).sum() == pytest.approx(1.0)
    assert logprobs[0] - logprobs[1] == pytest.approx(1.0)


def _choose(count=200, row=None, **options):
    row = np.linspace(0, 3, 50).astype(np.float32) if row is None else row
    sampler = Sampler(Sampling(**options), [], len(row))
    return [sampler.choose(row).token for _ in range(count)]


def test_a_seed_repeats_and_another_seed_does_not():
    assert _choose(seed=1) == _choose(seed=1)
    assert _choose(seed=1) != _choose(seed=2)
    assert _choose() != _choose()


def test_temperature_zero_is_greedy():
    assert set(_choose(temperature=0.0)) == {49}
    assert set(_choose(temperature=1e-7)) == {49}


def test_frequencies_follow_the_probabilities():
    row = np.log(np.array([0.5, 0.3, 0.2], np.float32))

    counts = np.bincount(_choose(4000, row, seed=3), minlength=3) / 4000

    np.testing.assert_allclose(counts, [0.5, 0.3, 0.2], atol=0.03)


def test_penalties_see_the_right_tokens():
    row = np.array([1.0, 1.2, 1.1], np.float32)
    greedy = {"temperature": 0.0}

    in_prompt = Sampler(Sampling(repetition_penalty=2.0, **greedy), [1], 3)
    assert [in_prompt.choose(row).token for _ in range(2)] == [2, 0]
    # Presence and frequency are about the answer alone.
    in_answer = Sampler(Sampling(presence_penalty=0.15, **greedy), [1], 3)
    assert [in_answer.choose(row).token for _ in range(2)] == [1, 2]
    ending = Sampler(Sampling(repetition_penalty=2.0, **greedy), [1], 3, end_tokens=[1])
    assert ending.choose(row).token == 1


def test_a_bias_can_force_and_forbid():
    row = np.array([1.0, 5.0, 2.0], np.float32)

    assert set(_choose(row=row, temperature=0.0, logit_bias={0: 100.0})) == {0}
    assert set(_choose(row=row, temperature=0.0, logit_bias={1: -100.0})) == {2}
    assert row.tolist() == [1.0, 5.0, 2.0]


def test_logprobs_describe_the_model_and_not_the_sampling():
    row = np.log(np.array([0.5, 0.3, 0.2], np.float32))

    choice = Sampler(Sampling(temperature=0.0, top_logprobs=2, logit_bias={2: 9.0}), [], 3).choose(row)

    assert choice.token == 2
    assert np.exp(choice.logprob) == pytest.approx(0.2)
    assert [(item.token, round(float(np.exp(item.logprob)), 3)) for item in choice.top] == [
        (0, 0.5),
        (1, 0.3),
    ]


def test_zero_top_logprobs_gives_only_the_chosen_token():
    choice = Sampler(Sampling(top_logprobs=0), [], 3).choose(np.zeros(3, np.float32))

    assert choice.logprob == pytest.approx(np.log(1 / 3))
    assert choice.top == ()


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"top_p": 0},
        {"top_p": 1.1},
        {"top_k": 0},
        {"repetition_penalty": 0},
        {"seed": -1},
        {"top_logprobs": -1},
    ],
)
def test_values_out_of_range_name_their_option(options):
    with pytest.raises(RequestError, match=next(iter(options))):
        Sampling(**options)


class Only:
    """A grammar that allows these tokens in this order, and remembers what it was told."""

    def __init__(self, *steps, size=3):
        self.steps, self.size, self.accepted, self.asked = steps, size, [], []

    def mask(self, generated):
        self.asked.append(list(generated))
        allowed = np.zeros(self.size, np.bool_)
        allowed[list(self.steps[len(generated)])] = True
        return allowed

    def accept(self, token):
        self.accepted.append(token)


@pytest.mark.parametrize("options", [{"temperature": 0.0}, {"temperature": 2.0, "seed": 1}, {"top_p": 0.5}])
def test_a_constraint_decides_what_may_be_chosen(options):
    row, grammar = np.array([1.0, 9.0, 2.0, 99.0], np.float32), Only([0], [2], [1])
    sampler = Sampler(Sampling(logit_bias={1: 5.0}, **options), [], 4, constraint=grammar)

    assert [sampler.choose(row).token for _ in range(3)] == [0, 2, 1]
    assert grammar.accepted == [0, 2, 1]
    assert grammar.asked == [[], [0], [0, 2]]
    assert row.tolist() == [1.0, 9.0, 2.0, 99.0]


def test_a_constraint_that_allows_nothing_is_an_error():
    sampler = Sampler(Sampling(), [], 3, constraint=Only([]))

    with pytest.raises(GenerationError, match="grammar"):
        sampler.choose(np.zeros(3, np.float32))
