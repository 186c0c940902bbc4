"""Values are what attrs would have made of the same declarations."""

import copy
import importlib
import inspect
import pickle
import pkgutil
from collections.abc import Iterator

import attrs
import pytest
from attrs.exceptions import FrozenInstanceError

import jackfield
from jackfield import _values
from jackfield._values import Declared, Record, Value, define, evolve, field, frozen

for _module in pkgutil.walk_packages(jackfield.__path__, "jackfield."):
    if _module.name.split(".")[1] not in {"__main__", "cli", "testing"}:
        importlib.import_module(_module.name)  # so that every class is there that the core declares


@frozen
class Ours(Value):
    a: int
    b: object = field(default=2, eq=False)
    c: str = field(default="key", repr=False)
    d: str = field(default="long", repr=lambda text: text[:1])


@attrs.frozen
class Theirs:
    a: int
    b: object = attrs.field(default=2, eq=False)
    c: str = attrs.field(default="key", repr=False)
    d: str = attrs.field(default="long", repr=lambda text: text[:1])


@define
class Changes(Record):
    a: int = 1


@frozen
class Empty(Value):
    pass


@frozen
class More(Ours):
    pass


PAIRS = [
    ((1,), (1,)),
    ((1,), (2,)),
    ((1, 5), (1, 6)),
    ((1, 5, "x"), (1, 5, "y")),
]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_equality_and_hash_are_those_of_attrs(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    assert (Ours(*one) == Ours(*other)) is (Theirs(*one) == Theirs(*other))
    if Ours(*one) == Ours(*other):
        assert hash(Ours(*one)) == hash(Ours(*other))


def test_what_is_shown_is_what_attrs_shows() -> None:
    assert repr(Ours(1, Ours(2))) == repr(Theirs(1, Theirs(2))).replace("Theirs", "Ours")


def test_no_other_class_is_equal() -> None:
    assert Ours(1) != More(1)
    assert Ours(1) != Theirs(1)
    assert Empty() == Empty()
    assert Empty() != Ours(1)


def test_what_can_change_has_no_hash() -> None:
    assert Changes() == Changes()
    assert Changes(2) != Changes()
    with pytest.raises(TypeError, match="unhashable"):
        hash(Changes())


# Every declared class beside what attrs makes of it


def declared_classes(above: type = Declared) -> Iterator[type]:
    for cls in above.__subclasses__():
        if "_declaration" in cls.__dict__ and cls.__module__.startswith("jackfield"):
            yield cls
        yield from declared_classes(cls)


def made_by_attrs(cls: type) -> type:
    """Return what attrs makes of the same declaration."""
    declared = cls.__dict__["_declaration"]
    members = {name: one.of_attrs() for name, one in declared.fields.items()}
    members["__annotations__"] = inspect.get_annotations(cls)
    members |= {name: value for name, value in vars(cls).items() if name == "__attrs_post_init__"}
    twin = type(cls)(cls.__name__, cls.__bases__, members)
    how = {"frozen": declared.frozen, "kw_only": declared.kw_only, "slots": declared.slots}
    twin = attrs.define(twin, eq=False, repr=False, **how)
    return twin if declared.names is None else attrs.resolve_types(twin, declared.names)


CLASSES = sorted(set(declared_classes()), key=lambda cls: (cls.__module__, cls.__qualname__))


def arguments_of(cls: type) -> dict[str, object]:
    """Return an argument for each that has no default."""
    text: object = "text"
    wanted = inspect.signature(cls.__init__).parameters
    return {name: text for name, one in wanted.items() if one.default is one.empty and name != "self"}


def test_there_are_many() -> None:
    assert len(CLASSES) > 90


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__qualname__)
def test_a_class_takes_the_arguments_that_attrs_would_let_it_take(cls: type) -> None:
    ours, theirs = inspect.signature(cls), inspect.signature(made_by_attrs(cls))
    assert list(ours.parameters) == list(theirs.parameters)
    for name, one in ours.parameters.items():
        assert one == theirs.parameters[name]
    assert cls.__match_args__ == made_by_attrs(cls).__match_args__


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__qualname__)
def test_an_instance_holds_what_attrs_would_put_into_it(cls: type) -> None:
    twin = made_by_attrs(cls)
    given = arguments_of(twin)
    try:
        theirs = twin(**given)
    except (TypeError, ValueError, AttributeError) as error:  # a rule of the class's own
        with pytest.raises(type(error)):
            cls(**given)
        return
    ours = cls(**given)
    for one in attrs.fields(cls):
        found, wanted = getattr(ours, one.name), getattr(theirs, one.name)
        assert found == wanted or type(found) is type(wanted), one.name


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__qualname__)
def test_the_fields_are_those_of_attrs(cls: type) -> None:
    assert attrs.has(cls)
    ours, theirs = attrs.fields(cls), attrs.fields(made_by_attrs(cls))
    assert [repr(one) for one in ours] == [repr(one) for one in theirs]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__qualname__)
