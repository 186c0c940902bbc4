"""The command `jackfield serve`."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from jackfield_gateway._settings import GatewaySettings

__all__ = ["serve"]

_HELP = """Serve the configuration's connections to any OpenAI or Anthropic client.

\b
  jackfield serve                        # on this machine only, without keys
  jackfield keys new alice               # prints a key, and the lines to declare it
  jackfield serve --host 0.0.0.0         # for others: only with keys
  jackfield clients codex                # how a client is set up; also claude, opencode, openai

Clients write an alias or "connection:model" as the model. Chat completions, completions, embeddings, Responses,
messages, token counts, rerank and models are under http://HOST:PORT/v1, metrics under /metrics.

\b
SIGTERM  takes no new calls and lets running ones end ([gateway] drain = 30)
SIGHUP   reads the configuration again; one that is not valid changes nothing
"""


@click.command("serve", help=_HELP)
@click.option("--host", help="The address to listen on. Default: [gateway] host, 127.0.0.1.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="The port; 0 takes a free one. Default: [gateway] port, 4117.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Processes that share the port.",
)
@click.option("--reload", "watch", is_flag=True, help="Reload the configuration when its file changes.")
@click.option("--worker", is_flag=True, hidden=True)
@click.pass_obj
def serve(session: Any, host: str | None, port: int | None, workers: int, watch: bool, worker: bool) -> None:
    """Serve the mesh."""
    import attrs

    from jackfield import Secret
    from jackfield_gateway._state import settings_of
    from jackfield_gateway._workers import ENVELOPE_KEY

    declared = settings_of(session.config)
    given: dict[str, Any] = {
        name: value for name, value in (("host", host), ("port", port)) if value is not None
    }
    if declared.envelope_key is None and os.environ.get(ENVELOPE_KEY):
        given["envelope_key"] = Secret(reference=f"env:{ENVELOPE_KEY}")
    settings = attrs.evolve(declared, **given)
    if workers > 1:
        sys.exit(_serve_together(session, settings, workers, watch=watch))
    with session.progress():
        _run(_serve_alone(session, settings, watch=watch, shares_port=worker))


def _run(work: Any) -> None:
    """Run on uvloop's event loop if it is installed."""
    try:
        import uvloop
    except ModuleNotFoundError:
        asyncio.run(work)
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work)


async def _serve_alone(session: Any, settings: GatewaySettings, *, watch: bool, shares_port: bool) -> None:
    from jackfield_gateway._server import Server

    server = Server(
        session.config, session.registry, settings, shares_port=shares_port, watch=watch, told=session.note
    )

    def started(address: str) -> None:
        if shares_port:
            return
        if session.json:
            session.write_json({"address": address, "open": server.state.is_open})
            sys.stdout.flush()
            return
        session.note(f"listening on {address}/v1; metrics: {address}/metrics")
        if server.state.is_open:
            session.note("no key is declared: every program on this machine may call")

    await server.run(started)


def _serve_together(session: Any, settings: GatewaySettings, workers: int, *, watch: bool) -> int:
    from jackfield_gateway._state import LOOPBACK
    from jackfield_gateway._workers import run_workers

    if settings.port == 0:
        raise click.UsageError("with several workers, name the port: --port 4117")
    arguments = [] if session.config_path is None else ["--config", str(session.config_path)]
    arguments += ["serve", "--worker", "--host", settings.host, "--port", str(settings.port)]
    if watch:
        arguments.append("--reload")
    session.note(f"{workers} workers listen on http://{settings.host}:{settings.port}/v1")
    if not settings.keys and settings.host in LOOPBACK and settings.store is None:
        session.note("no key is declared: every program on this machine may call")
    return run_workers(arguments, workers, session.note)
