"""Translate requests to rerank."""

import pytest
from cohere_requests import fates, made

from jackfield import UnsupportedError
from jackfield.plugin import RerankRequest


def test_reranking_cuts_at_the_end():
    sent = made(RerankRequest(query="q", documents=("a",)), "rerank-v3.5")

    assert fates(sent) == {"truncate": "defaulted"}
    for model in ("rerank-v3.5", "someone-s-own"):
        with pytest.raises(UnsupportedError):
            made(RerankRequest(query="q", documents=("a",), truncate="error"), model)
