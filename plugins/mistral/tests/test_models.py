"""The table of models."""

from __future__ import annotations

import jackfield_mistral as mistral
from jackfield.plugin import ModelRef
from jackfield_mistral._models import known_models


def of(model):
    return mistral.jackfield_capabilities(ModelRef(model))


def test_every_row_can_be_read():
    for model in known_models():
        known = of(model)
        assert known.known
        assert known.kinds
        assert all(capability.source == "table 2026-11-22" for capability in known.features.values())


def test_an_unknown_model_is_unknown():
    assert not of("mistral-huge-2701").known
    assert of("mistral-huge-2701").kinds == {"chat"}
    assert of("mistral-embed-2701").kinds == {"embedding"}
    assert of("codestral-2701").kinds == {"chat", "completion"}
    assert not of("mistral-huge-2701").parameters


def test_a_fine_tuned_model_has_the_capabilities_of_its_base():
    assert of("ft:open-mistral-7b:me:20240601:abc") == of("open-mistral-7b")
    assert (
        mistral.jackfield_capabilities(ModelRef("mine", underlying="mistral:mistral-embed")).limits.dimensions
        == 1024
    )


def test_limits_of_embeddings():
    limits = of("mistral-embed").limits
    assert (limits.dimensions, limits.max_input_tokens, limits.max_input_tokens_per_request) == (
        1024,
        8192,
        16384,
    )
