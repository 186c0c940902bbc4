"""The configuration keys of `[middleware.audit]`."""

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
        path: The file that lines are appended to.
        content: Whether to write prompts, answers and error messages, too.
        max_bytes: A file of this size is renamed to `path.1`, and that one to `path.2`; None leaves it to other programs
            (logrotate).
        backups: The number of renamed files to keep.
    """

    path: Path
    content: bool = False
    max_bytes: int | None = attrs.field(default=None, validator=_at_least_one)
    backups: int = attrs.field(default=5, validator=_at_least_one)
