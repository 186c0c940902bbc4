"""Run migrations on the connection that `migrate` hands over."""

from __future__ import annotations

from alembic import context

from jackfield_console._database import VERSION_TABLE
from jackfield_console._schema import METADATA

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
    render_as_batch=False,
)
with context.begin_transaction():
    context.run_migrations()
