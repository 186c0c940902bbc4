"""What became of a caller's options on the way to the wire."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

from jackfield._faces import show_in
from jackfield._values import Value, field, frozen

from .wire import Wire

__all__ = ["Fate", "ParameterNote", "ParameterReport", "Translation"]

Fate: TypeAlias = Literal["sent", "renamed", "defaulted", "clamped", "dropped", "emulated", "refused"]


@frozen(slots=False)  # one an option: without slots it is made in half the time
class ParameterNote(Value):
    """What became of one parameter.

    Attributes:
        name: Our name of it (`max_tokens`), or a place in the input (`messages[2]`, `thinking`).
        fate: sent, renamed, defaulted, clamped, dropped, emulated or refused.
        wire: Its name on the wire, a dotted path; None if it was not sent.
        value: The value that was sent, or that was not.
        why: The reason, for all fates but sent and renamed.
    """

    name: str
    fate: Fate
    wire: str | None = None
    value: Any = field(default=None, repr=False)
    why: str | None = None


@frozen
class ParameterReport(Value):
    """What became of every parameter of one attempt, in order."""

    notes: tuple[ParameterNote, ...] = ()

    def __iter__(self) -> Iterator[ParameterNote]:
        return iter(self.notes)

    def __len__(self) -> int:
        return len(self.notes)

    def __getitem__(self, name: str) -> ParameterNote:
        for note in self.notes:
            if note.name == name:
                return note
        raise KeyError(name)

    def changed(self) -> tuple[ParameterNote, ...]:
        """Return the notes that a caller should look at: all but sent and renamed."""
        return tuple(note for note in self.notes if note.fate not in {"sent", "renamed"})


@frozen
class Translation(Value):
    """What `jackfield_translate` returns: exactly one wire and the report."""

    wire: Wire
    report: ParameterReport = field(factory=ParameterReport)


show_in("jackfield", ParameterNote, ParameterReport)
show_in("jackfield.plugin", Translation)
