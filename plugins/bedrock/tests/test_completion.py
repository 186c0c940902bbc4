"""Translate text completions."""

import pytest
from bedrock_requests import made

from jackfield import UnsupportedError
from jackfield.plugin import CompletionRequest, Options


def test_text_completions_take_what_their_makers_take():
    with pytest.raises(UnsupportedError, match="no such parameter"):
        made("meta.llama3-8b-instruct-v1:0", CompletionRequest("p", Options(stop=("x",))))
    body = made(
        "ai21.j2-mid-v1", CompletionRequest("p", Options(presence_penalty=0.5, stop=("x",)))
    ).wire.body
    assert body == {"prompt": "p", "stopSequences": ["x"], "presencePenalty": {"scale": 0.5}}
    titan = made("amazon.titan-text-lite-v1", CompletionRequest("p", Options(max_tokens=5, temperature=0)))
    assert titan.wire.body["textGenerationConfig"] == {"maxTokenCount": 5, "temperature": 0}
    with pytest.raises(UnsupportedError, match="at most"):
        made("amazon.titan-text-premier-v1:0", CompletionRequest("p", Options(max_tokens=9000)))
