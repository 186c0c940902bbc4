"""The dialects of Cohere, for its own API and for the services that offer its models.

Amazon Bedrock (Command and Command Light as `generate`, Command R as `chat_v1`, Embed as `embed`), Amazon SageMaker
and Azure accept Cohere's native bodies with small differences: the paths, whether the body names the model, whether it
has `stream`. A plugin for such a service creates a `Dialect` and calls `translate`, `decoder`,
`capabilities`, `error`, `rates` and `read_usage` with it:

    BEDROCK = Dialect(
        id="bedrock", also=("cohere",), route="v1", send_model=False, send_stream=False, base64=False,
        stop="stop_sequences", name=without_region_and_maker,
        paths=dict.fromkeys(("chat_v1", "generate", "embed"), "/model/{model}/invoke"),
        stream_paths=dict.fromkeys(("chat_v1", "generate"), "/model/{model}/invoke-with-response-stream"),
        framing="aws_eventstream",
    )

`translate` puts the API into `Wire.meta["api"]` for the decoder: chat, chat_v1, generate, summarize, embed, rerank or
tokenize. A frame for the decoder contains one JSON object of the stream, or a whole answer; unwrap a service's own
envelope before.
"""

from __future__ import annotations

from ._dialect import COHERE, PATHS, Dialect
from ._errors import error
from ._models import capabilities
from ._prices import rates
from ._routes import decoder, translate
from ._usage import read_usage

__all__ = [
    "COHERE",
    "PATHS",
    "Dialect",
    "capabilities",
    "decoder",
    "error",
    "rates",
    "read_usage",
    "translate",
]
