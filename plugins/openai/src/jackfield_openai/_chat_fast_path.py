"""A fast path for the two most frequent shapes: an event with one piece of text, and a whole answer of one text.

`_chat_decoder` reads every shape; a property test compares its results with these.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any, Final, TypeAlias

import orjson

from jackfield import Finish, Started, TextDelta, UsageUpdate

from ._answer_fields import FINISH_REASONS
from ._dialect import Dialect

__all__ = ["ENVELOPE", "SIMPLE_CHOICE", "SIMPLE_MESSAGE", "PieceReader", "read_simple_answer"]

ENVELOPE: Final = frozenset(
    {"id", "object", "created", "model", "choices", "usage", "service_tier", "system_fingerprint", "obfuscation",
     "error", "citations", "p"}
)  # fmt: skip
"""The keys of an answer or a chunk that are read or ignored."""

_PADDING: Final = ("obfuscation", "p")
"""Text of varying length, which hides the size of a chunk (OpenAI; Mistral)."""

_TEXT: Final = rb'"content":[ ]?("[^"\\]*(?:\\.[^"\\]*)*")'
_PADDED: Final = rb'"(?:obfuscation|p)":[ ]?"([A-Za-z0-9]+)"'
_MOST_LESSONS: Final = 4
"""An answer whose bytes are never the same twice, such as one with two choices, is not learnt in vain for each event."""

SIMPLE_CHOICE: Final = frozenset({"index", "delta", "message", "logprobs", "finish_reason"})
SIMPLE_MESSAGE: Final = frozenset({"role", "content", "refusal"})
"""A message or delta with no other keys has no thinking, calls, citations or audio; most are like that."""

_SIMPLE_ANSWER: Final = ENVELOPE - {"error", "citations"}
_NOT_TEXT: Final = ("refusal", "annotations", "tool_calls", "function_call", "audio")
_KEYS_OF_MESSAGE: Final = SIMPLE_MESSAGE.union(_NOT_TEXT)

SimpleAnswer: TypeAlias = tuple[Started, TextDelta, Finish, UsageUpdate]


class _Shape:
    """The bytes around the text of an event: `before`, the text, `between`, padding, `after`.

    No named tuple: to make one takes as long as ten calls.
    """

    __slots__ = ("after", "before", "between", "choice", "padded")

    def __init__(self, before: bytes, between: bytes, after: bytes, padded: bool, choice: int) -> None:
        self.before = before
        self.between = between
        self.after = after
        self.padded = padded
        self.choice = choice

    def read_block(self, block: bytes) -> list[Any] | None:
        """Return the texts of server-sent events that all have this shape; None if one has not."""
        before, end = self.before, self.after if self.padded else self.between
        if not block.startswith(b"data: "):
            return None
        events = block[6:-2].split(b"\n\ndata: ")
        start, stop = len(before), -len(end)
        inner = [event[start:stop] for event in events if event.startswith(before) and event.endswith(end)]
        if len(inner) != len(events) or b"\n" in b"".join(inner):
            return None
        if self.padded:
            parts = [one.partition(self.between) for one in inner]
            paddings = [padding for _, _, padding in parts]
            if not all(paddings) or not b"".join(paddings).isalnum():
                return None
            inner = [text for text, _, _ in parts]
        # Each must be one whole text: what else there may be, such as another key, is no list of as many texts.
        texts: list[Any] = orjson.loads(b"[%b]" % b",".join(inner))
        return texts if len(texts) == len(inner) else None


class PieceReader:
    """Recognizes events that are one piece of text and nothing else, as nearly all events of a stream are.

    Such an event differs from the last one that was read in full only in its text and its padding. After the first one,
    those whose bytes are the same as well are not even parsed: only the text is.

    Attributes:
        choices: The choices that have begun and are not thinking.
        steady: There was such an event since the last one that was read in full.
        verdicts: The last filter verdicts of each choice.
    """

    __slots__ = (
        "_last",
        "_lessons",
        "_padding",
        "_pick",
        "_picked",
        "_shape",
        "_size",
        "choices",
        "steady",
        "verdicts",
    )

    def __init__(self) -> None:
        self._last: Mapping[str, Any] | None = None
        self._size = -1
        self._padding = ""
        self._pick: Callable[[Any], Any] = len
        self._picked: Any = None
        self._shape: _Shape | None = None
        self._lessons = 0
        self.choices: set[int] = set()
        self.steady = False
        self.verdicts: dict[int, Any] = {}

    def remember(self, event: Mapping[str, Any]) -> None:
        """Remember an event that was read in full."""
        self.steady = False
        self._shape = None
        self._last = event

    def read_same(self, data: Any) -> TextDelta | None:
        """Return the piece of text of an event whose bytes were learnt; None if it must be parsed."""
        shape = self._shape
        if shape is None:
            return None
        before, between, after = shape.before, shape.between, shape.after
        try:
            if data.startswith(before) and data.endswith(after):
                start = len(before)
                end = data.find(between, start)
                padding = data[end + len(between) : len(data) - len(after)]
                if end > 0 and (padding.isalnum() if shape.padded else not padding):
                    # What stands before `between` is the whole text or no JSON: a text has no bare quotation mark.
                    text = orjson.loads(data[start:end])
                    if text.__class__ is str and text:
                        return TextDelta(text, shape.choice)
        except (AttributeError, TypeError, ValueError):
            pass
        return None

    def read_block(self, block: bytes) -> TextDelta | None:
        """Return the text of several server-sent events whose bytes were learnt; None if one must be read by itself."""
        shape = self._shape
        if shape is None:
            return None
        try:
            texts = shape.read_block(block)
            if texts and all(texts):
                return TextDelta("".join(texts), shape.choice)
        except (TypeError, ValueError):
            pass
        return None

    def read(self, event: Any) -> TextDelta | None:
        """Return the piece of text; None if the event must be read in full."""
        try:
            (choice,) = event["choices"]
            delta = choice["delta"]
            text = delta["content"]
            verdicts = choice.get("content_filter_results")
            if self._last is not None:
                self._compare_with(self._last)
            if (
                text.__class__ is str
                and text
                and len(delta) == 1
                and len(event) == self._size
                and self._padding in event
                and self._pick(event) == self._picked
                and choice["index"] in self.choices
                and (not verdicts or verdicts == self.verdicts.get(choice["index"]))
                and choice.get("finish_reason") is None
                and choice.get("logprobs") is None
                # These are all of its keys.
                and len(choice)
                == 2 + ("finish_reason" in choice) + ("logprobs" in choice) + (verdicts is not None)
            ):
                self.steady = True
                return TextDelta(text, choice["index"])
        except (KeyError, ValueError, TypeError):
            pass
        return None

    def learn(self, data: Any, piece: TextDelta) -> None:
        """Learn the bytes around the text of an event that `read` recognized, if they have a usual form."""
        if self._lessons == _MOST_LESSONS or data.__class__ is not bytes:
            return
        self._lessons += 1
        self._shape = None
        found = re.search(_TEXT, data)
        if found is None:
            return
        before, after = data[: found.start(1)], data[found.end(1) :]
        padding = re.search(_PADDED, after)
        between, after = (
            (after, b"") if padding is None else (after[: padding.start(1)], after[padding.end(1) :])
        )
        try:
            # The same event with another text and padding shows whether these are the ones that count.
            other = TextDelta(piece.text + "x", piece.choice)
            text = orjson.dumps(other.text)
            changed = before + text + between + (b"" if padding is None else b"x") + after
            if self.read(orjson.loads(changed)) == other:
                self._shape = _Shape(before, between, after, padding is not None, piece.choice)
        except (TypeError, ValueError):
            pass  # what only a lenient parser reads, or half a character

    def _compare_with(self, event: Mapping[str, Any]) -> None:
        self._last = None
        self._size = len(event)
        self._padding = next((name for name in _PADDING if name in event), "choices")
        names = [name for name in event if name not in ("choices", self._padding)]
        self._pick = itemgetter(*names) if names else len
        self._picked = self._pick(event)


def read_simple_answer(answer: dict[str, Any], dialect: Dialect) -> SimpleAnswer | None:
    """Read a whole answer that consists of one text and its usage, as nearly all do; None for all others.

    This takes a third of the time of the decoder's general way, which was a quarter of what a call costs.
    """
    choices, usage = answer.get("choices"), answer.get("usage")
    if (
        not usage
        or usage.__class__ is not dict
        or not choices
        or len(choices) > 1
        or not _SIMPLE_ANSWER.issuperset(answer)
    ):
        return None
    choice = choices[0]
    message, raw, index = choice.get("message"), choice.get("finish_reason"), choice.get("index")
    if not message or choice.get("logprobs") or not SIMPLE_CHOICE.issuperset(choice):
        return None
    text = message.get("content")
    if text.__class__ is not str or not text or index.__class__ is not int:
        return None
    if not _KEYS_OF_MESSAGE.issuperset(message) or any(map(message.get, _NOT_TEXT)):
        return None
    reason = FINISH_REASONS.get(raw) if raw.__class__ is str else None
    if reason is None:
        return None
    tier = answer.get("service_tier") or usage.get("service_tier")
    return (
        Started(answer.get("id") or None, answer.get("model") or None, tier),
        TextDelta(text, index),
        Finish(reason, index, raw),
        UsageUpdate(dialect.usage(usage), usage),
    )
