"""An audit log for Jackfield: a line of JSON for each call.

    [defaults]
    middlewares = ["audit"]

    [middleware.audit]
    path = "calls.jsonl"

A line has the caller's target, the outcome, usage and cost; prompts and answers only with `content = true`.
"""

from __future__ import annotations

from jackfield.plugin import MiddlewareKind

from ._audit import AuditLog
from ._settings import AuditSettings

__all__ = ["AUDIT", "AuditLog", "AuditSettings"]

AUDIT = MiddlewareKind(AuditSettings, AuditLog)
"""The middleware kind that the entry point names."""
