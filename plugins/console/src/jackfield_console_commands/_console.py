"""The commands `jackfield console`, `jackfield console migrate` and `jackfield console user ...`."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from jackfield_console._database import Database

__all__ = ["console"]


@click.group("console", invoke_without_command=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=4118,
    show_default=True,
    help="The port; 0 takes a free one.",
)
@click.pass_context
def console(context: click.Context, host: str, port: int) -> None:
    """Serve the administrator's console, or look after its store.

    Without a command, the console is served alone. `jackfield serve` shows it under /console if the configuration has a
    table [console].
    """
    if context.invoked_subcommand is None:
        session: Any = context.obj
        with session.progress():
            asyncio.run(_serve(session, host, port))


async def _serve(session: Any, host: str, port: int) -> None:
    from aiohttp import web

    from jackfield_console._alone import make_alone
    from jackfield_console._host import AloneHost

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AloneHost(session.config, session.registry) as alone:
        runner = web.AppRunner(make_alone(alone), access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, host, port)
            try:
                await site.start()
            except OSError as error:
                from jackfield import ConfigurationError

                raise ConfigurationError(
                    f"cannot listen on {host} port {port}: {error.strerror or error}"
                ) from error
            address = f"http://{f'[{host}]' if ':' in host else host}:{runner.addresses[0][1]}/console/"
            if session.json:
                session.write_json({"address": address})
                sys.stdout.flush()
            else:
                session.note(f"the console is at {address}")
            await stop.wait()
        finally:
            await runner.cleanup()


@console.command("migrate")
@click.pass_obj
def migrate(session: Any) -> None:
    """Create or upgrade the tables of the store.

    It may run while gateways serve: rows of spend wait in their memory for as long as it takes.
    """
    from jackfield_console._console import store_url
    from jackfield_console._database import shown
    from jackfield_console._migrate import migrate as run

    url = store_url(session.config)
    run(url)
    session.note(f"{shown(url)} is ready")


@console.group("user")
def user() -> None:
    """Manage who may log in."""


@user.command("add")
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["admin", "viewer"]),
    required=True,
    help="A viewer may look, but not change anything.",
)
@click.pass_obj
def add(session: Any, name: str, role: str) -> None:
    """Add a user. The password is asked for, or read from standard input."""
    from jackfield_console._users import add_user

    _with_database(session, lambda database: database.call(add_user, name, role, _ask_password()))
    session.note(f"{name} may log in as {role}")


@user.command("password")
@click.argument("name")
@click.pass_obj
def password(session: Any, name: str) -> None:
    """Change a user's password; their sessions end. The password is asked for, or read from standard input."""
    from jackfield_console._users import set_password

    _with_database(session, lambda database: database.call(set_password, name, _ask_password()))
    session.note(f"the password of {name} is changed")


@user.command("remove")
@click.argument("name")
@click.pass_obj
def remove(session: Any, name: str) -> None:
    """Remove a user; their sessions end."""
    from jackfield_console._users import remove_user

    _with_database(session, lambda database: database.call(remove_user, name))
    session.note(f"{name} may not log in any more")


@user.command("list")
@click.pass_obj
def list_(session: Any) -> None:
    """List the users and their roles."""
    from jackfield_console._users import list_users

    users = _with_database(session, lambda database: database.call(list_users))
    if session.json:
        session.write_json(
            {"users": [{"name": one.name, "role": one.role, "blocked": one.blocked} for one in users]}
        )
        return
    if not users:
        session.note("there is no user; add one: jackfield console user add NAME --role admin")
    for one in users:
        click.echo(f"{one.name:<30} {one.role}{'  blocked' if one.blocked else ''}")


def _with_database(session: Any, work: Any) -> Any:
    from jackfield_console._console import store_url
    from jackfield_console._database import open_database

    database: Database = open_database(store_url(session.config))
    try:
        return work(database)
    finally:
        database.close()


def _ask_password() -> str:
    """Return a password: typed twice at a terminal, otherwise the first line of standard input."""
    if sys.stdin.isatty():
        typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return typed
    return sys.stdin.readline().rstrip("\r\n")
