"""Services that offer Cohere's models build on the dialect."""

import pytest
from cohere_requests import USER

from jackfield import UnsupportedError
from jackfield.plugin import ChatRequest, CompletionRequest, EmbedRequest, ModelRef, Options, RerankRequest
from jackfield_cohere import Dialect, capabilities, translate

# A dialect like Bedrock's, for what a plugin on top needs.
CARRIED = Dialect(
    id="carrier",
    also=("cohere",),
    route="v1",
    send_model=False,
    send_stream=False,
    base64=False,
    stop="stop_sequences",
    name=lambda model: model.id.removeprefix("cohere."),
    paths=dict.fromkeys(("chat_v1", "generate", "embed"), "/model/{model}/invoke"),
    stream_paths={"chat_v1": "/model/{model}/stream"},
    framing="aws_eventstream",
)


def test_a_service_that_carries_the_models():
    model = ModelRef("cohere.command-r")
    known = capabilities(CARRIED, model)
    sent = translate(CARRIED, model, ChatRequest(USER, Options(max_tokens=5), stream=True), known)

    assert (sent.wire.path, sent.wire.framing) == ("/model/cohere.command-r/stream", "aws_eventstream")
    assert sent.wire.body == {"message": "Why?", "max_tokens": 5}
    assert known.known
    sent = translate(CARRIED, ModelRef("cohere.command"), CompletionRequest("a", Options(stop=("x",))), known)
    assert sent.wire.body == {"prompt": "a", "stop_sequences": ["x"]}
    embedded = ModelRef("cohere.embed-v4.0")
    sent = translate(CARRIED, embedded, EmbedRequest(inputs=("a",)), capabilities(CARRIED, embedded))
    assert "embedding_types" not in sent.wire.body
    with pytest.raises(UnsupportedError, match="does not rerank"):
        translate(
            CARRIED, embedded, RerankRequest(query="q", documents=("a",)), capabilities(CARRIED, embedded)
        )
