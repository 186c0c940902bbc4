"""`jackfield plugins`."""

from __future__ import annotations

import click

from ._output import plain, write_table
from ._session import Session, shared

__all__ = ["COMMANDS"]


@click.command()
@shared
@click.pass_obj
def plugins(session: Session) -> None:
    """List all plugins, with the reason where one cannot be used."""
    states = session.registry.plugins(load=True)
    if session.json:
        session.write_json({"plugins": [{**plain(state), "group": state.group} for state in states]})
        return
    rows = [
        (
            state.name,
            state.kind,
            state.state,
            f"{state.distribution} {state.version}" if state.distribution else "",
            f"v{state.contract}",
            state.reason or "",
        )
        for state in states
    ]
    if rows:
        write_table(("name", "kind", "state", "version", "contract", "reason"), rows)
    else:
        session.note(
            'No plugin is installed; a model for this machine: pip install "jackfield-onnx[cpu,convert]"'
        )


COMMANDS = (plugins,)
