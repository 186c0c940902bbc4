"""The text of a first configuration, made of what is installed."""

from __future__ import annotations

import json
import os
import re
import textwrap
import tomllib
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from jackfield import JackfieldError, Secret
from jackfield._calls.doubts import PLACEHOLDER
from jackfield._contract.settings import Reader, example_of
from jackfield.plugin import attribute_meanings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jackfield import Registry
    from jackfield.plugin import Provider

__all__ = ["first_configuration"]

_HEAD: Final = """\
## Connections of this program or machine. A target is "connection:model", or an alias.
## Check this file: jackfield config validate      Try it: jackfield connections check
##
## Lines with one # are settings: a value is the default, and what is written your-... is yours to fill in.
## Lines with ## are words.

[defaults]
## "drop" leaves out what a model cannot honour, and says so
# unsupported = "error"
## seconds
# timeout = { connect = 10, idle = 60, total = 600 }
# retry = { attempts = 3, max_delay = 30, retry_after_cap = 120 }
"""
_SECRETS: Final = """\
## Secrets are references, never values: "env:NAME", "file:/path", "keyring:service/name".
## models = [...] is the list of allowed models, entries may end in *; without it all are allowed.
"""
_TRANSPORT_KEYS: Final = frozenset(
    {"proxy", "ca_bundle", "timeout", "retry", "headers", "max_parallel", "max_response", "models"}
)
_ADDRESSES: Final = ("url", "uri", "endpoint", "host")
_WIDTH: Final = 110


def first_configuration(registry: Registry) -> str:
    """Write a configuration that is right as it stands: what needs a person's word is commented out."""
    ids = registry.provider_ids()
    sections = [_section(registry, name) for name in ids]
    if not ids:
        sections.append("## No provider is installed yet; each is a package, jackfield-NAME.\n")
    ready = "\n".join(sections)
    aliases = "".join(
        f'{alias} = "{target}"\n'
        for name in ids
        for alias, target in _brought(registry, name, "aliases").items()
        if f"\n[connections.{target.partition(':')[0]}]\n" in ready
    )
    aliases = (
        aliases
        or '## An alias, such as `default = "connection:model"`, is a name of your own for a target.\n'
    )
    identities = [_identity(registry, kind) for kind in registry.names("credentials")]
    return "\n".join([_HEAD, f"[aliases]\n{aliases}", _SECRETS, *sections, *identities])


def _identity(registry: Registry, kind: str) -> str:
    """Write a table of credentials, commented out: only a person knows which identity there is."""
    try:
        settings = registry.credential_kind(kind).settings
    except JackfieldError as error:
        return f"## Credentials of the kind {kind} cannot be used: {' '.join(error.message.split())}\n"
    table = [f"[credentials.{kind}-main]", f'kind = "{kind}"', *_lines_of(settings)]
    title = f'## An identity: connections name it with credentials = "{kind}-main".'
    if _problems(settings, _values(settings)):
        # Its keys exclude each other or need each other, so not all of them can be right at once.
        title += " Write those of these keys that your identity has."
        lines = [f"## {line.lstrip('# ')}" for line in table]
    else:
        lines = [line if line.startswith("#") else f"# {line}" for line in table]
    return "\n".join([title, *lines, ""])


def _section(registry: Registry, id: str) -> str:
    try:
        provider = registry.provider(id)
    except JackfieldError as error:
        reason = " ".join(error.message.split())
        return f"## {id} is installed and cannot be used: {reason}\n"
    name = next(iter(_brought(registry, id, "connections")), id)
    table = [f"[connections.{name}]", f'provider = "{id}"', *_keys(provider)]
    if not _is_ready(provider):
        table = [line if line.startswith("#") else f"# {line}" for line in table]
    return "\n".join([f"## {provider.info.title}", *table, ""])


def _brought(registry: Registry, id: str, table: str) -> Mapping[str, Any]:
    """Return a table of the configuration that a provider brings for programs without one."""
    try:
        brought = registry.provider(id).info.default_configuration
    except JackfieldError:
        return {}
    found: Mapping[str, Any] = (brought or {}).get(table, {})
    return found


def _is_ready(provider: Provider) -> bool:
    """Return whether a connection works as it is: no setting is required, and its key is present."""
    fields = attrs.fields(provider.info.settings)
    secrets = [field.default for field in fields if isinstance(field.default, Secret)]
    if provider.info.requires_models or any(field.default is attrs.NOTHING for field in fields):
        return False
    if not all(_is_there(secret) for secret in secrets):
        return False
    return bool(secrets) or not provider.info.credentials


def _is_there(secret: Secret) -> bool:
    scheme, _, name = (secret.reference or "").partition(":")
    return scheme == "env" and bool(os.environ.get(name))


