"""Public modules whose names load when they are first used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

__all__ = ["MODULE_BY_NAME", "lazy", "show_in"]

MODULE_BY_NAME: Final[dict[str, Mapping[str, str]]] = {}
"""For each public module that loads lazily: the private module that defines each name."""


def lazy(
    face: str, names_by_module: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return the `__getattr__`, `__dir__` and `__all__` of a public module whose names load on first use.

    Args:
        face: The module's `__name__`.
        names_by_module: The names that each private module of `jackfield` provides, separated by spaces.
    """
    module_by_name = {name: module for module, names in names_by_module.items() for name in names.split()}
    MODULE_BY_NAME[face] = module_by_name

    def load(name: str) -> Any:
        module = module_by_name.get(name)
        if module is None:
            msg = f"module {face!r} has no attribute {name!r}"
            raise AttributeError(msg)
        import sys
        from importlib import import_module

        from ._deprecation import warn_of

        value = getattr(import_module(f"jackfield.{module}"), name)
        namespace = vars(sys.modules[face])
        if not warn_of(f"{face}.{name}"):  # a deprecated name warns on every use, so it is not kept
            namespace[name] = value
        return value

    def list_names() -> list[str]:
        import sys

        return sorted({*vars(sys.modules[face]), *module_by_name})

    return load, list_names, sorted(module_by_name, key=_isort_key)


def show_in(face: str, *classes: type) -> None:
    """Name a public module as the home of classes: tracebacks and pickles then say where programs import them from.

    A pickle so outlives a move of the private module that defines the class.
    """
    for cls in classes:
        cls.__module__ = face


def _isort_key(name: str) -> tuple[int, str]:
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name
