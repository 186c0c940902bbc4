"""Notice secrets where references belong, and keep them from pages."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

__all__ = ["HELP", "find_secrets", "is_hidden", "looks_like_secret", "show_text"]

HELP: Final = (
    "this looks like the secret itself, and the file holds references only: set it as an environment variable of the "
    "gateway and write its name (env:NAME), or put it into a file that only the gateway can read (file:/path)"
)
_NO_USER: Final = (
    "an address with a user or a password is not written here: the file would hold a secret, and pages would have to hide "
    "it; take it out, or write it into the file by hand"
)
_KNOWN: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:sk[-_]|rk[-_]|pk[-_]|gsk_|xai-|hf_|gh[pousr]_|github_pat_|glpat-|xox[abprs]-|dapi[0-9a-f]{8}|nvapi-|pplx-|r8_|"
    r"AKIA[A-Z0-9]{8}|ASIA[A-Z0-9]{8}|AIza[\w-]{8}|ya29\.|eyJ[\w-]{8}|ABSK[\w+/]{8}|-----BEGIN )[^\s\"']*"
)
"""How keys of services begin. Sources: the services' own pages on keys, and GitHub's list of secret patterns (2026)."""
_RANDOM: Final = re.compile(r"[A-Za-z0-9+/=_\-]{20,}")
_USER: Final = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*://)([^/?#@\s\"']*)@")
_NAME: Final = re.compile(r"(?i)(authorization|cookie|token|secret|passw|api[-_]?key|[-_]key$|^key$)")
_REFERENCE: Final = re.compile(r"(env|file|keyring):|none$")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def looks_like_secret(text: str) -> bool:
    """Return whether a text in the place of a reference's name is probably a key or a token itself.

    A variable that is set is a name, whatever it looks like.
    """
    text = text.strip()
    if text in os.environ:
        return False
    found = _RANDOM.fullmatch(text)
    return _is_key(text) or (found is not None and _is_mixed(text))


def _is_key(text: str) -> bool:
    """Return whether a text begins as keys of services do. Ids of organisations and projects are as random as keys."""
    return _KNOWN.match(text.strip()) is not None or text.strip().lower().startswith(("bearer ", "basic "))


def _is_mixed(text: str) -> bool:
    """Return whether a word mixes digits and letters as random ones do, and names of variables and models do not."""
    kinds = [bool(re.search(pattern, text)) for pattern in ("[a-z]", "[A-Z]", "[0-9]")]
    digits = sum(character.isdigit() for character in text)
    words = re.split(r"[-_/.]", text)
    return (
        kinds[2]
        and any(kinds[:2])
        and digits >= 3
        and max(map(len, words)) >= 16
        and not (_VARIABLE.fullmatch(text) and text == text.upper() and "_" in text)
    )


def find_secrets(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield what in a value to be written is a secret: its place, and what to do.

    Args:
        key: The key.
        value: What is to be written there: text, list, mapping.
    """
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from find_secrets(f"{key}.{name}", item)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            yield from find_secrets(key, item)
    elif isinstance(value, str) and not _REFERENCE.match(value):
        if _USER.search(value):
            yield key, _NO_USER
        elif _is_key(value) or (
            key.startswith("headers.") and (_NAME.search(key) or looks_like_secret(value))
        ):
            yield key, HELP


def is_hidden(key: str, value: Any) -> bool:
    """Return whether a value of the file is not shown on a page, because it is or holds a secret."""
    return any(True for _ in find_secrets(key, value))


def show_text(text: str) -> str:
    """Return lines of a configuration as a page may show them: what looks like a secret is masked."""
    text = _USER.sub(r"\1***@", text)
    text = _KNOWN.sub("***", text)
    return "".join(map(_show_line, text.splitlines(keepends=True)))


def _show_line(line: str) -> str:
    name, equals, value = line.partition("=")
    key = name.strip(" \t#+-\"'").rpartition(".")[2]
    if not equals or not _NAME.search(key) or re.match(r"\s*[\"']?((env|file|keyring):|none\b)", value):
        return line
    return f"{name}{equals} ***{line[len(line.rstrip()) :]}"
