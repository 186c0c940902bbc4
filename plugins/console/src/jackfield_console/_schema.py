"""The tables of the store. `keys`, `spend` and `shared` are the gateway's own; migrations create them all."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    text,
)

__all__ = [
    "METADATA",
    "attempts",
    "changes",
    "devices",
    "keys",
    "sessions",
    "shared",
    "spend",
    "spend_days",
    "spend_months",
    "users",
]

METADATA: Final = MetaData()
_Number = BigInteger().with_variant(Integer, "sqlite")

keys = Table(
    "keys",
    METADATA,
    Column("name", Text, nullable=False),
    Column("hash", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("models", Text),
    Column("expires_at", Double),
    Column("blocked", SmallInteger, nullable=False, server_default="0"),
    Column("created_at", Double, nullable=False),
)

spend = Table(
    "spend",
    METADATA,
    Column("number", _Number, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("at", Double, nullable=False),
    Column("key", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("surface", Text, nullable=False),
    Column("asked", Text, nullable=False),
    Column("connection", Text),
    Column("model", Text),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("error", Text),
    Column("relayed", SmallInteger, nullable=False),
    Column("input_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("cached_tokens", BigInteger),
    Column("reasoning_tokens", BigInteger),
    Column("amount", Text),
    Column("currency", Text),
    Column("cost", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("first_event", Double),
    Column("duration", Double, nullable=False),
    Column("report", Text, nullable=False),
    Column("detail", Text),
    Index("spend_at", "at"),
    Index("spend_key", "key", "at"),
    Index("spend_owner", "owner", "at"),
    Index("spend_not_ok", "at", postgresql_where=text("status <> 'ok'"), sqlite_where=text("status <> 'ok'")),
)

shared = Table(
    "shared",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)


def _sums(name: str) -> Table:
    return Table(
        name,
        METADATA,
        Column("day", Integer, primary_key=True, autoincrement=False),
        Column("owner", Text, primary_key=True),
        Column("key", Text, primary_key=True),
        Column("connection", Text, primary_key=True),
        Column("model", Text, primary_key=True),
        Column("currency", Text, primary_key=True),
        Column("cost", Text, primary_key=True),
        Column("requests", BigInteger, nullable=False),
        Column("failed", BigInteger, nullable=False),
        Column("cancelled", BigInteger, nullable=False),
        Column("input_tokens", BigInteger, nullable=False),
        Column("output_tokens", BigInteger, nullable=False),
        Column("cached_tokens", BigInteger, nullable=False),
        Column("reasoning_tokens", BigInteger, nullable=False),
        Column("units", BigInteger, nullable=False),
        Column("nanos", BigInteger, nullable=False),
        Column("attos", BigInteger, nullable=False),
    )


spend_days = _sums("spend_days")
"""Sums of a day (days since 1970, UTC). An amount is units + nanos / 10^9 + attos / 10^18, so that sums are exact."""

spend_months = _sums("spend_months")
"""Sums of a month, under its first day."""

users = Table(
    "console_users",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("password", Text),
    Column("created_at", Double, nullable=False),
    Column("changed_at", Double, nullable=False),
    Column("blocked", Boolean, nullable=False),
)

sessions = Table(
    "console_sessions",
    METADATA,
    Column("hash", Text, primary_key=True),
    Column("user", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("csrf", Text, nullable=False),
    Column("began_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
    Column("messages", Text, nullable=False),
    Index("console_sessions_user", "user"),
)

devices = Table(
    "console_devices",
    METADATA,
    Column("hash", Text, primary_key=True),
    Column("user", Text, nullable=False),
    Column("seen_at", Double, nullable=False),
)
"""Browsers that a user has logged in from: strangers who guess do not lock these out."""

attempts = Table(
    "console_attempts",
    METADATA,
    Column("number", _Number, primary_key=True, autoincrement=True),
    Column("subject", Text, nullable=False),
    Column("at", Double, nullable=False),
    Index("console_attempts_subject", "subject", "at"),
)
"""Log-ins that failed, by account, device or address."""

changes = Table(
    "console_changes",
    METADATA,
    Column("number", _Number, primary_key=True, autoincrement=True),
    Column("at", Double, nullable=False),
    Column("user", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Index("console_changes_at", "at"),
)
"""What administrators changed."""
