"""Choose the API for a request."""

import pytest
from sagemaker_endpoints import asked, ref, translated
from sagemaker_texts import body_of, prompt

from jackfield import UnsupportedError
from jackfield.plugin import EmbedRequest


def test_the_models_name_is_in_the_body_where_it_is_declared():
    assert body_of("openai", asked(), model_name="adapter-1")["model"] == "adapter-1"
    assert "model" not in body_of("openai", asked())


def test_what_a_mode_does_not_serve():
    for mode, request in (
        ("lmi", EmbedRequest(inputs=("a",))),
        ("embedding", prompt()),
        ("openai", EmbedRequest(inputs=("a",))),
    ):
        with pytest.raises(UnsupportedError):
            translated(ref(mode), request)
    with pytest.raises(UnsupportedError, match="stream"):
        translated(ref("jurassic2"), prompt(stream=True))
