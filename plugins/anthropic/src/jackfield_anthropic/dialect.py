"""The dialect of Claude, for Anthropic's own API and for the services that carry it.

Amazon Bedrock (InvokeModel), Vertex AI (rawPredict), Microsoft Foundry and others carry the Messages API with small
differences: where it lives, whether the body names the model, where the version is written. A plugin for such a
service makes a `Dialect` and calls `translate`, `decoder`, `capabilities`, `error` and `rates` with it:

    VERTEX = Dialect(
        id="vertex", messages_path="/models/{model}:rawPredict", stream_path="/models/{model}:streamRawPredict",
        count_path=None, complete_path=None, models_path=None, send_model=False,
        body_version="vertex-2023-10-16", name=known_name,
    )

A service that carries Claude in a schema of its own (Bedrock's Converse) writes the wish for reasoning with
`profile_of`, `rules_for` and `put_reasoning`.

A wire that `translate` makes tells the decoder in `Wire.meta` what it asked for. A frame that `decoder` reads holds one
JSON object of the stream, or a whole answer; unwrap a service's own envelope before.
"""

from __future__ import annotations

from ._dialect import ANTHROPIC, Dialect
from ._errors import error
from ._models import Profile, capabilities, profile_of, rules_for
from ._prices import rates
from ._reasoning import put_reasoning
from ._routes import decoder, translate

__all__ = [
    "ANTHROPIC",
    "Dialect",
    "Profile",
    "capabilities",
    "decoder",
    "error",
    "profile_of",
    "put_reasoning",
    "rates",
    "rules_for",
    "translate",
]
