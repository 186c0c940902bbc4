"""Settings of entries in `models` that cannot work."""

import pytest

from jackfield import ConfigurationError
from jackfield_sagemaker import SageMakerModelKeys


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"mode": "template"}, "belong together"),
        ({"mode": "lmi", "prompt": "llama-4"}, "prompt must be one of"),
        ({"mode": "lmi", "endpoint": "a/b"}, "endpoint must be a name"),
        ({"mode": "lmi", "custom_attributes": "a\nb"}, "printable"),
    ],
)
def test_entries_that_cannot_work(keys, words):
    with pytest.raises(ConfigurationError, match=words):
        SageMakerModelKeys(**keys)
