"""Redaction of personal data for Jackfield: it is found by patterns and checksums before anything is sent.

    [defaults]
    middlewares = ["pii"]

    [middleware.pii]
    mode = "redact"

Personal data leaves the machine as `<EMAIL_1>`, and is put back into the answer.
"""

from __future__ import annotations

from jackfield.plugin import MiddlewareKind

from ._guard import PiiGuard
from ._settings import PiiSettings

__all__ = ["PII", "PiiGuard", "PiiSettings"]

PII = MiddlewareKind(PiiSettings, PiiGuard)
"""The middleware kind that the entry point names; `PII({"mode": "block"})` creates a middleware for a program's own mesh."""
