"""What a person gives a command: options, words, and what is piped in."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from jackfield import ConfigurationError
from jackfield._text_files import decode_text, describe_encoding

from ._output import is_terminal, write_aside

if TYPE_CHECKING:
    from jackfield.plugin import Kind

__all__ = [
    "generation",
    "is_decoded",
    "lines_of",
    "model_option",
    "model_option_of",
    "options_option",
    "read_options",
    "read_text",
    "read_texts",
    "stream_option",
]

F = TypeVar("F", bound=Callable[..., Any])

# Options that are text whatever they look like: `-o user=42` is the user "42".
_TEXTS: Final = frozenset({"system", "user", "suffix", "tool_choice"})
_PATIENCE: Final = 2.0


def model_option_of(kind: str) -> Callable[[F], F]:
    """Return the option that names what is asked, with the default for a kind of request.

    Args:
        kind: The alias that is used if the alias "default" serves no such requests; "" for none.
    """
    other = f' if it can, else the alias "{kind}"' if kind else ""
    return click.option(
        "-m",
        "--model",
        "target",
        metavar="TARGET",
        help=f'"connection:model" or an alias; default: the alias "default"{other}, else the only declared model.',
    )


model_option = model_option_of("")
options_option = click.option(
    "-o",
    "--option",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any other option of the call; the value is JSON, else a string. May be repeated.",
)
stream_option = click.option(
    "--stream/--no-stream",
    default=None,
    help="Write the answer as it comes (the default), or when it is whole. With --json: a line per event.",
)


def generation(command: F) -> F:
    """Add the options of text generation to a command."""
    for option in (
        options_option,
        click.option("--temperature", type=float, help="0 is the most predictable."),
        click.option("--max-tokens", type=int, help="The longest answer."),
        click.option("--system", metavar="TEXT", help="The system prompt."),
        model_option,
    ):
        command = option(command)
    return command


def read_options(kind: Kind, pairs: Sequence[str], **named: Any) -> dict[str, Any]:
    """Return the options of a call, without those that were not given.

    Args:
        kind: The kind of call.
        pairs: `key=value`, each.
        named: Options that have a flag of their own; None was not given.

    Raises:
        click.UsageError: A pair has no "=", there is no such option, or it takes no such value.
    """
    options = {name: value for name, value in named.items() if value is not None}
    for name, value in options.items():
        if isinstance(value, str):
            _checked(value, f"--{name.replace('_', '-')}")
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise click.UsageError(f"-o wants key=value, not {pair!r}", click.get_current_context())
        name = key.strip().replace("-", "_")
        options[name] = _value(name, _checked(text, f"-o {name}"))
    try:
        _check(kind, dict(options))
    except ConfigurationError as error:
        # The same mistake in a program is one of its configuration; here it is one of the command line.
        raise click.UsageError(error.message, click.get_current_context()) from error
    return options


def _check(kind: Kind, options: dict[str, Any]) -> None:
    """Read options as the call will.

    Raises:
        ConfigurationError: One is wrong.
    """
    from jackfield import TimeoutPolicy
    from jackfield._input import arguments

    arguments.take_timeout(options, TimeoutPolicy())
    policy = options.pop("unsupported", "error")
    if kind == "embedding":
        arguments.embed_request("", options, policy)
    elif kind == "rerank":
        arguments.rerank_request("", [""], options, policy)
    else:
        arguments.completion_request("", options, policy, stream=False)


def read_text(words: Sequence[str], what: str) -> str:
    """Return the words of a command line, followed by piped input; a `-` among them waits for it.

    Args:
        words: The words.
        what: What the text is, for the error.

    Raises:
        click.UsageError: There is neither.
    """
    typed = _checked(" ".join(word for word in words if word != "-"), what)
    piped = _piped(wait=not typed or "-" in words)
    text = "\n\n".join(part for part in (typed, piped.rstrip("\r\n")) if part)
    if not text.strip():
        raise click.UsageError(
            f"{what} is missing; write it behind the command, or pipe it in", click.get_current_context()
        )
    return text


def read_texts(words: Sequence[str], what: str) -> list[str]:
    """Return each word as a text of its own; without words, each line of the piped input.

    Raises:
        click.UsageError: There is none.
    """
    texts = [_checked(word, what) for word in words] or [
        line for line in lines_of(_piped(wait=True)) if line.strip()
    ]
    if not texts:
        raise click.UsageError(
            f"{what} are missing; write each behind the command, or pipe them in, one a line",
            click.get_current_context(),
        )
    return texts


def lines_of(text: str) -> list[str]:
    """Return the lines of a text as other programs count them: str.splitlines() also ends lines at a form feed or U+2028."""
    return [line.removesuffix("\r") for line in text.split("\n")]


def is_decoded(text: str) -> bool:
    """Return whether a text that came from the system was valid in its encoding; Python keeps other bytes as surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _checked(text: str, what: str) -> str:
    if not text.isascii() and not is_decoded(text):
        raise click.UsageError(
            f"{what} is not text in UTF-8, the encoding of this terminal or script is another",
            click.get_current_context(),
        )
    return text


def _value(name: str, text: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text if name in _TEXTS and not isinstance(value, str) else value


def _piped(*, wait: bool) -> str:
    stdin = sys.stdin
    if stdin is None or is_terminal(stdin):
        return ""
    if not wait and not _has_begun(stdin):
        return ""
    binary = getattr(stdin, "buffer", None)
    if binary is None:  # an object of a program that calls this one
        return _checked(stdin.read(), "stdin")
    try:
        return decode_text(binary.read())
    except UnicodeDecodeError as error:
        raise click.UsageError(f"stdin: {describe_encoding(error)}", click.get_current_context()) from None


def _has_begun(stdin: Any) -> bool:
    """Return whether input is piped in.

    Programs that start this one often leave it a pipe that nothing is ever written to and nobody closes. Waiting
    for its end would be waiting for ever.
    """
    try:
        mode = os.fstat(stdin.fileno()).st_mode
    except (OSError, ValueError, AttributeError):
        return True  # no file: a program's own object, which has an end
    if stat.S_ISREG(mode):
        return True
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return False
    import select

    try:
        ready, _, _ = select.select([stdin], [], [], _PATIENCE)
    except (OSError, ValueError):
        return True  # a system that can wait for sockets only
    if not ready:
        write_aside(
            "nothing is piped in yet, going on without it (`-` as a word of the prompt waits)", dim=True
        )
    return bool(ready)
