"""Entries of `connections.toml`, as Snowflake's own tools read them. All of it blocks."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jackfield import ConfigurationError
from jackfield.plugin import read_text_file

__all__ = ["entry_of"]


def entry_of(connection: str | None, connections_file: str | None) -> dict[str, Any]:
    """Read an entry of `connections.toml`, or of `[connections]` in `config.toml`.

    Args:
        connection: The entry's name; "" is the default connection.
        connections_file: The path of the file; None means where Snowflake's own tools look for it.

    Source: connector 4.8.1, `config_manager` and `sf_dirs`.

    Raises:
        ConfigurationError: There is no such entry; the message lists those that exist.
    """
    home = _home()
    file = Path(connections_file).expanduser() if connections_file else home / "connections.toml"
    config = _read(home / "config.toml") if connections_file is None else {}
    entries: Mapping[str, Any] = _read(file) or config.get("connections", {})
    name = connection or os.environ.get("SNOWFLAKE_DEFAULT_CONNECTION_NAME")
    name = name or config.get("default_connection_name", "default")
    entry = entries.get(name)
    if not isinstance(entry, Mapping):
        known = ", ".join(sorted(entries)) or "none"
        raise ConfigurationError(f"there is no connection {name!r} in {file}; known are: {known}")
    return dict(entry)


def _home() -> Path:
    home = Path(os.environ.get("SNOWFLAKE_HOME", "~/.snowflake/")).expanduser()
    if home.exists():
        return home
    if sys.platform == "darwin":
        return Path("~/Library/Application Support/snowflake").expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", "~")).expanduser() / "snowflake"
    return Path(os.environ.get("XDG_CONFIG_HOME", "~/.config")).expanduser() / "snowflake"


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_text_file(path))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror or type(error).__name__}") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{path} cannot be read: {type(error).__name__}") from None
