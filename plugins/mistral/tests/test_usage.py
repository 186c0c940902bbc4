"""Token counts in odd forms."""

from decimal import Decimal

import pytest

from jackfield_mistral._usage import read_usage

RAW = {
    "prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 12, "num_cached_tokens": 1, "prompt_audio_seconds": 4,
    "prompt_tokens_details": {"audio_tokens": 7},
}  # fmt: skip


@pytest.mark.parametrize("form", [int, float, str])
def test_counts_are_read_however_they_are_written(form):
    raw = {name: form(count) for name, count in RAW.items() if name != "prompt_tokens_details"}
    usage = read_usage({**raw, "prompt_tokens_details": {"audio_tokens": form(7)}})
    assert (usage.input_tokens, usage.output_tokens, usage.cached_input_tokens) == (10, 2, 1)
    assert usage.units == {"input_audio_second": Decimal(4)}


@pytest.mark.parametrize("odd", ["long", [4], {}, True, -4], ids=repr)
def test_what_is_no_number_is_unknown(odd):
    usage = read_usage(
        {**RAW, "prompt_audio_seconds": odd, "prompt_tokens_details": odd, "num_cached_tokens": odd}
    )
    assert (usage.input_tokens, usage.cached_input_tokens, usage.units) == (3, None, {})
