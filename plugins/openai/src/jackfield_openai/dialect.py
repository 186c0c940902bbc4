"""What plugins of services use that speak OpenAI's dialect, beside the names of `jackfield_openai`; it loads when it is needed."""

from __future__ import annotations

from ._relay import relay

__all__ = ["relay"]
