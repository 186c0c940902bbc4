"""What a client asked for, as a call of a mesh, and what of it could not be taken over."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal, TypeAlias

import attrs

from jackfield import ParameterNote

__all__ = ["Asked", "AskedKind", "OwnField"]

AskedKind: TypeAlias = Literal["chat", "completion", "embedding", "rerank", "count", "models"]
"""The kind of call that a request asks for."""


@attrs.frozen
class OwnField:
    """A field that only one family of providers understands; it travels in the option `extra`.

    Attributes:
        name: Its place in the client's request.
        family: The id under which it is in `extra`, or of the providers that take a raw part.
        changes: The answer may be another one without it.
        value: What the client wrote.
    """

    name: str
    family: str
    changes: bool = True
    value: Any = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class Asked:
    """A client's request, read.

    Attributes:
        surface: The surface's name.
        kind: The kind of call: that of `Mesh.chat`, `complete`, `embed`, `rerank`, `count_tokens` or `models`.
        target: What the client wrote as the model; "" if all models are listed.
        arguments: What stands between the target and the options of the call: `(messages,)`, `(prompt,)`, `(inputs,)` or
            `(query, documents)`.
        options: The options of the call.
        stream: The client wants a stream.
        notes: What was changed, left out or emulated while reading.
        own: Fields that only one family of providers understands.
        context: What encoders need to know of the request.
    """

    surface: str
    kind: AskedKind
    target: str
    arguments: tuple[Any, ...] = ()
    options: Mapping[str, Any] = attrs.field(factory=dict)
    stream: bool = False
    notes: tuple[ParameterNote, ...] = ()
    own: tuple[OwnField, ...] = ()
    context: Mapping[str, Any] = attrs.field(factory=dict, repr=False)

    def left_out(self, providers: Collection[str]) -> tuple[OwnField, ...]:
        """Return the fields that a provider does not get.

        Args:
            providers: The provider's id and those it is related to.
        """
        return tuple(field for field in self.own if field.family not in providers)

    def report(self, providers: Collection[str]) -> tuple[ParameterNote, ...]:
        """Return what became of the request before the call: the notes, and the fields that the provider does not get.

        Args:
            providers: The provider's id and those it is related to.
        """
        dropped = (
            ParameterNote(
                field.name,
                "dropped",
                None,
                field.value,
                f"only providers of the family {field.family} have it",
            )
            for field in self.left_out(providers)
        )
        return (*self.notes, *dropped)
