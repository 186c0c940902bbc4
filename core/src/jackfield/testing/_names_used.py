"""The names of the contract that a plugin uses, read from its source: also those that it imports late."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["hooks_and_arguments", "imported_names"]


def hooks_and_arguments(marked: Mapping[str, Callable[..., Any]]) -> Iterator[tuple[str, str]]:
    """Return each hook that is implemented, and `hook.argument` for each argument that it asks for, with its place."""
    for name, function in marked.items():
        hook = getattr(function, "jackfield_impl", {}).get("specname") or name
        yield name, hook
        for argument in inspect.signature(function).parameters:
            yield name, f"{hook}.{argument}"


def imported_names(package: ModuleType | None) -> Iterator[tuple[str, str]]:
    """Return each public name that a package takes from `jackfield` or a module below it, with file and line."""
    folders = [Path(folder) for folder in getattr(package, "__path__", ())]
    file = getattr(package, "__file__", None)
    files = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    if not folders and file is not None:
        files = [Path(file)]
    for path in files:
        for line, name in _names_in(ast.parse(path.read_bytes())):
            yield f"{path.name}:{line}", name


def _names_in(tree: ast.Module) -> Iterator[tuple[int, str]]:
    aliases = {}  # what an `import jackfield.http as it` calls it
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level and _of_core(node.module or ""):
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if _of_core(alias.name):
                    aliases[alias.asname or "jackfield"] = alias.name if alias.asname else "jackfield"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            start, _, rest = ast.unparse(node).partition(".")
            if start in aliases:
                yield node.lineno, f"{aliases[start]}.{rest}"


def _of_core(module: str) -> bool:
    return module == "jackfield" or module.startswith("jackfield.")
