"""`jackfield plugins`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from jackfield import PluginError

from ._failures import exit_code
from ._output import plain, write_table
from ._session import Session, shared

if TYPE_CHECKING:
    from jackfield.plugin import PluginState

__all__ = ["COMMANDS"]


@click.command()
@shared
@click.pass_obj
def plugins(session: Session) -> None:
    """List all plugins, with the reason where one cannot be used."""
    states = session.registry.plugins(load=True)
    if session.json:
        session.write_json({"plugins": [{**plain(state), "group": state.group} for state in states]})
    else:
        _write(session, states)
    if any(state.state == "failed" for state in states):
        click.get_current_context().exit(exit_code(PluginError("a plugin failed")))


def _write(session: Session, states: Sequence[PluginState]) -> None:
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
        from jackfield.plugin import install_command

        session.note(
            f"No plugin is installed; a model for this machine: {install_command('jackfield-onnx', 'cpu,convert')}"
        )


COMMANDS = (plugins,)
