"""Translate requests for embeddings."""

import pytest
from bedrock_requests import made

from jackfield import UnsupportedError
from jackfield.plugin import EmbedRequest


def test_embeddings_of_one_text():
    with pytest.raises(UnsupportedError, match="one text per call"):
        made("amazon.titan-embed-text-v2:0", EmbedRequest(inputs=("a", "b")))
    with pytest.raises(UnsupportedError, match="never truncates"):
        made("amazon.titan-embed-text-v2:0", EmbedRequest(inputs=("a",), truncate="end"))
    with pytest.raises(UnsupportedError, match="is unknown"):
        made("acme.embedder-v1", EmbedRequest(inputs=("a",)))
    nova = made("amazon.nova-2-multimodal-embeddings-v1:0", EmbedRequest(inputs=("a",), input_type="query"))
    assert nova.wire.body["singleEmbeddingParams"]["embeddingPurpose"] == "GENERIC_RETRIEVAL"
