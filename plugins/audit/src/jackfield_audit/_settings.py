"""What `[middleware.audit]` says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs

__all__ = ["AuditSettings"]


def _at_least_one(instance: object, attribute: attrs.Attribute[Any], value: int | None) -> None:
    if value is not None and value < 1:
        msg = f"{attribute.name} must be at least 1, not {value}"
        raise ValueError(msg)


@attrs.frozen(kw_only=True)
class AuditSettings:
    """Settings of the audit log.

    Attributes:
        path: The file; lines are appended.
        content: Write prompts, answers and error messages, too.
        max_bytes: A file that grew beyond it becomes `path.1`, that one `path.2`; None leaves it to others (logrotate).
        backups: How many of these are kept.
    """

    path: Path
    content: bool = False
    max_bytes: int | None = attrs.field(default=None, validator=_at_least_one)
    backups: int = attrs.field(default=5, validator=_at_least_one)
