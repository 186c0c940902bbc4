"""The form of a connection, an identity, a rule: made of what the core and a plugin declare."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from jackfield import JackfieldError, MeshConfig, Registry
from jackfield.plugin import ModelEntry, Provider, SharedKeys, attribute_meanings

from ._setting_forms import Field, Form, fields_of, make_field

__all__ = [
    "Placed",
    "Section",
    "Sheet",
    "connection_sheet",
    "identity_sheet",
    "place_mistakes",
    "settings_sheet",
]

_SHARED: Final = tuple(field.name for field in attrs.fields(SharedKeys))
_FIRST: Final = ("base_url", "endpoint", "host", "account", "region", "location", "target_uri")
"""Where a service is: of use in most connections, so these stand on top."""
_MODELS: Final = 'One a line: an id, which may end in *, or a table such as { id = "name", price = { input = "1", output = "2" } }.'
_WRITTEN: Final = 'must be a number in a string ("0.25")'
_TYPED: Final = "must be a number, such as 0.25"
"""What a form says in place of what the file's notation demands."""
_RATE: Final = 'Cost of time or of a unit, for all of its models: { hour = "1.20" } or { unit = "DBU", amount = "0.07" }.'


@attrs.frozen(kw_only=True)
class Section:
    """A part of a sheet.

    Attributes:
        title: Its heading; "" for the first.
        fields: Its fields.
        folded: It is opened by the reader, unless something in it is set or wrong.
        lead: A sentence above it.
    """

    title: str
    fields: tuple[Field, ...]
    folded: bool = False
    lead: str = ""


@attrs.frozen(kw_only=True)
class Sheet:
    """A form in sections.

    Attributes:
        title: What it is a form of.
        sections: Its parts.
        fixed: Keys that the form does not ask for, with their value.
        entries: The keys that an entry of `models` may have, with their meaning.
    """

    title: str
    sections: tuple[Section, ...]
    fixed: Mapping[str, Any] = attrs.field(factory=dict)
    entries: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def form(self) -> Form:
        """All fields."""
        return Form(tuple(field for section in self.sections for field in section.fields))

    def keys(self) -> frozenset[str]:
        """Return the keys that the form asks for; others of a table are left as they are."""
        return frozenset(field.path[0] for field in self.form.fields) | self.fixed.keys()


def connection_sheet(registry: Registry, provider: Provider, credentials: Mapping[str, str]) -> Sheet:
    """Return the form of a connection.

    Args:
        registry: The plugins.
        provider: Whose.
        credentials: The kinds of the declared `[credentials.NAME]`, by name.
    """
    info = provider.info
    given = {*_SHARED, "credentials", "models"}
    own = list(fields_of(info.settings, (), given))
    first = [field for field in own if field.required or field.control == "secret"]
    if info.credentials:
        first.append(_credentials_field(info.credentials, credentials))
    first += [field for field in own if field.key in _FIRST and field not in first]
    rest = [field for field in own if field not in first]
    models = Field(
        path=("models",),
        control="models",
        meaning=_MODELS,
        required=info.requires_models,
    )
    sections = [
        Section(title="", fields=tuple(first)),
        Section(title="Models", fields=(models,)),
    ]
    if rest:
        sections.append(Section(title=f"More settings of {info.title}", fields=tuple(rest), folded=True))
    sections.append(
        Section(
            title="Time limits, retries, network",
            fields=(*_shared_fields(registry), _rate_field()),
            folded=True,
            lead="What is left empty is as [defaults] says.",
        )
    )
    return Sheet(
        title=info.title,
        sections=tuple(sections),
        fixed={"provider": info.id},
        entries=_entry_keys(info.model_keys),
    )


def identity_sheet(registry: Registry, kind: str) -> Sheet:
    """Return the form of a table `[credentials.NAME]`.

    Raises:
        JackfieldError: There is no such kind, or its plugin cannot be used.
    """
    settings = registry.credential_kind(kind).settings
    return Sheet(
        title=kind, sections=(Section(title="", fields=tuple(fields_of(settings, ()))),), fixed={"kind": kind}
    )


def settings_sheet(
    cls: type, title: str, *, leave_out: Iterable[str] = (), first: Sequence[str] = ()
) -> Sheet:
    """Return the form of any settings class.

    Args:
        cls: The class.
        title: What it is a form of.
        leave_out: Keys that the form does not ask for.
        first: The keys that stand on top; the others are folded. Empty: all stand on top.
    """
    fields = {field.key: field for field in fields_of(cls, (), tuple(leave_out))}
    top = [fields[key] for key in first if key in fields] or list(fields.values())
    rest = tuple(field for field in fields.values() if field not in top)
    sections = [Section(title="", fields=tuple(top))]
    if rest:
        sections.append(Section(title="More", fields=rest, folded=True))
    return Sheet(title=title, sections=tuple(sections))


