"""Forms that browsers post: read under a limit, with mistakes that stand beside their field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs

from aiohttp import web

__all__ = ["Form", "FormError", "read_form"]

_LONGEST: Final = 1_000_000
_MOST_FIELDS: Final = 2_000


class FormError(Exception):
    """A form that cannot be read at all.

    Attributes:
        status: The status of the answer.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Form:
    """What a browser posted, and what is wrong with it.

    Args:
        values: The values of each field.

    Attributes:
        errors: What is wrong, by field; "" is for the form as a whole.
    """

    def __init__(self, values: Mapping[str, Sequence[str]] = {}) -> None:
        self._values = values
        self.errors: dict[str, str] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __iter__(self) -> object:
        return iter(self._values)

    def text(self, name: str, default: str = "") -> str:
        """Return the last value of a field, without spaces at its ends."""
        values = self._values.get(name)
        return values[-1].strip() if values else default

    def raw(self, name: str) -> str:
        """Return the last value of a field as it came: for passwords."""
        values = self._values.get(name)
        return values[-1] if values else ""

    def many(self, name: str) -> list[str]:
        """Return all values of a field that are not empty."""
        return [value.strip() for value in self._values.get(name, ()) if value.strip()]

    def flag(self, name: str) -> bool:
        """Return whether a box is ticked."""
        return bool(self.text(name))

    def names(self) -> list[str]:
        """Return the names of all fields, in the order in which they came."""
        return list(self._values)

    def refuse(self, name: str, why: str) -> None:
        """Note what is wrong with a field; the first mistake of a field stays."""
        self.errors.setdefault(name, why)


async def read_form(request: web.Request) -> Form:
    """Read a posted form.

    Raises:
        FormError: It is not one, or longer than a form is.
    """
    if request.content_type != "application/x-www-form-urlencoded":
        raise FormError("a form is expected, as browsers send it", 415)
    if request.headers.get("content-encoding", "identity") != "identity":
        raise FormError("compressed forms are not accepted", 415)
    body = bytearray()
    async for piece in request.content.iter_any():
        body += piece
        if len(body) > _LONGEST:
            raise FormError(f"the form is longer than {_LONGEST} bytes", 413)
    try:
        return Form(parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError as error:
        raise FormError("the form is not valid") from error
