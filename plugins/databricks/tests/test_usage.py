"""Token counts in all their forms."""

from __future__ import annotations

import pytest

from jackfield_databricks._usage import read_usage


@pytest.mark.parametrize(
    ("raw", "counts"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}, (10, 2, None, None)),
        ({"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 0}, (10, 2, 4, 0)),
        ({"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 19, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 3}, (17, 2, 4, 3)),
        ({"prompt_tokens": 3, "completion_tokens": 2, "cache_read_input_tokens": 4}, (7, 2, 4, None)),
        ({"prompt_tokens": 3, "completion_tokens": None, "total_tokens": None, "cache_read_input_tokens": 0}, (3, None, 0, None)),
        ({"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 5}, "cache_read_input_tokens": 5}, (10, 2, 5, None)),
    ],
)  # fmt: skip
def test_token_counts_have_one_meaning(raw, counts):
    usage = read_usage(raw)
    assert (
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_input_tokens,
        usage.cache_write_tokens,
    ) == counts


@pytest.mark.parametrize("form", [float, str])
def test_counts_are_read_however_they_are_written(form):
    raw = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 19, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 3}  # fmt: skip
    assert read_usage({name: form(count) for name, count in raw.items()}) == read_usage(raw)
    assert read_usage({**raw, "cache_read_input_tokens": [4]}).input_tokens == 10
