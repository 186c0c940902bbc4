"""Find the configuration: given, named by the environment, in one of the usual places, or brought by a provider."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jackfield._text_files import read_text_file
from jackfield._types.errors import ConfigurationError

if TYPE_CHECKING:
    from jackfield._plugins.registry import Registry

__all__ = ["Document", "read_document"]

VARIABLE = "JACKFIELD_CONFIG"
FILE_NAME = "jackfield.toml"


class Document:
    """A configuration as it is written.

    Attributes:
        content: Its tables.
        path: The file; None for a mapping.
    """

    __slots__ = ("content", "path")

    def __init__(self, content: Mapping[str, Any], path: Path | None = None) -> None:
        self.content = content
        self.path = path


def read_document(source: str | Path | Mapping[str, Any] | None, registry: Registry) -> Document:
    """Read a configuration.

    Raises:
        ConfigurationError: There is none, it cannot be read, or it is not valid TOML.
    """
    if isinstance(source, Mapping):
        return Document(source)
    if source is not None:
        return _read(Path(source).expanduser(), "the configuration")
    if named := os.environ.get(VARIABLE):
        return _read(Path(named).expanduser(), f"the configuration that {VARIABLE} names,")
    places = _usual_places()
    for place in places:
        if place.is_file():
            return _read(place, "the configuration")
    from jackfield._hints import install_command
    from jackfield._plugins.known import known_plugins

    known = known_plugins()
    installed = registry.provider_ids()
    # No more than one is imported to be asked: a program without a configuration starts as quickly as others.
    provider = known.local if known.local in installed else installed[0] if len(installed) == 1 else None
    brought = None if provider is None else registry.provider(provider).info.default_configuration
    if brought is not None:
        return Document(brought)
    raise ConfigurationError(
        f"there is no configuration: write {' or '.join(map(str, places))}, name a file in {VARIABLE}, pass a "
        f"path or a mapping to Mesh.from_config, or install a local model: {install_command(f'jackfield-{known.local}', known.install)}"
    )


def _usual_places() -> tuple[Path, Path]:
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(FILE_NAME), Path(home).expanduser() / "jackfield" / "config.toml"


def _read(path: Path, what: str) -> Document:
    import tomllib  # a mapping does not need it

    try:
        content = tomllib.loads(read_text_file(path))
    except OSError as error:
        raise ConfigurationError(f"{what} {path} cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from error
    return Document(content, path.absolute())
