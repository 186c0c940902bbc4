"""The options that messages and text completions share."""

from __future__ import annotations

from typing import Final

from jackfield.plugin import UNSET, Capabilities, ParameterWriter

__all__ = ["put_max_tokens", "put_sampling"]

_SMALLEST_OUTPUT: Final = 4096
"""Every model can write this many tokens (Claude 3, 2024); requested from unknown models."""


def put_max_tokens(writer: ParameterWriter, capabilities: Capabilities, wire: str, more: int = 0) -> None:
    """Write the maximum length of the answer, which the service requires.

    Args:
        writer: The writer of the body.
        capabilities: The model's capabilities; its maximum output is the default.
        wire: The service's name of the option.
        more: Tokens for thinking, on top of the default for an unknown model.
    """
    if writer.put("max_tokens", wire) is not UNSET:
        return
    maximum = capabilities.limits.max_output_tokens
    if maximum is not None:
        writer.default("max_tokens", wire, maximum, "the service requires it; this is the model's maximum")
        return
    why = "the service requires it; the model is unknown, and every Claude can write this many"
    writer.default("max_tokens", wire, _SMALLEST_OUTPUT + more, why)


def put_sampling(writer: ParameterWriter) -> None:
    """Write the options for sampling, stop sequences and the user."""
    for name in ("temperature", "top_p", "top_k"):
        writer.put(name)
    writer.put("stop", "stop_sequences", list)
    writer.put("user", "metadata.user_id")
