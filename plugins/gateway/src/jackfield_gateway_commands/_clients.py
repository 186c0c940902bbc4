"""The command `jackfield clients`: what to set so that a client uses the gateway."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

if TYPE_CHECKING:
    from jackfield import Mesh

__all__ = ["clients"]

_LONGEST: Final = 272_000
"""The context window that Codex is told of a model of which none is known: what it takes for granted itself."""


class _Setup(NamedTuple):
    """What a client has to know."""

    url: str
    model: str
    open: bool

    @property
    def key(self) -> str:
        """What stands for the key in what is printed."""
        return "none" if self.open else "$JACKFIELD_KEY"


def _codex(setup: _Setup) -> str:
    return f"""# ~/.codex/config.toml; the key is read from the environment variable JACKFIELD_KEY
model = "{setup.model}"
model_provider = "jackfield"
web_search = "disabled"

[model_providers.jackfield]
name = "Jackfield"
base_url = "{setup.url}/v1"
env_key = "JACKFIELD_KEY"
wire_api = "responses"

# with the file of `jackfield clients codex --catalog FILE`, Codex knows the model's context window:
# model_catalog_json = "FILE"
"""


def _claude(setup: _Setup) -> str:
    return f"""# Claude Code reads these environment variables
export ANTHROPIC_BASE_URL="{setup.url}"
export ANTHROPIC_AUTH_TOKEN="{setup.key}"
export CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1
claude --model "{setup.model}"
"""


def _opencode(setup: _Setup) -> str:
    key = "none" if setup.open else "{env:JACKFIELD_KEY}"
    content = {
        "$schema": "https://opencode.ai/config.json",
        "model": f"jackfield/{setup.model}",
        "provider": {
            "jackfield": {
                "npm": "@ai-sdk/openai-compatible",
                "name": "Jackfield",
                "options": {"baseURL": f"{setup.url}/v1", "apiKey": key},
                "models": {setup.model: {"name": setup.model}},
            }
        },
    }
    return json.dumps(content, indent=2) + "\n"


def _openai(setup: _Setup) -> str:
    return f"""# the OpenAI SDKs, and most programs that use them, read these environment variables
export OPENAI_BASE_URL="{setup.url}/v1"
export OPENAI_API_KEY="{setup.key}"
# the model is written as: {setup.model}
"""


def _anthropic(setup: _Setup) -> str:
    return f"""# the Anthropic SDKs read these environment variables
export ANTHROPIC_BASE_URL="{setup.url}"
export ANTHROPIC_API_KEY="{setup.key}"
# the model is written as: {setup.model}
"""


def _curl(setup: _Setup) -> str:
    header = "" if setup.open else '  -H "Authorization: Bearer $JACKFIELD_KEY" \\\n'
    body = json.dumps({"model": setup.model, "messages": [{"role": "user", "content": "Hello"}]})
    return f"""curl {setup.url}/v1/chat/completions \\
{header}  -H "Content-Type: application/json" \\
  -d '{body}'
"""


_CLIENTS: Final[Mapping[str, Callable[[_Setup], str]]] = {
    "codex": _codex,
    "claude": _claude,
    "opencode": _opencode,
    "openai": _openai,
    "anthropic": _anthropic,
    "curl": _curl,
}


@click.command("clients")
@click.argument("client", type=click.Choice(list(_CLIENTS)))
@click.option(
    "--model",
    help='The alias or target that it shall use. Default: the alias "default", or the first there is.',
)
@click.option("--url", help="The gateway's address. Default: as [gateway] declares it.")
@click.option(
    "--catalog",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write Codex's list of models, made from the mesh.",
)
@click.pass_obj
def clients(session: Any, client: str, model: str | None, url: str | None, catalog: Path | None) -> None:
    """Print the configuration with which a client uses the gateway."""
    from jackfield_gateway._keys import OPEN
    from jackfield_gateway._state import settings_of
    from jackfield_gateway._targets import Targets

    config, settings = session.config, settings_of(session.config)
    target = model or _first_target(config)
    Targets(config).resolve(target, OPEN)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    setup = _Setup(
        url=(url or f"http://{host}:{settings.port}").rstrip("/").removesuffix("/v1"),
        model=target,
        open=not settings.keys and settings.store is None,
    )
    if catalog is not None:
        if client != "codex":
            raise click.UsageError("only Codex reads a catalog: jackfield clients codex --catalog FILE")
        catalog.write_text(json.dumps({"models": [_describe(session.mesh(), target)]}, indent=1), "utf-8")
        session.note(f"written: {catalog}")
    click.echo(_CLIENTS[client](setup), nl=False)


def _first_target(config: Any) -> str:
    if "default" in config.aliases:
        return "default"
    for alias in config.aliases:
        return str(alias)
    for connection in config.connections.values():
        for entry in connection.models or ():
            if not entry.id.endswith("*"):
                return f"{connection.name}:{entry.id}"
    from jackfield import UnknownTargetError

    raise UnknownTargetError("no alias and no model is declared; name one: --model connection:model")


def _describe(mesh: Mesh, target: str) -> dict[str, Any]:
    """Describe a model as Codex's list of models does. Source: `codex debug models`, 0.171.0."""
    capabilities = mesh.explain(target, "hello").capabilities
    window = capabilities.limits.context_window or _LONGEST
    return {
        "slug": target,
        "display_name": target,
        "context_window": window,
        "supported_reasoning_levels": [],
        "shell_type": "unified_exec",
        "visibility": "list",
        "supported_in_api": True,
        "priority": 0,
        "support_verbosity": False,
        "truncation_policy": {"mode": "tokens", "limit": 10_000},
        "experimental_supported_tools": [],
        "base_instructions": "You are a coding agent that runs in the Codex CLI, on a user's computer.",
    }
