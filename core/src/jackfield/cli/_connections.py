"""`jackfield connections`: what is declared, and whether it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ._output import write_table
from ._session import Session, shared

if TYPE_CHECKING:
    from jackfield import CheckResult, ConnectionConfig, Mesh

__all__ = ["COMMANDS"]


@click.group(invoke_without_command=True)
@shared
@click.pass_context
def connections(context: click.Context) -> None:
    """Show what is declared, or check that it answers."""
    if context.invoked_subcommand is None:
        context.invoke(list_connections)


@connections.command("list")
@shared
@click.pass_obj
def list_connections(session: Session) -> None:
    """List the declared connections and aliases; asks nobody."""
    config = session.config
    rows = [_row(connection) for connection in config.connections.values()]
    if session.json:
        aliases = {name: list(targets) for name, targets in config.aliases.items()}
        path = str(config.path) if config.path is not None else None
        session.write_json({"connections": rows, "aliases": aliases, "config": path})
        return
    columns = ("name", "provider", "models", "most at once", "state")
    write_table(
        columns, [(*list(row.values())[:4], row["reason"] or row["state"]) for row in map(_shown, rows)]
    )
    for name, targets in config.aliases.items():
        session.note(f"{name} = {', then '.join(targets)}")
    session.note(
        f"declared in {config.path}" if config.path else "no configuration file: this is the default"
    )


@connections.command()
@click.argument("name", nargs=-1)
@click.option(
    "--ask",
    is_flag=True,
    help="Where a service lists no models, ask a declared one for a word; it may be billed.",
)
@shared
@click.pass_obj
@click.pass_context
def check(context: click.Context, session: Session, name: tuple[str, ...], ask: bool) -> None:
    """Make one real round trip with each connection, all at once.

    The exit code is 0 if all went well, else the first failure's.
    """
    from ._failures import describe, exit_code

    for one in name:
        if one not in session.config.connections:
            from jackfield import UnknownTargetError
            from jackfield.plugin import hint

            raise UnknownTargetError(f"there is no connection {one!r}{hint(one, session.config.connections)}")
    results = session.run(lambda mesh: _checked(mesh, name or tuple(mesh.connections), ask=ask))
    if session.json:
        session.write_json({"connections": results})
    else:
        write_table(("connection", "provider", "", "seconds", "what"), [_result_row(one) for one in results])
        for result in results:
            if result.error is not None:
                session.note(f"{result.connection}: {describe(result.error)}")
    failed = next((result.error for result in results if result.error is not None), None)
    context.exit(0 if failed is None else exit_code(failed))


async def _checked(mesh: Mesh, names: tuple[str, ...], *, ask: bool) -> list[CheckResult]:
    import asyncio

    return list(await asyncio.gather(*(mesh.check(name, ask=ask) for name in names)))


def _result_row(result: CheckResult) -> tuple[object, ...]:
    what = result.what if result.error is None else type(result.error).__name__
    return (
        result.connection, result.provider, "ok" if result.ok else "FAILED", f"{result.seconds:.2f}", what,
    )  # fmt: skip


def _row(connection: ConnectionConfig) -> dict[str, Any]:
    failure = connection.failure
    return {
        "name": connection.name,
        "provider": connection.provider_id,
        "models": None if connection.models is None else [entry.id for entry in connection.models],
        "max_parallel": connection.max_parallel,
        "state": "loaded" if failure is None else "failed",
        "reason": None if failure is None else failure.message,
    }


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    names = row["models"]
    models = "all" if names is None else ", ".join(names) or "none"
    return {**row, "models": models, "max_parallel": row["max_parallel"] or "no limit"}


COMMANDS = (connections,)
