"""What went wrong, as an exit code, as one paragraph and as JSON."""

from __future__ import annotations

import re
from typing import Any, Final

import click

from jackfield import JackfieldError
from jackfield._types import errors

__all__ = ["INTERRUPTED", "PIPE_CLOSED", "describe", "exit_code", "to_json"]

INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 141

# The first class that fits decides, so subclasses stand before their bases.
_CODES: Final[tuple[tuple[type[JackfieldError], int], ...]] = (
    (errors.ConfigurationError, 3),
    (errors.UnknownTargetError, 4),
    (errors.ModelNotAllowedError, 4),
    (errors.UnsupportedError, 4),
    (errors.QuotaExceededError, 5),
    (errors.RateLimitError, 6),
    (errors.OverloadedError, 6),
    (errors.ServerError, 6),
    (errors.ProviderError, 5),
    (errors.MalformedResponseError, 5),  # no kind that another try mends
    (errors.TransportError, 6),
)

# The service's own words say what is wrong; what to do about it they seldom say.
_ADVICE: Final[tuple[tuple[type[JackfieldError], str], ...]] = (
    (errors.AuthenticationError, "Check the key that this connection's configuration refers to."),
    (errors.PermissionDeniedError, "Ask for access, or use another connection's identity."),
    (errors.NotFoundError, "`jackfield models` lists what there is."),
    (errors.ContextLengthExceededError, "Shorten the input, or lower --max-tokens."),
    (errors.ContentFilteredError, "Rephrase the input, or ask another model."),
    (errors.QuotaExceededError, "Raise the account's budget, or use another connection."),
    (errors.RateLimitError, "Wait, or use another connection."),
    (errors.OverloadedError, "Try again later, or use another connection."),
    (errors.ServerError, "Try again later."),
    (errors.TimeoutError, "Try again, or allow more time: -o timeout=SECONDS."),
    (errors.ConnectionFailedError, "Check the network, and the connection's base_url and proxy."),
    (errors.StreamInterruptedError, "Try again."),
)


# What errors tell a program to pass: unsupported="drop", emulate=False.
_PASSED: Final = re.compile(
    r'(?P<pass>pass )?\b(?P<name>[a-z_]+)=(?:"(?P<word>\w+)"|(?P<truth>True|False)\b)'
)


def exit_code(error: BaseException) -> int:
    """Return the exit code of an error."""
    if isinstance(error, click.ClickException):
        return error.exit_code
    return next((code for cls, code in _CODES if isinstance(error, cls)), 1)


def describe(error: BaseException, *, answer_begun: bool = False) -> str:
    """Describe an error in one paragraph: what went wrong, where, and what to do.

    Args:
        error: What went wrong.
        answer_begun: A part of the answer was written before.
    """
    if isinstance(error, click.UsageError):
        return _usage(error)
    if isinstance(error, click.ClickException):
        return error.format_message()
    if not isinstance(error, JackfieldError):
        hint = "set JACKFIELD_DEBUG=1 to see where it comes from, and please report it"
        return f"something unexpected happened: {type(error).__name__}: {error} ({hint})"
    sentences = [_in_words_of_the_shell(error)]
    if isinstance(error, errors.ProviderError) and error.status is not None:
        sentences[0] = f"{_status(error.status)}: {sentences[0]}"
    if answer_begun:
        sentences.append("The answer above is not whole.")
    counted = [attempt for attempt in error.attempts if not attempt.refreshed]
    if len(counted) > 1:
        sentences.append(f"It was tried {len(counted)} times.")
    if error.retry_after is not None:
        sentences.append(f"The service asks to wait {error.retry_after:g} s.")
    sentences += [advice for cls, advice in _ADVICE if isinstance(error, cls)][:1]
    return " ".join(sentences)


def to_json(error: BaseException) -> dict[str, Any]:
    """Return an error in the JSON form of `--json`."""
    message = error.message if isinstance(error, JackfieldError) else describe(error)
    names = ("provider", "connection", "model", "status", "retry_after")
    context = {name: getattr(error, name, None) for name in names}
    mistakes = getattr(error, "mistakes", ())
    if mistakes:
        context["mistakes"] = list(mistakes)
    return {"error": {"type": type(error).__name__, "message": message, **context}}


def _status(status: int) -> str:
    from http.client import responses

    return f"{status} {responses.get(status, '')}".strip()


def _in_words_of_the_shell(error: JackfieldError) -> str:
    """Rewrite the names of Python arguments as options of the command line."""
    text = str(error)
    if isinstance(error, errors.UnsupportedError):  # our own words, not a service's
        text = _PASSED.sub(_as_option, text)
    return text.replace("pass a path or a mapping to Mesh.from_config", "name one with --config")


def _as_option(found: re.Match[str]) -> str:
    from jackfield._input.arguments import DECLARABLE

    if found["name"] not in DECLARABLE:
        return found[0]
    return f"{'add ' if found['pass'] else ''}-o {found['name']}={(found['word'] or found['truth']).lower()}"


def _usage(error: click.UsageError) -> str:
    message = error.format_message()
    if error.ctx is None:
        return message
    stop = "" if message.endswith((".", "?", "!")) else "."
    return f"{message}{stop} `{error.ctx.command_path} --help` shows what it takes."