def _credentials_field(kinds: Sequence[str], credentials: Mapping[str, str]) -> Field:
    names = tuple(name for name, kind in credentials.items() if kind in kinds)
    words = " or ".join(kinds)
    return Field(
        path=("credentials",),
        control="choice",
        meaning=f"An identity of kind {words}, which replaces the key. Identities are declared on the page of connections.",
        choices=names,
    )


def _shared_fields(registry: Registry) -> Iterator[Field]:
    for field in map(_without_default, fields_of(SharedKeys, ())):
        if field.key == "middlewares":
            names = ", ".join(registry.names("middleware")) or "none"
            meaning = f"{field.meaning} Installed: {names}."
            yield attrs.evolve(field, meaning=meaning)
        elif field.key == "max_response":
            yield Field(
                path=("max_response",),
                control="text",
                meaning=field.meaning,
                kinds=frozenset({str, int, float}),
            )
        else:
            yield field


def _without_default(field: Field) -> Field:
    """Return a field whose default is what `[defaults]` says, which may change."""
    return attrs.evolve(field, default="", fields=tuple(map(_without_default, field.fields)))


def _rate_field() -> Field:
    return make_field(("rate",), Any, meaning=_RATE)


def _entry_keys(model_keys: type | None) -> Mapping[str, str]:
    """Return the keys of an entry of `models`, with their meaning: the plugin's own first."""
    own = {} if model_keys is None else dict(attribute_meanings(model_keys))
    common = {
        name: words for name, words in attribute_meanings(ModelEntry).items() if name not in ("own", "raw")
    }
    return {**own, **common}


@attrs.frozen
class Placed:
    """Mistakes, sorted.

    Attributes:
        beside: By name of field.
        general: Those of no field.
    """

    beside: Mapping[str, str]
    general: tuple[str, ...]


def place_mistakes(mistakes: Iterable[str], where: str, sheet: Sheet) -> Placed:
    """Put the core's mistakes beside the fields that they are about.

    Args:
        mistakes: "place: what" each, as `ConfigurationError.mistakes` has them.
        where: The place of the table, such as `connections.azure`.
        sheet: Its form.
    """
    beside: dict[str, list[str]] = {}
    general: list[str] = []
    names = sorted((field.name for field in sheet.form.leaves()), key=len, reverse=True)
    for mistake in mistakes:
        inner = _inside(mistake, where)
        if inner is None:
            general.append(mistake)
            continue
        name, words = _find_field(inner, names)
        words = words.replace(_WRITTEN, _TYPED)
        if name is None:
            general.append(words)
        else:
            beside.setdefault(name, []).append(words)
    return Placed({name: "; ".join(words) for name, words in beside.items()}, tuple(general))


def _inside(mistake: str, where: str) -> str | None:
    """Return what follows the place of the table: ".key: what", "[0].key: what" or ": what"."""
    if not mistake.startswith(where):
        return None
    rest = mistake[len(where) :]
    return rest if rest[:1] in (".", ":", "[") else None


def _find_field(inner: str, names: Sequence[str]) -> tuple[str | None, str]:
    place = inner.lstrip(".")
    for name in names:
        if place.startswith(name) and place[len(name) : len(name) + 1] in (":", ".", "["):
            deeper = place[len(name) :]
            return name, deeper.removeprefix(": ") if deeper.startswith(":") else f"{name}{deeper}"
    for name in names:  # a group, whose fields have its name in front
        group = name.partition(".")[0]
        if "." in name and place.startswith(f"{group}:"):
            return name, place.removeprefix(f"{group}: ")
    words = inner.partition(": ")[2] if inner.startswith(":") else place
    # A class that checks several fields at once names them in its words.
    told = re.match(r"(?:limit \S+: )?['\"`]?([\w.]+)", words)
    if told is not None and told[1] in names:
        return told[1], words
    return None, words


def credentials_of(config: MeshConfig, content: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the kinds of the declared identities, by name."""
    tables = content.get("credentials")
    found = tables.items() if isinstance(tables, Mapping) else ()
    return {str(name): str(table.get("kind", "")) for name, table in found if isinstance(table, Mapping)}


def find_provider(registry: Registry, name: str) -> Provider | str:
    """Return a provider, or why it cannot be used."""
    try:
        return registry.provider(name)
    except JackfieldError as error:
        return error.message
