"""Find what an unknown name was meant to be, for messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

__all__ = ["a_or_an", "hint", "install_command", "suggestion"]

_CORE: Final = "jackfield"
_KNOWN: Final = "_plugins/known_plugins.json"


def suggestion(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the known name that an unknown one stands for: one that it abbreviates, else the most alike; None if none is.

    Args:
        name: What was written; upper and lower case make no difference.
        known: The names that exist.
        cutoff: How much alike two names must be at least, from 0 to 1.
    """
    import difflib  # for those who made a slip

    by_lower = {one.lower(): one for one in sorted(known, reverse=True)}
    text = name.lower()
    if text in by_lower:
        return by_lower[text]
    begun = sorted(
        (one for one in by_lower if len(text) > 1 and one.startswith(text)), key=lambda one: (len(one), one)
    )
    close = begun or difflib.get_close_matches(text, by_lower, n=1, cutoff=cutoff)
    return by_lower[close[0]] if close else None


def hint(name: str, known: Iterable[str]) -> str:
    """Return how a message about an unknown name ends: "; did you mean 'x'?", or the known names if none is close."""
    names = sorted(known)
    meant = suggestion(name, names)
    if meant is not None:
        return f"; did you mean {meant!r}?"
    return f"; known: {', '.join(names)}" if names else ""


def install_command(package: str, extras: str = "", *, options: str = "") -> str:
    """Return the command that installs a package of this project, for the end of a message.

    Where the core came from an index, its packages are there. Otherwise they may be nowhere but in a checkout, and on an
    index anybody may own their names.

    Args:
        package: The distribution, such as "jackfield-onnx".
        extras: Its extras, separated by commas.
        options: Options of pip.
    """
    pip = f"pip install {options}".rstrip()
    wanted = f"[{extras}]" if extras else ""
    if _is_from_index():
        return f"{pip} {_quoted(package + wanted)}"
    name = package.removeprefix(f"{_CORE}-")
    if package == _CORE:
        folders = [f"./core{wanted}"]
    else:
        folders = [*(f"./plugins/{one}" for one in _needs_of(name)), f"./plugins/{name}{wanted}"]
    return f"{pip} {' '.join(map(_quoted, folders))} (in a checkout of Jackfield)"


def _needs_of(name: str) -> list[str]:
    """Return what a package needs of the others: pip finds them on no index either, so one command names all."""
    from json import loads
    from pathlib import Path

    table = loads((Path(__file__).parent / _KNOWN).read_text("utf-8"))
    needs: list[str] = table["needs"].get(name, [])
    return needs


def _is_from_index() -> bool:
    """Return whether pip installed the core from an index: otherwise it noted the address (PEP 610)."""
    from importlib.metadata import PackageNotFoundError, distribution  # for those who miss something

    try:
        return distribution(_CORE).read_text("direct_url.json") is None
    except PackageNotFoundError:
        return False


def _quoted(requirement: str) -> str:
    return f'"{requirement}"' if "[" in requirement else requirement


def a_or_an(word: str) -> str:
    """Put the article before a word, by its first letter."""
    return f"{'an' if word[:1].lower() in 'aeiou' else 'a'} {word}"
