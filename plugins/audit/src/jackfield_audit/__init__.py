"""An audit log for Jackfield: a line of JSON for each call.

    [defaults]
    middlewares = ["audit"]

    [middleware.audit]
    path = "calls.jsonl"

Who was asked what for how much, and how it ended; prompts and answers only if that is wished.
"""

from __future__ import annotations

from jackfield.plugin import MiddlewareKind

from ._audit import AuditLog
from ._settings import AuditSettings

__all__ = ["AUDIT", "AuditLog", "AuditSettings"]

AUDIT = MiddlewareKind(AuditSettings, AuditLog)
"""What the entry point names."""
