"""Models: what each connection offers, what of it is allowed, and what it costs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from jackfield import JackfieldError, ModelCard
from jackfield.plugin import FEATURES, find_model, is_allowed

from ._applying import apply_change, parse
from ._config_file import ConfigFile, FileError
from ._editing import ChangeRefusedError, editor_of
from ._pages import Page
from ._price_files import COLUMNS, add_rows, compare_price
from ._toml_edit import remove, set_value, value_at

if TYPE_CHECKING:
    from aiohttp import web

    from jackfield import ConnectionConfig

    from ._visit import Visit

__all__ = ["PAGES"]

_ON_A_PAGE: Final = 100
_LONGEST_LIST: Final = 20.0
"""Seconds for which the page waits for a service's list."""


async def _list(visit: Visit) -> Mapping[str, Any]:
    config = visit.config
    names = list(config.connections)
    name = visit.query("connection") or (names[0] if names else "")
    if not names:
        return {"names": [], "connection": None, "rows": [], "fault": None}
    if name not in config.connections:
        visit.refuse(404, f"There is no connection {name!r}.")
    connection = config.connections[name]
    cards, failure = await _cards(visit, name, refresh=visit.query("refresh") == "yes")
    wanted = visit.query("q").lower()
    found = [card for card in cards if wanted in card.id.lower() or wanted in (card.title or "").lower()]
    found.sort(key=lambda card: (not card.allowed, card.retired is not None, card.id.lower()))
    page = max(int(visit.query("page")), 1) if visit.query("page").isdecimal() else 1
    shown = found[(page - 1) * _ON_A_PAGE : page * _ON_A_PAGE]
    editor = editor_of(visit.console)
    fault = await editor.find_fault()
    return {
        "names": names,
        "name": name,
        "connection": connection,
        "rows": [_row(visit, connection, card) for card in shown],
        "count": len(found),
        "all": len(cards),
        "page_number": page,
        "pages": -(-len(found) // _ON_A_PAGE),
        "wanted": visit.query("q"),
        "failure": failure,
        "has_list": connection.models is not None,
        "fault": fault,
        "digest": "" if fault is not None else (await editor.read())[0].digest,
        "general": (),
        "diff": "",
    }


async def _cards(visit: Visit, name: str, *, refresh: bool = False) -> tuple[Sequence[ModelCard], str | None]:
    """Return the models of a connection, and why its service could not be asked: then those that are known without it."""
    connection = visit.config.connections[name]
    try:
        async with visit.console.host.use() as mesh, asyncio.timeout(_LONGEST_LIST):
            return await mesh.models(name, refresh=refresh), None
    except JackfieldError as error:
        return _known(connection), error.message
    except TimeoutError:
        return _known(connection), f"no answer within {_LONGEST_LIST:g} seconds"


def _known(connection: ConnectionConfig) -> list[ModelCard]:
    """Return what is declared, and what the plugin's table has, without what only the service tells."""
    ids = [entry.id for entry in connection.models or () if not entry.id.endswith("*")]
    if connection.provider is not None and connection.settings is not None:
        try:
            ids += connection.provider.table(connection.settings)
        except JackfieldError:
            pass
    return [
        ModelCard(id=one, connection=connection.name, allowed=is_allowed(connection, one))
        for one in dict.fromkeys(ids)
    ]


def _row(visit: Visit, connection: ConnectionConfig, card: ModelCard) -> Mapping[str, Any]:
    entry = find_model(connection, card.id)
    features = card.capabilities.features
    return {
        "card": card,
        "price": compare_price(visit.config, visit.console.host.registry, card),
        "features": [name for name in FEATURES if name in features and features[name].value],
        "pattern": entry.id if entry is not None and entry.id.endswith("*") else None,
        "declares": entry is not None and entry.raw.keys() - {"id"},
    }


async def _allow(visit: Visit) -> web.StreamResponse:
    """Write which models of a connection may be called."""
    form = visit.form
    name = form.text("connection")
    if name not in visit.config.connections:
        visit.refuse(404, f"There is no connection {name!r}.")
    shown, ticked = set(form.many("shown")), form.many("allow")
    only = form.text("mode") == "only"

    def edit(text: str) -> str:
        path = ("connections", name, "models")
        old = value_at(parse(text), path)
        entries = list(old) if isinstance(old, list) else []
        if only:
            return set_value(text, path, _only(entries, shown, ticked))
        if any(isinstance(entry, dict) for entry in entries):  # what is declared of them stays
            tables = [entry for entry in entries if isinstance(entry, dict) and entry.get("id") != "*"]
            return set_value(text, path, [*tables, "*"])
        return text if old is None else remove(text, path)

    return await apply_change(
        visit,
        edit,
        done=f"Which models of {name} may be called was written, and holds for new calls.",
        after="/models",
        change=("models allowed", name),
        values=await _shown_again(visit, name),
        connection=name,
    )


def _only(entries: Sequence[Any], shown: set[str], ticked: Sequence[str]) -> list[Any]:
    """Return the list of allowed models: entries that the page did not show stay, and so do patterns."""
    kept = [
        entry
        for entry in entries
        if _id(entry) != "*" and (_id(entry) not in shown or _id(entry) in ticked or _id(entry).endswith("*"))
    ]
    ids = [_id(entry) for entry in kept]

    def covers(model: str) -> bool:
        return any(model == one or (one.endswith("*") and model.startswith(one[:-1])) for one in ids)

    return [*kept, *(model for model in ticked if not covers(model))]


def _id(entry: Any) -> str:
    return str(entry.get("id", "")) if isinstance(entry, dict) else str(entry)


async def _shown_again(visit: Visit, name: str) -> Mapping[str, Any]:
    cards, failure = await _cards(visit, name)
    connection = visit.config.connections[name]
    rows = [_row(visit, connection, card) for card in cards[:_ON_A_PAGE]]
    return {
        "names": list(visit.config.connections), "name": name, "connection": connection, "rows": rows, "count": len(cards),
        "all": len(cards), "page_number": 1, "pages": 1, "wanted": "", "failure": failure,
        "has_list": connection.models is not None, "fault": None, "digest": visit.form.text("file-digest"),
    }  # fmt: skip


# One model


async def _detail(visit: Visit) -> Mapping[str, Any]:
    name, model = visit.query("connection"), visit.query("model")
    if name not in visit.config.connections:
        visit.refuse(404, f"There is no connection {name!r}.")
    cards, failure = await _cards(visit, name)
    card = next((one for one in cards if one.id == model), None)
    if card is None:
        visit.refuse(404, f"{name} has no model {model!r}.")
    features = card.capabilities.features
    sizes = {field: size for field, size in attrs.asdict(card.limits).items() if size is not None}
    rules = card.capabilities.parameters
    return {
        "title": f"{name}:{card.id}",
        "name": name,
        "card": card,
        "failure": failure,
        "price": compare_price(visit.config, visit.console.host.registry, card),
        "features": [(key, words, features.get(key)) for key, words in FEATURES.items()],
        "sizes": sizes,
        "rules": {key: _rule(rule) for key, rule in rules.items()},
        "fault": await editor_of(visit.console).find_fault(),
        "aliases": [
            alias for alias, targets in visit.config.aliases.items() if f"{name}:{card.id}" in targets
        ],
    }


def _rule(rule: Any) -> tuple[str, str]:
    """Write how a model treats an option, and where that is from."""
    if rule.supported is False:
        return "refused" + (f": {rule.why}" if rule.why else ""), rule.source
    pieces = []
    if rule.minimum is not None or rule.maximum is not None:
        low = "" if rule.minimum is None else f"from {rule.minimum:g}"
        high = "" if rule.maximum is None else f"up to {rule.maximum:g}"
        pieces.append(f"{low} {high}".strip())
    if rule.choices is not None:
        pieces.append(" or ".join(map(str, rule.choices)))
    if rule.wire:
        pieces.append(f"sent as {rule.wire}")
    return "; ".join(pieces) or ("accepted" if rule.supported else "not known"), rule.source


async def _confirm(visit: Visit) -> web.StreamResponse:
    """Write the published price of a model into the price file, so that it holds until another one is confirmed."""
    name, model = visit.form.text("connection"), visit.form.text("model")
    editor = editor_of(visit.console)
    fault = await editor.find_fault()
    if fault is not None:
        visit.refuse(409, fault)
    cards, _ = await _cards(visit, name) if name in visit.config.connections else ([], None)
    card = next((one for one in cards if one.id == model), None)
    if card is None:
        visit.refuse(404, f"There is no model {name}:{model}.")
    price = compare_price(visit.config, visit.console.host.registry, card)
    published = price.published
    if published is None:
        visit.refuse(409, "No price of this model is published, so there is nothing to confirm.")
    provider = visit.config.connections[name].provider_id
    try:
        await _write_prices(visit, lambda text: add_rows(text, provider, model, published, who=visit.user))
    except (ChangeRefusedError, FileError) as error:
        return await visit.redirect(
            "/models/detail",
            message=f"Nothing was changed: {error}",
            kind="problem",
            connection=name,
            model=model,
        )
    await visit.note_change("price confirmed", f"{name}:{model}")
    return await visit.redirect(
        "/models/detail",
        message="The price is confirmed: it holds from today, until you confirm another one.",
        connection=name,
        model=model,
    )


async def _write_prices(visit: Visit, change: Callable[[str], str]) -> None:
    """Change the price file; where none is declared, write a new one and declare it.

    Raises:
        ChangeRefusedError: It cannot be used, and everything was put back.
        FileError: It cannot be written.
    """
    editor = editor_of(visit.console)
    _, content = await editor.read()
    named = value_at(content, ("prices", "file"))
    folder = Path(visit.config.path or "jackfield.toml").parent
    path = await asyncio.to_thread(_change_file, folder, str(named or "prices.csv"), change)
    if named is None:
        prepared = await editor.prepare(lambda text: set_value(text, ("prices", "file"), path.name))
        await editor.commit(prepared)
        return
    why = await visit.console.host.reload()
    if why is not None:
        file = ConfigFile(path)
        before = (await asyncio.to_thread(file.list_versions))[0].text
        snapshot = await asyncio.to_thread(file.read)
        await asyncio.to_thread(lambda: file.replace(before, base=snapshot.digest))
        raise ChangeRefusedError(why)


def _change_file(folder: Path, name: str, change: Callable[[str], str]) -> Path:
    """Change a price file, which is made if there is none; return its path."""
    path = folder / Path(name).expanduser()
    if not path.exists():
        try:
            path.write_text(",".join(COLUMNS) + "\n", encoding="utf-8")
        except OSError as error:
            raise FileError(f"{path} cannot be written: {error.strerror or error}") from error
    file = ConfigFile(path)
    snapshot = file.read()
    file.replace(change(snapshot.text), base=snapshot.digest)
    return path


PAGES: Final = [
    Page(path="/models", title="Models", template="models.html", get=_list, group="Mesh", order=20),
    Page(path="/models/allow", title="Models", template="models.html", post=_allow, parent="/models"),
    Page(path="/models/detail", title="Model", template="model.html", get=_detail, parent="/models"),
    Page(path="/models/price", title="Model", post=_confirm, parent="/models"),
]
