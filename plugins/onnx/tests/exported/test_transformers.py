"""Our sampling and our engine against transformers and optimum themselves. Needs the extra [export]: `nox -s export`."""

import numpy as np
import pytest

torch = pytest.importorskip(
    "torch", reason='needs the extra [export], which brings torch: run "nox -s export"'
)
transformers = pytest.importorskip("transformers", reason='needs the extra [export]: run "nox -s export"')

from test_sampling_reference import CASES, our_probabilities, row  # noqa: E402


@pytest.mark.parametrize("options", CASES, ids=str)
@pytest.mark.parametrize("seed", range(5))
def test_probabilities_are_those_of_transformers(options, seed):
    logits, seen = row(seed)
    kinds = transformers.generation.logits_process
    chain = [
        ("repetition_penalty", kinds.RepetitionPenaltyLogitsProcessor),
        ("temperature", kinds.TemperatureLogitsWarper),
        ("top_k", kinds.TopKLogitsWarper),
        ("top_p", kinds.TopPLogitsWarper),
        ("min_p", kinds.MinPLogitsWarper),
    ]
    processors = kinds.LogitsProcessorList([make(options[name]) for name, make in chain if name in options])

    scores = processors(torch.tensor([seen]), torch.tensor(logits)[None])

    expected = torch.softmax(scores[0].double(), 0).numpy()
    np.testing.assert_allclose(our_probabilities(logits, seen, options), expected, atol=2e-6)
