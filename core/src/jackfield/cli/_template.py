"""The text of a first configuration, made of what is installed."""

from __future__ import annotations

import os
import typing
from typing import TYPE_CHECKING, Any, Final

import attrs

from jackfield._errors import JackfieldError
from jackfield._secrets import Secret

if TYPE_CHECKING:
    from jackfield._provider import Provider
    from jackfield._registry import Registry

__all__ = ["first_configuration"]

_HEAD: Final = """\
# Connections of this program or machine. A target is "connection:model", or an alias.
# Check this file: jackfield config validate      Try it: jackfield connections check

[defaults]
# unsupported = "error"        # "drop": leave out what a model cannot honour, and say so
# timeout = { connect = 10, first_event = 120, idle = 60, total = 600 }    # seconds
# retry = { attempts = 3, max_delay = 30, retry_after_cap = 120 }
"""
_SECRETS: Final = """\
# Secrets are references, never values: "env:NAME", "file:/path", "keyring:service/name".
# models = [...] is the list of allowed models, entries may end in *; without it all are allowed.
"""
_DEMO: Final = "onnx"
_DEMO_TARGET: Final = "local:smollm2-135m"
_TRANSPORT_KEYS: Final = frozenset(
    {"proxy", "ca_bundle", "timeout", "retry", "headers", "max_parallel", "models"}
)


def first_configuration(registry: Registry) -> str:
    """Write a configuration that is right as it stands: what needs a person's word is commented out."""
    ids = registry.provider_ids()
    sections = [_section(registry, name) for name in ids]
    if not ids:
        sections.append("# No provider is installed yet: pip install jackfield-NAME\n")
    demo = any(f"\n[connections.{_DEMO_TARGET.partition(':')[0]}]\n" in section for section in sections)
    return "\n".join([_HEAD, _aliases(demo=demo), _SECRETS, *sections])


def _aliases(*, demo: bool) -> str:
    line = '# default = "connection:model"'
    if demo:
        line = f'default = "{_DEMO_TARGET}"    # a demo model of 135M parameters'
    return f"[aliases]\n{line}\n"


def _section(registry: Registry, id: str) -> str:
    try:
        provider = registry.provider(id)
    except JackfieldError as error:
        reason = " ".join(error.message.split())
        return f"# {id} is installed and cannot be used: {reason}\n"
    name = "local" if id == _DEMO else id
    active, lines = _keys(provider)
    table = [f"[connections.{name}]", f'provider = "{id}"', *lines]
    if not active:
        table = [line if line.startswith("#") else f"# {line}" for line in table]
    return "\n".join([f"# {provider.info.title}", *table, ""])


def _keys(provider: Provider) -> tuple[bool, list[str]]:
    """Give a provider's own keys as lines, and whether it can be used as it stands."""
    active = not provider.info.requires_models
    lines: list[str] = []
    hints = _hints(provider.info.settings)
    for field in attrs.fields(provider.info.settings):
        if field.name == "credentials" or field.name in _TRANSPORT_KEYS:
            continue
        if field.default is attrs.NOTHING:
            active = False
            lines.append(f"{field.name} = {_example(hints.get(field.name), field.name)}")
        elif isinstance(field.default, Secret) and field.default.reference:
            active = active and _is_there(field.default)
            lines.append(f'{field.name} = "{field.default.reference}"')
        else:
            lines.append(f"# {field.name} = {_example(hints.get(field.name), field.name)}")
    if provider.info.credentials:
        kinds = " or ".join(provider.info.credentials)
        lines.append(f'# credentials = "NAME"    # a table [credentials.NAME] with kind = {kinds}')
    if provider.info.requires_models:
        lines.append('models = [{ id = "your-name", underlying = "model" }]')
    return active, lines


def _is_there(secret: Secret) -> bool:
    scheme, _, name = (secret.reference or "").partition(":")
    return scheme == "env" and bool(os.environ.get(name))


def _hints(settings: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(settings)
    except Exception:  # a plugin's annotations are its own; they only choose an example here
        return {}


def _example(hint: Any, name: str) -> str:
    kinds = {hint, *typing.get_args(hint)}
    if Secret in kinds:
        return f'"env:{name.upper()}"'
    for kind, example in ((bool, "false"), (int, "1"), (float, "1.0")):
        if kind in kinds:
            return example
    return '"https://..."' if name.endswith("url") else '"..."'
