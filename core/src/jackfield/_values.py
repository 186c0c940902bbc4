"""A fast path to attrs classes: what attrs writes for a class is written when it is first needed.

attrs writes and compiles an `__init__` for each class when it is declared, and makes an object of each field. There are nearly
a hundred classes, and this was a quarter of the CPU of a program that asks one question; such a program makes instances of a
third of them, and looks at the fields of a few. So these declarations only note the fields. `__init__` is compiled for the first
instance; attrs itself makes the fields when `attrs.fields` is asked for them, which `attrs.evolve`, equality, hash and repr do.

To type checkers, the declarations are those of attrs. They take `kw_only` and `slots`, and fields take `default`, `factory`,
`converter`, `init`, `eq`, `repr` and `metadata`. What else attrs can do (validators, cached properties in slots), they cannot.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import attrs

__all__ = [
    "Declared",
    "Record",
    "Value",
    "define",
    "evolve",
    "field",
    "field_names",
    "frozen",
    "noted_metadata",
    "resolve_types",
]

if TYPE_CHECKING:
    from attrs import define, evolve, field, frozen
else:

    def frozen(cls: type | None = None, /, *, kw_only: bool = False, slots: bool = True) -> Any:
        """Declare a class whose instances do not change; see `attrs.frozen`."""
        return _decorate(cls, True, kw_only, slots)

    def define(cls: type | None = None, /, *, kw_only: bool = False, slots: bool = True) -> Any:
        """Declare a class; see `attrs.define`."""
        return _decorate(cls, False, kw_only, slots)

    def field(
        *,
        default: Any = attrs.NOTHING,
        factory: Callable[[], Any] | None = None,
        converter: Callable[[Any], Any] | None = None,
        **others: Any,
    ) -> Any:
        """Declare a field; see `attrs.field`."""
        return _Field(default, factory, converter, others)

    def evolve(one: Any, /, **changes: Any) -> Any:
        """Return a copy of an instance of a class that is declared here, with changes; see `attrs.evolve`."""
        same = ((name, name.lstrip("_")) for name, noted, _ in _fields_of(one.__class__) if noted.is_argument)
        return one.__class__(
            **{alias: getattr(one, name) for name, alias in same if alias not in changes}, **changes
        )


class _Field:
    """A field as it is declared."""

    __slots__ = ("converter", "default", "factory", "others")

    def __init__(
        self,
        default: Any = attrs.NOTHING,
        factory: Callable[[], Any] | None = None,
        converter: Callable[[Any], Any] | None = None,
        others: dict[str, Any] | None = None,
    ) -> None:
        self.default = default
        self.factory = factory
        self.converter = converter
        self.others = others or {}

    @property
    def is_optional(self) -> bool:
        return self.factory is not None or self.default is not attrs.NOTHING

    @property
    def is_argument(self) -> bool:
        return self.others.get("init", True) is not False

    def of_attrs(self) -> Any:
        """Return the same field for attrs."""
        made = {"default": self.default} if self.factory is None else {"factory": self.factory}
        return attrs.field(**made, converter=self.converter, **self.others)


class _Declaration:
    """What is noted of a class: its own fields by name, how it is declared, and where names in its types are looked up."""

    __slots__ = ("fields", "frozen", "kw_only", "names", "slots")

    def __init__(self, fields: dict[str, _Field], frozen: bool, kw_only: bool, slots: bool) -> None:
        self.fields = fields
        self.frozen = frozen
        self.kw_only = kw_only
        self.slots = slots
        self.names: dict[str, Any] | None = None


class _AttrsFields:
    """The attribute in which attrs keeps the fields of a class: made when it is read."""

    def __get__(self, instance: object, owner: type) -> Any:
        cls = next(base for base in owner.__mro__ if base.__dict__.get("__attrs_attrs__") is self)
        declared: _Declaration = cls.__dict__["_declaration"]
        members: dict[str, Any] = {name: one.of_attrs() for name, one in declared.fields.items()}
        members["__annotations__"] = inspect.get_annotations(cls)
        twin = type(cls)(cls.__name__, cls.__bases__, members)
        twin = attrs.define(
            twin, frozen=declared.frozen, kw_only=declared.kw_only, slots=False, eq=False, repr=False
        )
        if declared.names is not None:
            attrs.resolve_types(twin, declared.names)
        fields = attrs.fields(twin)
        cls.__attrs_attrs__ = fields  # type: ignore[attr-defined]  # where attrs looks for them
        return fields


class _Signature:
    """The signature of a class, for `help` and for editors that ask a running program."""

    def __get__(self, instance: object, owner: type) -> inspect.Signature:
        for cls in owner.__mro__:
            if cls.__dict__.get("__init__") is _init_first:
                _write_init(cls)
        signature = inspect.signature(owner.__init__)  # type: ignore[misc]  # of the class, as is meant
        return signature.replace(parameters=list(signature.parameters.values())[1:])


@attrs.frozen(weakref_slot=False)
class _Frozen:
    """Lends its methods to frozen classes: attrs knows by them that a base class is frozen."""


_OF_ATTRS: Final = type(attrs.field())
_ATTRS_FIELDS: Final = _AttrsFields()
_SIGNATURE: Final = _Signature()
_UNCHANGEABLE: Final = {name: getattr(_Frozen, name) for name in ("__setattr__", "__delattr__")}


def _decorate(cls: type | None, frozen: bool, kw_only: bool, slots: bool) -> Any:
    if cls is None:
        return lambda cls: _declare(cls, frozen, kw_only, slots)
    return _declare(cls, frozen, kw_only, slots)


def _declare(cls: type, frozen: bool, kw_only: bool, slots: bool) -> type:
    """Return a class anew, with its fields noted, and in slots if they shall be there."""
    if any(isinstance(value, _OF_ATTRS) for value in cls.__dict__.values()):
        raise TypeError(f"{cls.__qualname__} has a field of attrs; write `field` of {__name__}")
    own = {
        name: value if isinstance(value := cls.__dict__.get(name, attrs.NOTHING), _Field) else _Field(value)
        for name, kind in inspect.get_annotations(cls).items()
        if not str(kind).startswith("ClassVar")
    }
    members: dict[str, Any] = {
        name: value for name, value in cls.__dict__.items() if name not in own and name not in _PLACES
    }
    members["__qualname__"] = cls.__qualname__
    members["_declaration"] = _Declaration(own, frozen, kw_only, slots)
    members["__attrs_attrs__"] = _ATTRS_FIELDS
    members["__signature__"] = _SIGNATURE
    members["__init__"] = _init_first
    if frozen:
        members |= _UNCHANGEABLE
    if slots:
        has_references = any("__weakref__" in base.__dict__ for base in cls.__mro__[1:])
        members["__slots__"] = tuple(own) if has_references else (*own, "__weakref__")
    made: type = type(cls)(cls.__name__, cls.__bases__, members)
    plain = tuple(name for name, one, kw_only in _fields_of(made) if not kw_only and one.is_argument)
    made.__match_args__ = plain  # type: ignore[attr-defined, misc]  # for `match`
    return made


_PLACES: Final = ("__dict__", "__weakref__")


def resolve_types(cls: type, names: dict[str, Any]) -> None:
    """Let the fields of a class have their types, and not the texts of these, as `attrs.resolve_types` does.

    Args:
        cls: The class.
        names: `globals()` of its module: the one that it is shown in may not know them.
    """
    declared: _Declaration = cls.__dict__["_declaration"]
    declared.names = names


def field_names(cls: type) -> tuple[str, ...]:
    """Return the names of the fields of a class, without having them made."""
    return tuple(name for name, _, _ in _fields_of(cls))


def noted_metadata(cls: type) -> dict[str, Mapping[Any, Any]]:
    """Return the metadata of the fields of a class, by name, without having them made."""
    return {name: one.others.get("metadata", {}) for name, one, _ in _fields_of(cls)}


def _fields_of(cls: type) -> Iterator[tuple[str, _Field, bool]]:
    """Yield the name of each field of a class, the field, and whether it is given by name alone; bases first."""
    for base in reversed(cls.__mro__):
        declared = base.__dict__.get("_declaration")
        if declared is not None:
            for name, one in declared.fields.items():
                yield name, one, declared.kw_only


def _init_first(self: Any, *args: Any, **kwargs: Any) -> None:
    """Write the class's own `__init__`, and call it."""
    cls = next(base for base in type(self).__mro__ if base.__dict__.get("__init__") is _init_first)
    _write_init(cls)
    cls.__init__(self, *args, **kwargs)  # type: ignore[misc]  # of the class: a subclass may have another


