"""The dialect of Claude, for Anthropic's own API and for the services that offer it.

Amazon Bedrock (InvokeModel), Vertex AI (rawPredict), Microsoft Foundry and others offer the Messages API with small
differences: its paths, whether the body names the model, where the version is written. A plugin for such a service
creates a `Dialect` and calls `translate`, `decoder`, `capabilities`, `error` and `rates` with it:

    VERTEX = Dialect(
        id="vertex", messages_path="/models/{model}:rawPredict", stream_path="/models/{model}:streamRawPredict",
        count_path=None, complete_path=None, models_path=None, send_model=False,
        body_version="vertex-2023-10-16", name=known_name,
    )

A service that offers Claude in a schema of its own (Bedrock's Converse) translates `reasoning` with `profile_of`,
`rules_for` and `put_reasoning`, and adapts schemas with `SchemaAdapter`.

`translate` puts into `Wire.meta` what the decoder has to know. A frame for the decoder contains one JSON object of the
stream, or a whole answer; unwrap a service's own envelope before.
"""

from __future__ import annotations

from ._dialect import ANTHROPIC, Dialect
from ._errors import error
from ._models import Profile, capabilities, profile_of, rules_for
from ._prices import rates
from ._reasoning import put_reasoning
from ._relay import relay
from ._routes import decoder, translate
from ._schemas import SchemaAdapter

__all__ = [
    "ANTHROPIC",
    "Dialect",
    "Profile",
    "SchemaAdapter",
    "capabilities",
    "decoder",
    "error",
    "profile_of",
    "put_reasoning",
    "rates",
    "relay",
    "rules_for",
    "translate",
]
