"""Who a call is made for: its owner and its labels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from jackfield._hints import a_or_an
from jackfield._types.calls import NO_LABELS
from jackfield._types.errors import ConfigurationError

__all__ = ["is_owner", "take_owner"]

_LONGEST_OWNER: Final = 500
_LONGEST_VALUE: Final = 200


def is_owner(text: str) -> bool:
    """Return whether a text is the path of an owner, such as "org/team/app"."""
    return len(text) <= _LONGEST_OWNER and re.match(r"[\w.@-]+(/[\w.@-]+)*\Z", text) is not None


def take_owner(given: dict[str, Any], default: str) -> tuple[str, Mapping[str, str]]:
    """Take `owner` and `labels` out of a call's options.

    Args:
        given: The options.
        default: The owner of a call that names none.

    Raises:
        ConfigurationError: One is not valid.
    """
    owner, labels = given.pop("owner", default), given.pop("labels", NO_LABELS)
    if not isinstance(owner, str) or (owner and not is_owner(owner)):
        raise ConfigurationError(f'owner must be a path such as "org/team/app", got {owner!r}')
    if not isinstance(labels, Mapping):
        raise ConfigurationError(
            f"labels must be a mapping of names to texts, got {a_or_an(type(labels).__name__)}"
        )
    for name, value in labels.items():
        if not isinstance(name, str) or re.match(r"[\w.-]{1,60}\Z", name) is None:
            raise ConfigurationError(f"the name of a label must be letters, digits, and . _ -, got {name!r}")
        if not isinstance(value, str) or len(value) > _LONGEST_VALUE or not value.isprintable():
            raise ConfigurationError(
                f"label {name} must be a printable text of {_LONGEST_VALUE} characters at most, got {value!r}"
            )
    return owner, dict(labels) if labels else NO_LABELS
