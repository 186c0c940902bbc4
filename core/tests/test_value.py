"""Values compare, hash and show themselves as attrs would have written it."""

import attrs
import pytest

from jackfield._values import Record, Value


@attrs.frozen(eq=False, repr=False)
class Ours(Value):
    a: int
    b: object = attrs.field(default=2, eq=False)
    c: str = attrs.field(default="key", repr=False)
    d: str = attrs.field(default="long", repr=lambda text: text[:1])


@attrs.frozen
class Theirs:
    a: int
    b: object = attrs.field(default=2, eq=False)
    c: str = attrs.field(default="key", repr=False)
    d: str = attrs.field(default="long", repr=lambda text: text[:1])


@attrs.define(eq=False, repr=False)
class Changes(Record):
    a: int = 1


@attrs.frozen(eq=False, repr=False)
class Empty(Value):
    pass


@attrs.frozen(eq=False, repr=False)
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
