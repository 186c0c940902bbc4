"""The options that messages and text completions share."""

from __future__ import annotations

from typing import Final

from jackfield.plugin import UNSET, Capabilities, ParameterWriter

__all__ = ["put_max_tokens"]

_SMALLEST_OUTPUT: Final = 4096
"""Every model can write as much (Claude 3, 2024); asked of models of which nothing is known."""


def put_max_tokens(writer: ParameterWriter, capabilities: Capabilities, wire: str, more: int = 0) -> None:
    """Write the limit of the answer, which the service requires.

    Args:
        writer: Where to.
        capabilities: The model's; its greatest output is the default.
        wire: The limit's name.
        more: Tokens that thinking may use, on top of the default for an unknown model.
    """
    if writer.put("max_tokens", wire) is not UNSET:
        return
    greatest = capabilities.limits.max_output_tokens
    if greatest is not None:
        writer.default("max_tokens", wire, greatest, "the service requires it; this is the model's greatest")
        return
    why = "the service requires it; nothing is known of the model, and every Claude can write as much"
    writer.default("max_tokens", wire, _SMALLEST_OUTPUT + more, why)
