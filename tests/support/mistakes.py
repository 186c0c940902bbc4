"""Configurations with mistakes, for the tests of every package: all that is wrong is told at once, before any I/O."""

import attrs
import pytest

from jackfield import ConfigurationError, Mesh

__all__ = ["every_type_is_told", "mistakes_of", "told_alone_and_together"]

NOTHING_TAKES_IT = [1.5]
"""A value that no key takes: no string, no number, no table, and no list of strings."""

READ_BY_THE_CORE = ("credentials", "models", "headers", "timeout")
"""Fields of settings classes for which the core reads the keys."""


def mistakes_of(config):
    """Load a configuration that is wrong; gives what is said of it."""
    with pytest.raises(ConfigurationError) as caught:
        Mesh.from_config(config)
    assert caught.value.mistakes
    return caught.value.message


def every_type_is_told(cls, config, table, where, *, but=()):
    """Write a value of a wrong type, and a misspelling, for every key of a settings class; each is told, with its place.

    Args:
        cls: The settings class.
        config: The configuration.
        table: The table in it that is filled.
        where: How the table's place is written.
        but: Keys that take anything.
    """
    keys = [field.alias for field in attrs.fields(cls) if field.alias not in (*but, *READ_BY_THE_CORE)]
    table.update(dict.fromkeys(keys, NOTHING_TAKES_IT))
    table.update({f"{key}x": 1 for key in keys})
    said = mistakes_of(config)
    for key in keys:
        assert f"{where}.{key}: must " in said or f"{where}.{key}[0]: must " in said, key
        assert f"{where}.{key}x: unknown key; did you mean {key!r}?" in said, key


def told_alone_and_together(make, table):
    """Write values of a wrong form; each is told alone, and all of them together.

    Args:
        make: Gives a configuration in which a connection, or a table, has the values that it is given.
        table: Values and the words of what is told, a pair each.
    """
    for values, words in table:
        assert words in mistakes_of(make(values))
    together = {}
    for values, _ in table:
        together.update({key: value for key, value in values.items() if key not in together})
    said = mistakes_of(make(together))
    for values, words in table:
        if values.items() <= together.items():
            assert words in said
