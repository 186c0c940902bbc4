"""Redaction of personal data for Jackfield: it is found by patterns and checksums before anything is sent.

    [defaults]
    middlewares = ["pii"]

    [middleware.pii]
    mode = "redact"

What is found leaves the machine as `<EMAIL_1>`, and is put back into the answer.
"""

from __future__ import annotations

from jackfield.plugin import MiddlewareKind

from ._guard import PiiGuard
from ._settings import PiiSettings

__all__ = ["PII", "PiiGuard", "PiiSettings"]

PII = MiddlewareKind(PiiSettings, PiiGuard)
"""What the entry point names; `PII({"mode": "block"})` makes one for a program's own mesh."""
