"""The tables of the first version."""

from __future__ import annotations

from alembic import op

from jackfield_console._schema import METADATA

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create what is not there; in a SQLite file, the gateway has created its own tables."""
    METADATA.create_all(op.get_bind(), checkfirst=True)
