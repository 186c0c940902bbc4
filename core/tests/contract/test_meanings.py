"""What a docstring says of fields."""

from jackfield.plugin import attribute_meanings


class Base:
    """Something.

    Attributes:
        host: Where it is.
    """


class Settings(Base):
    """Settings.

    Attributes:
        key: A reference to the key, which is
            sent nowhere else.
        size: `a: b` is written so.

    Raises:
        ValueError: No field of the class.
    """


def test_meanings_are_read_on_one_line_with_those_of_base_classes():
    assert attribute_meanings(Settings) == {
        "host": "Where it is.",
        "key": "A reference to the key, which is sent nowhere else.",
        "size": "`a: b` is written so.",
    }


def test_a_class_without_words_has_no_meanings():
    assert attribute_meanings(type("Plain", (), {})) == {}
