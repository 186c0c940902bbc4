"""Recorded answers as bytes: events as JSON, never pickled, so that a file can hold data only."""

from __future__ import annotations

import base64
import math
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, get_args

import attrs

from jackfield import Citation, Cost, CostItem, Event, RawPart, TokenLogprob, Usage
from jackfield.plugin import Replay

__all__ = ["Record", "decoded", "encoded"]

_CLASSES: Final[dict[str, Any]] = {
    cls.__name__: cls
    for cls in (*get_args(Event), Citation, Cost, CostItem, RawPart, Replay, TokenLogprob, Usage)
}
_MARK: Final = "$"


@attrs.frozen
class Record:
    """An answer to give again.

    Attributes:
        events: What it is folded from.
        replay: When it was recorded, what it used and cost.
    """

    events: Sequence[Event]
    replay: Replay


def encoded(record: Record) -> bytes:
    """Write a record down.

    Raises:
        TypeError: It holds what has no form in JSON (an object of an in-process engine, say).
    """
    import orjson

    return orjson.dumps([_plain(event) for event in record.events] + [_plain(record.replay)])


def decoded(data: bytes) -> Record:
    """Read a record.

    Raises:
        ValueError: It is none.
        TypeError: It is one of another version.
    """
    import orjson

    values = [_rich(value) for value in orjson.loads(data)]
    if not values or not isinstance(values[-1], Replay):
        msg = "this is no record of an answer"
        raise ValueError(msg)
    return Record(tuple(values[:-1]), values[-1])


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):  # JSON knows no other
        return value
    if _CLASSES.get(type(value).__name__) is type(value):
        fields = ((f.name, getattr(value, f.name), f.default) for f in attrs.fields(type(value)))
        said = {name: _plain_field(name, one) for name, one, default in fields if one is not default}
        return {_MARK: type(value).__name__, **said}
    if isinstance(value, Mapping):
        if _MARK in value or not all(isinstance(key, str) for key in value):
            return {_MARK: "mapping", "items": [[_plain(k), _plain(v)] for k, v in value.items()]}
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, tuple):
        return {_MARK: "tuple", "items": [_plain(one) for one in value]}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, Decimal):
        return {_MARK: "decimal", "text": str(value)}
    if isinstance(value, bytes):
        return {_MARK: "bytes", "base64": base64.b64encode(value).decode()}
    msg = f"a {type(value).__name__} cannot be recorded"
    raise TypeError(msg)


def _plain_field(name: str, value: Any) -> Any:
    if name == "vector":
        numbers: Iterable[float] = value.tolist() if hasattr(value, "tolist") else value
        return {_MARK: "vector", "base64": base64.b64encode(array("f", numbers).tobytes()).decode()}
    return _plain(value)


def _rich(value: Any) -> Any:
    if isinstance(value, list):
        return [_rich(one) for one in value]
    if not isinstance(value, dict):
        return value
    kind = value.pop(_MARK, None)
    if kind is None:
        return {key: _rich(one) for key, one in value.items()}
    if kind in _CLASSES:
        return _CLASSES[kind](**{name: _rich(one) for name, one in value.items()})
    return _READERS[kind](value)


def _read_vector(text: str) -> Any:
    from jackfield.plugin import vector_reader  # it comes with the readers of JSON, which load late

    return vector_reader()(text)


_READERS: Final[dict[str, Callable[[dict[str, Any]], Any]]] = {
    "mapping": lambda value: {_rich(key): _rich(one) for key, one in value["items"]},
    "tuple": lambda value: tuple(_rich(one) for one in value["items"]),
    "decimal": lambda value: Decimal(value["text"]),
    "bytes": lambda value: base64.b64decode(value["base64"]),
    "vector": lambda value: _read_vector(value["base64"]),
}
