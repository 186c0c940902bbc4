"""Where the command line writes: answers to stdout, everything about them to stderr."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence, Set as AbstractSet
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from jackfield import Cost, Usage
    from jackfield.plugin import Replay

__all__ = [
    "Output",
    "OutputError",
    "as_json",
    "cost_words",
    "is_terminal",
    "plain",
    "replay_words",
    "safe",
    "usage_words",
    "write_table",
    "write_text",
]


class OutputError(click.ClickException):
    """What is written cannot be: the disk is full, or stdout is closed."""

    exit_code = 7


class Output:
    """A stream whose errors say that they are those of the output; a reader that left stays a `BrokenPipeError`.

    Args:
        stream: The stream.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write a text."""
        with _output_errors():
            return int(self._stream.write(text))

    def flush(self) -> None:
        """Write what is buffered."""
        with _output_errors():
            self._stream.flush()


@contextlib.contextmanager
def _output_errors() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"the output cannot be written: {error.strerror or error}") from error


# What a model or a service says must not move the cursor, change colours or ring the bell.
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def is_terminal(stream: Any) -> bool:
    """Return whether a stream is a terminal."""
    return bool(getattr(stream, "isatty", bool)())


def safe(text: str) -> str:
    """Return a text without the control characters that a terminal would obey."""
    return _CONTROLS.sub("", text)


def write_text(text: str, *, newline: bool = False) -> None:
    """Write a piece of an answer to stdout at once; as it is unless a terminal would obey it."""
    click.echo(safe(text) if is_terminal(sys.stdout) else text, nl=newline)


def write_aside(text: str, **style: Any) -> None:
    """Write a line to stderr; styled if it is a terminal that may be coloured."""
    color = False if os.environ.get("NO_COLOR") else None
    try:
        click.echo(click.style(safe(text), **style), err=True, color=color)
    except BrokenPipeError:
        raise
    except OSError:  # a full disk: what is said about an answer is worth less than the answer
        return


def write_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, err: bool = False) -> None:
    """Write a table; as wide as it needs to be where no person looks."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    class Screen(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would exit with 1; the group knows what to do

    stream = sys.stderr if err else sys.stdout
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(safe(str(cell))) for cell in row))
    width = None if is_terminal(stream) else 10_000
    Screen(file=stream, width=width, markup=False, highlight=False).print(table)


def as_json(value: Any, *, indent: bool = False) -> str:
    """Return a value as JSON: Jackfield's own objects as objects, money as strings, bytes as base64."""
    import orjson

    option = orjson.OPT_NON_STR_KEYS | (orjson.OPT_INDENT_2 if indent else 0)
    try:
        return orjson.dumps(value, plain, option).decode()
    except TypeError:  # a number beyond 64 bits, or half a character
        return _as_lenient_json(value, indent=indent)


def _as_lenient_json(value: Any, *, indent: bool) -> str:
    import json

    from jackfield.plugin import write_json

    text = write_json(_all_plain(value)).decode()
    return json.dumps(json.loads(text), indent=2, ensure_ascii=False) if indent else text


def _all_plain(value: Any) -> Any:
    """Return a value as plain data, all levels of it."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, dict):
        return {key: _all_plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_all_plain(inner) for inner in value]
    return _all_plain(plain(value))


def plain(value: Any) -> Any:
    """Return a value as plain data, one level deep."""
    import attrs

    from jackfield import JackfieldError

    if attrs.has(type(value)):
        return {
            field.name: getattr(value, field.name)
            for field in attrs.fields(type(value))
            if not field.name.startswith("_")
        }
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, AbstractSet):
        return sorted(value)
    if isinstance(value, JackfieldError):
        return {"type": type(value).__name__, "message": value.message, "status": value.status}
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return list(value)
    return None if callable(value) else str(value)


def usage_words(usage: Usage) -> str:
    """Return the usage as one line."""
    counts = [(usage.input_tokens, "in"), (usage.output_tokens, "out")]
    words = [f"{count} {what}" for count, what in counts if count is not None]
    parts = [(usage.cached_input_tokens, "from cache"), (usage.reasoning_tokens, "thinking")]
    more = [f"{count} {what}" for count, what in parts if count]
    more += [_amount(unit, quantity) for unit, quantity in usage.units.items()]
    if not words:
        return ", ".join(["usage unknown", *more])
    tokens = f"{' + '.join(words)} tokens"
    return f"{tokens} ({', '.join(more)})" if more else tokens


def cost_words(cost: Cost) -> str:
    """Return the cost as one line, also where it is unknown."""
    if cost.amount is None:
        return "cost unknown"
    amount = _few_digits(cost.amount)
    at_least = "at least " if cost.status == "partial" else ""
    return f"{at_least}{amount} {cost.currency}"


def _few_digits(amount: Decimal) -> str:
    """Write an amount for people: six significant digits. `--json` has all of them."""
    return format(Context(prec=6).plus(amount).normalize(), "f")


def replay_words(replay: Replay) -> str:
    """Return where a reply comes from that was not requested from the service."""
    if replay.recorded_at is None:
        return f"from the {replay.by}"
    return f"from the {replay.by}, recorded {datetime.fromtimestamp(replay.recorded_at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _amount(unit: str, quantity: Decimal) -> str:
    """Write "2.5 seconds", "1 request"; names that are written large (DBU) have no plural."""
    rounded = f"{quantity:.3f}".rstrip("0").rstrip(".")
    plural = "" if rounded == "1" or not unit.islower() else "s"
    return f"{rounded} {unit}{plural}"