def _write_init(cls: type) -> None:
    """Write the `__init__` that attrs would write."""
    declared: _Declaration = cls.__dict__["_declaration"]
    scope: dict[str, Any] = {"NOTHING": attrs.NOTHING, "setter_of": object.__setattr__.__get__}
    plain: list[str] = []
    named: list[str] = []
    lines: list[str] = []
    for name, one, kw_only in _fields_of(cls):
        argument = value = name.lstrip("_")
        if one.factory is not None:
            make = "{}" if one.factory is dict else f"make_{name}()"
            value = f"{make} if {argument} is NOTHING else {argument}" if one.is_argument else make
            scope[f"make_{name}"] = one.factory
        elif not one.is_argument:
            value = f"default_{name}"
        if one.converter is not None:
            value = f"convert_{name}({value})"
            scope[f"convert_{name}"] = one.converter
        scope[f"default_{name}"] = one.default
        if one.is_argument:
            arguments = named if kw_only else plain
            arguments.append(f"{argument}=default_{name}" if one.is_optional else argument)
        lines.append(_write_line(name, value, declared))
    begin = ""
    if declared.frozen and lines:
        begin = "put = setter_of(self)" if declared.slots else "own = self.__dict__"
    end = "self.__attrs_post_init__()" if hasattr(cls, "__attrs_post_init__") else ""
    body = "\n  ".join(filter(None, (begin, *lines, end))) or "pass"
    signature = ", ".join(["self", *plain, *(("*", *named) if named else ())])
    where = f"<{cls.__module__}.{cls.__qualname__}.__init__>"
    exec(compile(f"def __init__({signature}):\n  {body}", where, "exec"), scope)  # noqa: S102 -- as attrs does
    init = scope["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__module__ = cls.__module__
    init.__annotations__ = _annotations_of_init(cls)
    cls.__init__ = init  # type: ignore[misc]


def _annotations_of_init(cls: type) -> dict[str, Any]:
    """Return the types of the arguments, for documentation: of one that is converted, what the converter takes."""
    kinds = {
        name: kind for base in reversed(cls.__mro__) for name, kind in inspect.get_annotations(base).items()
    }
    found: dict[str, Any] = {"return": None}
    for name, one, _ in _fields_of(cls):
        taken = (
            None
            if one.converter is None
            else next(iter(inspect.get_annotations(one.converter).values()), None)
        )
        found[name.lstrip("_")] = kinds[name] if taken is None else taken
    return found


def _write_line(name: str, value: str, declared: _Declaration) -> str:
    if not declared.frozen:
        return f"self.{name} = {value}"
    return f"put({name!r}, {value})" if declared.slots else f"own[{name!r}] = {value}"


class Declared:
    """A class that is declared here."""

    __slots__ = ()

    def __repr__(self) -> str:
        cls: Any = self.__class__
        fields = ", ".join(
            f"{name}={write(getattr(self, name, attrs.NOTHING))}" for name, write in _shown(cls)
        )
        return f"{cls.__qualname__.rsplit('>.', 1)[-1]}({fields})"

    def __replace__(self, /, **changes: Any) -> Any:
        declared: Any = self
        return evolve(declared, **changes)

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in field_names(type(self))}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)


class Record(Declared):
    """A class whose instances are equal if their fields are. No instance has a hash."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]  # as attrs would have it

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        cls: Any = self.__class__
        compared = _compared(cls)
        return bool(compared(self) == compared(other))


class Value(Record):
    """A frozen class whose instances are equal, and have one hash, if their fields are."""

    __slots__ = ()

    def __hash__(self) -> int:  # type: ignore[override]
        cls: Any = self.__class__
        return hash((cls, _compared(cls)(self)))


@cache
def _compared(cls: Any) -> Callable[[object], object]:
    names = [field.name for field in attrs.fields(cls) if field.eq]
    return attrgetter(*names) if names else lambda _: ()


@cache
def _shown(cls: Any) -> tuple[tuple[str, Callable[[object], str]], ...]:
    return tuple(
        (field.name, field.repr if callable(field.repr) else repr)
        for field in attrs.fields(cls)
        if field.repr
    )