def test_no_method_names_the_class_that_it_was_declared_in(cls: type) -> None:
    """Declarations are made anew, so `super()` and `__class__` would mean another class."""
    functions = [value for value in vars(cls).values() if inspect.isfunction(value)]
    assert [one.__name__ for one in functions if "__class__" in one.__code__.co_freevars] == []


@frozen
class Plain(Value):
    a: int
    _hidden: int = 1
    c: dict[str, int] = field(factory=dict)
    d: str = field(default="1", converter=str)


@frozen(slots=False)
class WithDict(Value):
    a: int
    seen: list[int] = field(factory=list)
    kept: dict[str, int] = field(factory=dict, init=False, eq=False)
    number: int = field(default=3, init=False)

    def __attrs_post_init__(self) -> None:
        self.seen.append(self.a)


@define(kw_only=True)
class Above(Record):
    a: int = 0


@define(kw_only=True)
class Below(Above):
    b: int


class Undeclared(Plain):
    def __init__(self) -> None:
        super().__init__(7)


def test_an_instance_is_made_before_and_after_its_class_has_its_own_init() -> None:
    @frozen
    class Late(Value):
        a: int
        b: int = 2

    assert Late.__init__ is _values._init_first
    assert (Late(1), Late(1, b=2)) == (Late(a=1, b=2), Late(1))
    assert Late.__init__ is not _values._init_first
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'a'"):
        Late()


def test_fields_of_bases_come_first_whichever_class_was_used_first() -> None:
    assert Above(a=1).a == 1
    assert Below(b=2) == Below(a=0, b=2)
    assert [one.name for one in attrs.fields(Below)] == ["a", "b"]
    assert [one.name for one in attrs.fields(Above)] == ["a"]


def test_a_subclass_that_is_not_declared_has_the_fields_of_its_base() -> None:
    assert Undeclared().a == 7
    assert attrs.fields(Undeclared) == attrs.fields(Plain)


def test_a_class_of_attrs_may_inherit() -> None:
    @attrs.frozen
    class OfAttrs(Plain):
        e: int = 5

    assert attrs.asdict(OfAttrs(1, 2)) == {"a": 1, "_hidden": 2, "c": {}, "d": "1", "e": 5}
    with pytest.raises(FrozenInstanceError):
        OfAttrs(1).e = 6  # type: ignore[misc]


def test_attrs_knows_that_a_base_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        attrs.define(type("OfAttrs", (Plain,), {"__annotations__": {}}))(1).a = 2


def test_what_is_frozen_does_not_change() -> None:
    for one in (Plain(1), WithDict(1)):
        with pytest.raises(FrozenInstanceError):
            one.a = 2  # type: ignore[misc]
        with pytest.raises(FrozenInstanceError):
            del one.a


def test_arguments_have_no_underscores_and_are_converted() -> None:
    one = Plain(1, hidden=3, d=5)
    assert (one._hidden, one.c, one.d) == (3, {}, "5")
    assert Plain(1).c is not Plain(1).c


def test_what_is_no_argument_has_its_default() -> None:
    one = evolve(WithDict(1), a=2)
    assert (one.kept, one.number, WithDict.__match_args__) == ({}, 3, ("a", "seen"))
    with pytest.raises(TypeError, match="unexpected keyword argument 'number'"):
        WithDict(1, number=4)


def test_a_field_of_attrs_is_no_default() -> None:
    with pytest.raises(TypeError, match="Mixed has a field of attrs; write `field` of jackfield._values"):

        @frozen
        class Mixed(Value):
            a: int = attrs.field(default=1)


def test_copies() -> None:
    one = Plain(1, 2, {"k": 3})
    assert attrs.evolve(one, a=5, hidden=6) == evolve(one, a=5, hidden=6) == one.__replace__(a=5, hidden=6)
    for same in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert same == one
    assert pickle.loads(pickle.dumps(WithDict(1))) == WithDict(1)


def test_a_match_takes_apart_what_has_positions() -> None:
    match Plain(1, 2):
        case Plain(a, hidden):
            assert (a, hidden) == (1, 2)
        case _:
            pytest.fail("it is one")
