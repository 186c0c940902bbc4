"""`jackfield config`: write a first configuration, and check one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jackfield import ConfigurationError

from ._doubts import doubtful_credentials, doubtful_models, missing_secrets
from ._session import Group, Session, shared

if TYPE_CHECKING:
    from jackfield import ConnectionConfig, Mesh

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
    loaded = session.config
    failures = {**loaded.failures, **_unusable(loaded.connections)}
    if failures:
        raise _all_failures(failures)
    session.run(_entered)
    mesh = session.mesh()
    missing = [
        line
        for one in loaded.connections.values()
        for line in (
            *_placeholders(one),
            *missing_secrets(one),
            *_sent_in_clear(one),
            *_unsent(one),
            *doubtful_models(mesh, one),
        )
    ]
    missing += doubtful_credentials(loaded)
    if session.json:
        path = str(loaded.path) if loaded.path is not None else None
        names = {"connections": list(loaded.connections), "aliases": list(loaded.aliases)}
        session.write_json({"ok": True, "config": path, **names, "warnings": missing})
        return
    counted = f"{_plural(len(loaded.connections), 'connection')}, {_plural(len(loaded.aliases), 'alias')}"
    click.echo(f"ok: {loaded.path or 'the default, without a file'}: {counted}")
    for line in missing:
        session.note(f"warning: {line}")


async def _entered(mesh: Mesh) -> None:
    """Do nothing; entering made the middlewares of their settings, and opened no connection."""


def _unusable(connections: Mapping[str, ConnectionConfig]) -> dict[str, ConfigurationError]:
    """Return the connections that load and that no call can use."""
    from jackfield._contract.keys import user_fault

    faults = {name: user_fault(connection.settings) for name, connection in connections.items()}
    return {
        name: ConfigurationError(f"base_url {fault}") for name, fault in faults.items() if fault is not None
    }


def _all_failures(failures: Any) -> ConfigurationError:
    if len(failures) == 1:
        (failure,) = failures.values()
        error: ConfigurationError = failure
        return error
    mistakes = [f"connections.{name}: {failure.message}" for name, failure in failures.items()]
    lines = "".join(f"\n  {mistake}" for mistake in mistakes)
    return ConfigurationError(f"{len(failures)} connections cannot be used:{lines}", mistakes=mistakes)


def _placeholders(connection: ConnectionConfig) -> list[str]:
    """Return which values are still the placeholders that `config init` wrote."""
    import attrs

    from ._template import PLACEHOLDER

    settings = connection.settings
    values: dict[str, Any] = {entry.id: entry.id for entry in connection.models or ()}
    if attrs.has(type(settings)):
        values |= {field.name: getattr(settings, field.name) for field in attrs.fields(type(settings))}
    return [
        f"connections.{connection.name}: {key} is still a placeholder; write your own, or leave the line out"
        for key, value in values.items()
        if isinstance(value, str | Path) and PLACEHOLDER in str(value)
    ]


def _sent_in_clear(connection: ConnectionConfig) -> list[str]:
    """Return which secrets go over plain http to another machine, where everybody on the way can read them."""
    import attrs

    from jackfield import Secret
    from jackfield._contract.keys import addresses_of, is_loopback

    settings = connection.settings
    fields = attrs.fields(type(settings)) if attrs.has(type(settings)) else ()
    secrets = [field for field in fields if isinstance(getattr(settings, field.name), Secret)]
    sent = {
        field.alias: addresses_of(settings, field)
        for field in secrets
        if not getattr(settings, field.name).is_none
    }
    base = getattr(settings, "base_url", None)
    if base is not None and getattr(settings, "credentials", None) is not None:
        sent["credentials"] = [base]
    for name, value in connection.headers.items():
        if base is not None and isinstance(value, Secret):
            sent[f"headers.{name}"] = [base]
    return [
        f"connections.{connection.name}.{key}: it goes over plain http to another machine; use https"
        for key, addresses in sent.items()
        if any(address.lower().startswith("http:") and not is_loopback(address) for address in addresses)
    ]


def _unsent(connection: ConnectionConfig) -> list[str]:
    """Return what nobody wrote of who asks: keys that this machine's own server does not get, identities that others get."""
    import attrs

    from jackfield._contract.keys import UNWRITTEN, offers_identity

    settings = connection.settings
    fields = attrs.fields(type(settings)) if attrs.has(type(settings)) else ()
    if connection.provider is not None and connection.provider.info.credentials and offers_identity(settings):
        said = "tokens of this machine's own identity go to this host; name the identity that it may see (credentials)"
        return [f'connections.{connection.name}.base_url: {said}, or write api_key = "none"']
    return [
        f"connections.{connection.name}.{field.alias}: it is not written, so the server on this machine gets no key; write "
        f'{field.alias} = "none" to say so, or the reference of its key'
        for field in fields
        if getattr(settings, field.name) is UNWRITTEN
    ]


def _plural(count: int, word: str) -> str:
    if count == 1:
        return f"1 {word}"
    return f"{count} {word}es" if word.endswith("s") else f"{count} {word}s"


COMMANDS = (config,)
