"""Entries of a connection's `models`: the allow-list, and what is declared of each model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from jackfield._contract.paths import model_id_fault
from jackfield._contract.protocols import ProviderInfo
from jackfield._contract.settings import INVALID, Reader, join
from jackfield._hints import hint
from jackfield._input.arguments import DECLARABLE, option_fault
from jackfield._pricing.declared import read_price, read_rate
from jackfield._types.capabilities import FEATURES, Kind, Limits, ModelEntry

from .defaults import read_pace

__all__ = ["read_entries"]

KEYS: Final = (
    "id",
    "kind",
    "kinds",
    "underlying",
    "route",
    "price",
    "rate",
    "capabilities",
    "limits",
    "options",
    "pace",
)


def read_entries(
    reader: Reader, value: Any, where: str, info: ProviderInfo | None
) -> tuple[ModelEntry, ...] | None:
    """Read the list `models`; None if something is wrong with it.

    Args:
        reader: Collects what is wrong.
        value: What is written.
        where: Its place.
        info: The provider's; None if its plugin cannot be used, then its own keys are not checked.
    """
    if not isinstance(value, list | tuple):
        reader.wrong(where, 'must be a list: ["model", { id = "model", ... }]; [] allows none')
        return None
    entries: dict[str, ModelEntry] = {}
    for number, item in enumerate(value):
        place = f"{where}[{number}]"
        entry = _read_entry(reader, {"id": item} if isinstance(item, str) else item, place, info)
        if entry is not None and entry.id in entries:
            reader.wrong(place, f"names {entry.id!r} a second time")
        elif entry is not None:
            entries[entry.id] = entry
    return tuple(entries.values())


def _read_entry(reader: Reader, value: Any, where: str, info: ProviderInfo | None) -> ModelEntry | None:
    before = len(reader.problems)
    units = () if info is None else info.units
    if not isinstance(value, Mapping):
        reader.wrong(where, 'must be a model id or a table with an id: { id = "model" }')
        return None
    read: dict[str, Any] = {"id": _id(reader, value, where), "kinds": _kinds(reader, value, where)}
    for key in ("underlying", "route"):
        if key in value:
            read[key] = reader.value(str, value[key], join(where, key))
    if "route" in value and info is not None and not info.has_routes:
        reader.wrong(join(where, "route"), f"{info.id} has one way to call a model; leave route out")
    if "price" in value:
        read["price"] = read_price(reader, value["price"], join(where, "price"), units)
    if "rate" in value:
        read["rate"] = read_rate(reader, value["rate"], join(where, "rate"), units)
    if "capabilities" in value:
        read["capabilities"] = _capabilities(reader, value["capabilities"], join(where, "capabilities"))
    if "limits" in value:
        read["limits"] = reader.settings(Limits, value["limits"], join(where, "limits"))
    if "options" in value:
        read["options"] = _options(reader, value["options"], join(where, "options"))
    if "pace" in value:
        read["pace"] = read_pace(reader, value["pace"], join(where, "pace"))
    read["own"] = _own(reader, value, where, info)
    return ModelEntry(raw=dict(value), **read) if len(reader.problems) == before else None


def _id(reader: Reader, value: Mapping[str, Any], where: str) -> Any:
    if "id" not in value:
        return reader.wrong(join(where, "id"), 'is missing; write id = "model"')
    name = reader.value(str, value["id"], join(where, "id"))
    if name == "":
        return reader.wrong(join(where, "id"), "is empty")
    if name is not INVALID and "*" in name[:-1]:
        return reader.wrong(join(where, "id"), f'"{name}": a `*` may stand only at the end')
    # What a pattern leaves open is checked in each call.
    fault = None if name is INVALID else model_id_fault(f"{name[:-1]}x" if name.endswith("*") else name)
    if fault is not None:
        return reader.wrong(join(where, "id"), f"{name!r} is not valid as the id of a model: {fault}")
    return name


def _kinds(reader: Reader, value: Mapping[str, Any], where: str) -> frozenset[Kind]:
    if "kind" in value and "kinds" in value:
        reader.wrong(where, "has both kind and kinds; write one of them")
    key = "kinds" if "kinds" in value else "kind"
    written = value.get(key, ())
    if isinstance(written, str):
        kind = reader.value(Kind, written, join(where, key))
        return frozenset() if kind is INVALID else frozenset({kind})
    read = reader.value(tuple[Kind, ...], written, join(where, key))
    return frozenset() if read is INVALID else frozenset(read)


def _capabilities(reader: Reader, value: Any, where: str) -> Mapping[str, bool]:
    table = reader.table(value, where)
    reader.unknown_keys(table, FEATURES, where)
    return {name: reader.value(bool, said, join(where, name)) for name, said in table.items()}


def _options(reader: Reader, value: Any, where: str) -> Mapping[str, Any]:
    table = reader.table(value, where)
    for name, given in table.items():
        known = name in DECLARABLE
        fault = option_fault(name, given) if known else f"there is no such option{hint(name, DECLARABLE)}"
        if fault is not None:
            reader.wrong(join(where, name), fault)
    return dict(table)


def _own(reader: Reader, value: Mapping[str, Any], where: str, info: ProviderInfo | None) -> Any:
    if info is None:
        return None
    cls = info.model_keys
    names = [] if cls is None else [field.alias for field in attrs.fields(cls) if field.init]
    reader.unknown_keys(value, (*KEYS, *names), where)
    if cls is None:
        return None
    return reader.settings(cls, {key: value[key] for key in names if key in value}, where)
