"""`jackfield config`: write a first configuration, and check one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jackfield import ConfigurationError

from ._session import Group, Session, shared

if TYPE_CHECKING:
    from jackfield import Mesh

__all__ = ["COMMANDS"]


@click.group(cls=Group)
@shared
def config() -> None:
    """Write a configuration, or check one."""


@config.command()
@click.option("--force", is_flag=True, help="Overwrite the file if it is there.")
@shared
@click.pass_obj
def init(session: Session, force: bool) -> None:
    """Write a commented jackfield.toml (or what --config names) with the installed providers."""
    from ._template import first_configuration

    path = Path(session.config_path or "jackfield.toml")
    if path.exists() and not force:
        raise ConfigurationError(f"{path} is there already; --force overwrites it, --config names another")
    text = first_configuration(session.registry)
    new_folder = not path.parent.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror or error}") from error
    if session.json:
        session.write_json({"written": str(path)})
        return
    click.echo(f"wrote {path}")
    if new_folder:
        session.note(f"The folder {path.parent} is new.")
    session.note("Uncomment what you use, then: jackfield config validate, jackfield connections check")


@config.command()
@shared
@click.pass_obj
def validate(session: Session) -> None:
    """Check the configuration without asking any service; names all mistakes together."""
    from jackfield.plugin import find_doubts, find_failures

    loaded = session.config
    failures = find_failures(loaded)
    if failures:
        raise _all_failures(failures)
    session.run(_entered)
    doubts = find_doubts(loaded, session.mesh().explain)
    if session.json:
        path = str(loaded.path) if loaded.path is not None else None
        names = {"connections": list(loaded.connections), "aliases": list(loaded.aliases)}
        session.write_json({"ok": True, "config": path, **names, "warnings": doubts})
        return
    counted = f"{_plural(len(loaded.connections), 'connection')}, {_plural(len(loaded.aliases), 'alias')}"
    click.echo(f"ok: {loaded.path or 'the default, without a file'}: {counted}")
    for line in doubts:
        session.note(f"warning: {line}")


async def _entered(mesh: Mesh) -> None:
    """Do nothing; entering made the middlewares of their settings, and opened no connection."""


def _all_failures(failures: Any) -> ConfigurationError:
    if len(failures) == 1:
        (failure,) = failures.values()
        error: ConfigurationError = failure
        return error
    mistakes = [f"connections.{name}: {failure.message}" for name, failure in failures.items()]
    lines = "".join(f"\n  {mistake}" for mistake in mistakes)
    return ConfigurationError(f"{len(failures)} connections cannot be used:{lines}", mistakes=mistakes)


def _plural(count: int, word: str) -> str:
    if count == 1:
        return f"1 {word}"
    return f"{count} {word}es" if word.endswith("s") else f"{count} {word}s"


COMMANDS = (config,)
