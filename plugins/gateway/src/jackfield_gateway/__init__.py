"""A gateway: any OpenAI or Anthropic client uses any model of a mesh.

    [gateway.keys.alice]
    hash = "sha256:..."          # `jackfield keys new alice` prints this line, and the key once
    owner = "research/alice"

`jackfield serve` serves the configuration's connections under `/v1`, with keys, exact usage and cost.
"""

from __future__ import annotations

from ._settings import GatewaySettings, KeySettings

__all__ = ["GatewaySettings", "KeySettings"]
