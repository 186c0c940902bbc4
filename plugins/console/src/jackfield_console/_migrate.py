"""Create or upgrade the tables of a store, by Alembic. Only `jackfield console migrate` does it, never a start."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import URL

from jackfield_gateway._store import Store

from ._database import open_engine

__all__ = ["migrate"]


def migrate(url: URL) -> None:
    """Bring a store's tables to this version; an empty store gets them all.

    Args:
        url: The store.
    """
    if url.drivername.startswith("sqlite"):
        # The gateway's own tables are its own affair: it creates and upgrades them, and refuses another program's file.
        store = Store(Path(str(url.database)))
        try:
            store.upgrade()
        finally:
            store.close()
    engine = open_engine(url)
    try:
        with engine.connect() as connection:
            config = Config()
            config.set_main_option("script_location", str(Path(__file__).parent / "_migrations"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
    finally:
        engine.dispose()
