"""The commands `jackfield keys new | list | rotate | block`."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from jackfield.plugin import is_owner

if TYPE_CHECKING:
    from jackfield_gateway._keys import Key
    from jackfield_gateway._stores import GatewayStore

__all__ = ["keys"]

_NAME: Final = re.compile(r"[\w-]+\Z")
_HOUR: Final = 3600


@click.group("keys")
def keys() -> None:
    """Manage the keys that clients of the gateway show.

    A key is shown once, when it is made. With [gateway] store it is kept there, as a hash; without a store, the
    lines that declare it are printed.
    """


@keys.command("new")
@click.argument("name")
@click.option(
    "--owner", default="default", show_default=True, help='Who pays: a path such as "org/team/app".'
)
@click.option(
    "--model",
    "models",
    multiple=True,
    help='An alias or a target that it may use, such as "claude:*". Default: all.',
)
@click.option(
    "--expires", type=click.DateTime(["%Y-%m-%d"]), help="The last day on which it is accepted (UTC)."
)
@click.pass_obj
def new(session: Any, name: str, owner: str, models: tuple[str, ...], expires: datetime | None) -> None:
    """Make a key, and print it once."""
    if _NAME.match(name) is None:
        raise click.UsageError(f"the name of a key has letters, digits, _ and - only, not {name!r}")
    if not is_owner(owner):
        raise click.UsageError(f'an owner is a path such as "org/team/app", not {owner!r}')
    from jackfield_gateway._keys import Key, end_of_day, hash_key, make_key

    shown = make_key()
    key = Key(
        name=name,
        hash=hash_key(shown),
        owner=owner,
        models=models or None,
        expires_at=None if expires is None else end_of_day(expires.date()),
    )
    store = _open_store(session)
    if store is not None:
        store.add_key(key)
        _print_key(session, name, shown, "It is in the store; the gateway accepts it within seconds.")
        return
    lines = _declaration(key, expires)
    _print_key(
        session, name, shown, f"Declare it, and reload the gateway (SIGHUP):\n\n{lines}", declaration=lines
    )


def _declaration(key: Key, expires: datetime | None) -> str:
    lines = [f"[gateway.keys.{key.name}]", f'hash = "{key.hash}"', f'owner = "{key.owner}"']
    if key.models is not None:
        lines.append(f"models = {json.dumps(key.models)}")
    if expires is not None:
        lines.append(f"expires = {expires.date()}")
    return "\n".join(lines)


def _print_key(session: Any, name: str, shown: str, what_next: str, **more: str) -> None:
    if session.json:
        session.write_json({"name": name, "key": shown, **more})
        return
    click.echo(shown)
    session.note(f"This is the only time that it is shown. {what_next}")


@keys.command("list")
@click.pass_obj
def list_(session: Any) -> None:
    """List the keys: their names, owners and states, never the keys."""
    store = _open_store(session)
    from jackfield_gateway._keys import Key
    from jackfield_gateway._state import settings_of

    declared = [Key.of(name, key) for name, key in settings_of(session.config).keys.items()]
    stored = [] if store is None else [one.key for one in store.list_keys()]
    rows = [_row(key, place) for place, found in (("file", declared), ("store", stored)) for key in found]
    if session.json:
        session.write_json({"keys": rows})
        return
    if not rows:
        session.note("there are no keys; make one: jackfield keys new NAME")
    for row in rows:
        models = "all models" if row["models"] is None else ", ".join(row["models"])
        click.echo(
            f"{row['name']:<20} {row['owner']:<28} {row['state']:<10} {row['expires'] or '':<12} {models}"
        )


def _row(key: Key, place: str) -> dict[str, Any]:
    expires = (
        None if key.expires_at is None else datetime.fromtimestamp(key.expires_at, UTC).date().isoformat()
    )
    state = "accepted" if key.fault(time.time()) is None else "blocked" if key.blocked else "expired"
    return {
        "name": key.name,
        "owner": key.owner,
        "state": state,
        "expires": expires,
        "models": None if key.models is None else list(key.models),
        "in": place,
    }


@keys.command("rotate")
@click.argument("name")
@click.option(
    "--grace",
    type=click.FloatRange(0),
    default=24,
    show_default=True,
    help="Hours for which the old key is accepted.",
)
@click.pass_obj
def rotate(session: Any, name: str, grace: float) -> None:
    """Replace a key of the store; the old one is accepted for some hours more."""
    from jackfield_gateway._keys import hash_key, make_key

    shown = make_key()
    _require_store(session).rotate_key(name, hash_key(shown), grace=grace * _HOUR)
    _print_key(session, name, shown, f"The old key is accepted for {grace:g} hours more.")


@keys.command("block")
@click.argument("name")
@click.pass_obj
def block(session: Any, name: str) -> None:
    """Block a key of the store; the gateway refuses it within seconds."""
    count = _require_store(session).block_key(name)
    session.note(f"{name} is blocked" + (f" ({count} keys)" if count > 1 else ""))


def _open_store(session: Any) -> GatewayStore | None:
    from jackfield_gateway._state import settings_of
    from jackfield_gateway._stores import open_store

    declared = settings_of(session.config).store
    return None if declared is None else open_store(declared)


def _require_store(session: Any) -> GatewayStore:
    store = _open_store(session)
    if store is None:
        from jackfield import ConfigurationError

        raise ConfigurationError(
            "without [gateway] store, keys are in the configuration: edit [gateway.keys.NAME] (blocked = true), and reload; or "
            'declare store = "sqlite:///gateway.db"'
        )
    return store
