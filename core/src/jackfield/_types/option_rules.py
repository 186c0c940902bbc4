"""How a class declares options: a value that may be unset, and beside it what callers must write."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias, TypeVar

from jackfield._faces import show_in
from jackfield._values import field, noted_metadata

__all__ = [
    "UNSET",
    "UNSUPPORTED",
    "Maybe",
    "OptionRule",
    "Unset",
    "UnsupportedPolicy",
    "extra_option",
    "option",
    "option_rules",
    "unsupported_option",
]


class Unset(enum.Enum):
    """The type of `UNSET`."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> bool:
        # `if option:` would drop 0, False, "" and []; make the mistake loud.
        msg = "UNSET has no truth value; compare with `is UNSET`"
        raise TypeError(msg)


UNSET: Final = Unset.UNSET
"""Not given. 0, False, "" and [] are given."""

UnsupportedPolicy: TypeAlias = Literal["error", "drop"]

T = TypeVar("T")

Maybe: TypeAlias = T | Unset
"""A value, or `UNSET`: it was not given."""


class OptionRule:
    """What an option must be as a caller writes it, as far as no model need be known. It stands beside the field.

    Attributes:
        words: For messages: "a whole number".
        types: The types that it may have; a bool is not a number.
        minimum: The least number, where every service would refuse less. Configurations are held to it. Calls are where
            it is a count; other numbers of theirs are left to the model's own rules, which may drop them.
        choices: The only words.
        keywords: Words that have a meaning of their own, where others are possible.
        normalise: Makes what requests hold of it; what it raises says what is wrong.
    """

    __slots__ = ("choices", "keywords", "minimum", "normalise", "types", "words")

    def __init__(
        self,
        *,
        words: str,
        types: tuple[type, ...],
        minimum: int | None = None,
        choices: tuple[str, ...] = (),
        keywords: tuple[str, ...] = (),
        normalise: Callable[[Any], object] | None = None,
    ) -> None:
        self.words = words
        self.types = types
        self.minimum = minimum
        self.choices = choices
        self.keywords = keywords
        self.normalise = normalise


def option(
    words: str,
    *types: type,
    default: Any = UNSET,
    minimum: int | None = None,
    choices: tuple[str, ...] = (),
    keywords: tuple[str, ...] = (),
    normalise: Callable[[Any], object] | None = None,
    factory: Callable[[], Any] | None = None,
) -> Any:
    """Make a field that is an option; arguments but `default` and `factory` are those of its `OptionRule`."""
    rule = OptionRule(
        words=words, types=types, minimum=minimum, choices=choices, keywords=keywords, normalise=normalise
    )
    if factory is not None:
        return field(factory=factory, metadata={OptionRule: rule})
    return field(default=default, metadata={OptionRule: rule})


def option_rules(cls: type) -> Mapping[str, OptionRule]:
    """Return the rules of a class's options by name."""
    return {
        name: metadata[OptionRule] for name, metadata in noted_metadata(cls).items() if OptionRule in metadata
    }


UNSUPPORTED: Final = ("error", "drop")


def extra_option() -> Any:
    """Make the field `extra`."""
    return option("a mapping of provider id to a mapping", Mapping, factory=dict)


def unsupported_option() -> Any:
    """Make the field `unsupported`."""
    return option('"error" or "drop"', str, default="error", choices=UNSUPPORTED)


show_in("jackfield.plugin", Unset)
