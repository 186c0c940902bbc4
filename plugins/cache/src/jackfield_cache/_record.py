"""Serialize recorded answers: events as JSON, never pickled, so that a file can only contain data."""

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

__all__ = ["Record", "decode", "encode"]

_CLASSES: Final[dict[str, Any]] = {
    cls.__name__: cls
    for cls in (*get_args(Event), Citation, Cost, CostItem, RawPart, Replay, TokenLogprob, Usage)
}
_MARK: Final = "$"


@attrs.frozen
class Record:
    """A recorded answer.

    Attributes:
        events: The events that it is built from.
        replay: When it was recorded, its usage and its cost.
    """

    events: Sequence[Event]
    replay: Replay


def encode(record: Record) -> bytes:
    """Serialize a record.

    Raises:
        TypeError: It contains something that JSON cannot represent, such as an object of an in-process engine.
    """
    from jackfield.plugin import write_json  # it loads the writer of JSON, so late

    return write_json([*map(_to_json, record.events), _to_json(record.replay)], halves=True)


def decode(data: bytes) -> Record:
    """Parse a record.

    Raises:
        ValueError: It is not a record.
        TypeError: It is a record of another version.
    """
    from jackfield.plugin import exact_numbers, read_json  # as above

    values = [_from_json(value) for value in exact_numbers(read_json(data, halves=True), data)]
    if not values or not isinstance(values[-1], Replay):
        msg = "this is not a record of an answer"
        raise ValueError(msg)
    return Record(tuple(values[:-1]), values[-1])


def _to_json(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):  # JSON has no others
        return value
    if _CLASSES.get(type(value).__name__) is type(value):
        fields = ((f.name, getattr(value, f.name), f.default) for f in attrs.fields(type(value)))
        given = {name: _field_to_json(name, one) for name, one, default in fields if one is not default}
        return {_MARK: type(value).__name__, **given}
    if isinstance(value, Mapping):
        if _MARK in value or not all(isinstance(key, str) for key in value):
            return {_MARK: "mapping", "items": [[_to_json(k), _to_json(v)] for k, v in value.items()]}
        return {key: _to_json(one) for key, one in value.items()}
    if isinstance(value, tuple):
        return {_MARK: "tuple", "items": [_to_json(one) for one in value]}
    if isinstance(value, list):
        return [_to_json(one) for one in value]
    if isinstance(value, Decimal):
        return {_MARK: "decimal", "text": str(value)}
    if isinstance(value, bytes):
        return {_MARK: "bytes", "base64": base64.b64encode(value).decode()}
    msg = f"a {type(value).__name__} cannot be recorded"
    raise TypeError(msg)


def _field_to_json(name: str, value: Any) -> Any:
    if name == "vector":
        numbers: Iterable[float] = value.tolist() if hasattr(value, "tolist") else value
        return {_MARK: "vector", "base64": base64.b64encode(array("f", numbers).tobytes()).decode()}
    return _to_json(value)


def _from_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_json(one) for one in value]
    if not isinstance(value, dict):
        return value
    kind = value.pop(_MARK, None)
    if kind is None:
        return {key: _from_json(one) for key, one in value.items()}
    if kind in _CLASSES:
        return _CLASSES[kind](**{name: _from_json(one) for name, one in value.items()})
    return _READERS[kind](value)


def _read_vector(text: str) -> Any:
    from jackfield.plugin import vector_reader  # it loads the JSON parser, so late

    return vector_reader()(text)


_READERS: Final[dict[str, Callable[[dict[str, Any]], Any]]] = {
    "mapping": lambda value: {_from_json(key): _from_json(one) for key, one in value["items"]},
    "tuple": lambda value: tuple(_from_json(one) for one in value["items"]),
    "decimal": lambda value: Decimal(value["text"]),
    "bytes": lambda value: base64.b64decode(value["base64"]),
    "vector": lambda value: _read_vector(value["base64"]),
}
