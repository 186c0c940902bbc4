"""Read token counts."""

import pytest

from jackfield import Usage
from jackfield_cohere import read_usage


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        ({}, Usage()),
        ({"billed_units": {"input_tokens": 3.0}}, Usage(3, details={"billed_input_tokens": 3})),
        (
            {
                "tokens": {"input_tokens": 34.0, "output_tokens": 70.0, "image_tokens": 259.0},
                "cached_tokens": 0.0,
            },
            Usage(293, 70, 0, details={"input_image_tokens": 259}),
        ),
    ],
)
def test_usage_in_floats(told, usage):
    assert read_usage(told) == usage