def _keys(provider: Provider) -> list[str]:
    """Return a provider's own keys as lines, each below its description."""
    lines = _lines_of(provider.info.settings)
    if provider.info.credentials:
        kinds = " or ".join(f'"{kind}"' for kind in provider.info.credentials)
        lines += _words(
            f'An identity in place of a key: credentials = "NAME" here, and a table [credentials.NAME] with kind = {kinds}.'
        )
    if provider.info.requires_models:
        lines += _words("Each id is your own name of a deployment; `underlying` is the model behind it.")
        wanted = f'id = "{PLACEHOLDER}deployment", underlying = "openai:gpt-6-luna"{_wanted_of(provider.info.model_keys)}'
        lines.append(f"models = [{{ {wanted} }}]")
    return lines


def _lines_of(settings: type) -> list[str]:
    """Return the keys of settings as lines, each below its description."""
    lines: list[str] = []
    meanings, values = attribute_meanings(settings), _values(settings)
    for field in attrs.fields(settings):
        if field.name not in values:
            continue
        meaning, value = meanings.get(field.name, ""), values[field.name]
        if not value:
            lines += _words(f"{field.name} is not set. {meaning}".strip())
            continue
        needed = field.default is attrs.NOTHING or isinstance(field.default, Secret)
        lines += [*_words(meaning), f"{'' if needed else '# '}{field.name} = {value}"]
    return lines


def _values(settings: type) -> dict[str, str]:
    """Return the value to write for each key: its default, else a placeholder, "" where only a description fits."""
    hints = _hints(settings)
    values, optional = {}, []
    for field in attrs.fields(settings):  # type: ignore[arg-type, misc, unused-ignore]
        if field.name == "credentials" or field.name in _TRANSPORT_KEYS:
            continue
        hint = hints.get(field.name)
        values[field.name] = _written(_default(field))
        if not values[field.name]:
            values[field.name] = _placeholder(hint, field.name)
            if field.default is attrs.NOTHING:
                values[field.name] = values[field.name] or example_of(hint)
            else:
                optional.append(field.name)
    # What takes certain words alone refuses a placeholder; which those are, only the plugin knows.
    _take_examples(settings, values, optional)
    while refused := _refused(settings, values, optional):
        values[refused] = ""
        optional.remove(refused)
    return values


def _take_examples(settings: type, values: dict[str, str], optional: list[str]) -> None:
    """Put the example that a refusal gives in the place of the placeholder that it refuses."""
    said = "\n".join(_problems(settings, values))
    for name in list(optional):
        found = re.search(rf"\b{name} must be [^;\n]*?such as (\"[^\"]+\")", said)
        if found:
            values[name] = found[1]
            optional.remove(name)


def _refused(settings: type, values: dict[str, str], optional: list[str]) -> str | None:
    """Find a placeholder without which the settings are wrong in another way, or right."""
    wrong = _problems(settings, values)
    if not wrong:
        return None
    return next((name for name in optional if _problems(settings, {**values, name: ""}) != wrong), None)


def _problems(settings: type, values: dict[str, str]) -> list[str]:
    reader = Reader()
    given = {"credentials": None} if "credentials" in attrs.fields_dict(settings) else {}
    table = tomllib.loads("\n".join(f"{name} = {value}" for name, value in values.items() if value))
    try:
        reader.settings(settings, table, "", given=given)
    except JackfieldError as error:
        return [error.message]
    return reader.problems


def _wanted_of(model_keys: type | None) -> str:
    """Write the keys that an entry of `models` must have."""
    if model_keys is None:
        return ""
    hints = _hints(model_keys)
    return "".join(
        f", {field.name} = {example_of(hints.get(field.name))}"
        for field in attrs.fields(model_keys)
        if field.default is attrs.NOTHING
    )


def _default(field: Any) -> Any:
    if field.default is attrs.NOTHING:
        return None
    if isinstance(field.default, attrs.Factory):  # type: ignore[arg-type]
        return None if field.default.takes_self else field.default.factory()
    return field.default


def _written(value: Any) -> str:
    """Write a default as TOML; "" for what has no short form there."""
    if isinstance(value, Secret):
        return f'"{value.reference}"' if value.reference else ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | Path):
        return json.dumps(str(value), ensure_ascii=False)
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, tuple | list | set | frozenset):
        return f"[{', '.join(map(_written, value))}]"
    return "{}" if value is not None and value == {} else ""


def _placeholder(hint: Any, name: str) -> str:
    """Write something in the place of a text that only a person knows; "" where nothing but words would be right."""
    kinds = {hint, *typing.get_args(hint)}
    if Secret in kinds:
        return f'"env:YOUR_{name.upper()}"'
    if not kinds & {str, Path} or kinds & {int, float}:
        return ""
    word = f"{PLACEHOLDER}{name.replace('_', '-')}"
    return f'"https://{word}.example"' if name.endswith(_ADDRESSES) else f'"{word}"'


def _hints(settings: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(settings)
    except Exception:  # a plugin's annotations are its own; they only choose an example here
        return {}


def _words(text: str) -> list[str]:
    return [f"## {line}" for line in textwrap.wrap(text, _WIDTH, break_on_hyphens=False)]
