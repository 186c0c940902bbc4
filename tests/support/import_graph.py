"""The graph of imports of a source tree, read without importing anything: in functions and for type checkers, too."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path


def read_modules(sources: Path) -> dict[str, str]:
    """Map the dotted names of the modules below a folder to their sources."""
    found = {}
    for path in sorted(sources.rglob("*.py")):
        parts = path.relative_to(sources).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text("utf-8")
    return found


def imported_by(module: str, text: str, known: Collection[str]) -> Iterator[str]:
    """List the known modules that a module imports, wherever the import is.

    A name that a package's `__init__` re-exports counts as an import of that package.
    """
    package = module if any(one.startswith(f"{module}.") for one in known) else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            above = parts[: len(parts) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names = [f"{base}.{one.name}" if f"{base}.{one.name}" in known else base for one in node.names]
        else:
            continue
        yield from (name for name in names if name in known and name != module)


def graph_of(texts: Mapping[str, str]) -> dict[str, set[str]]:
    """Map each module to the modules of the same tree that it imports."""
    return {module: set(imported_by(module, text, texts)) for module, text in texts.items()}


def circles(graph: Mapping[str, Collection[str]]) -> list[list[str]]:
    """List the groups of modules that import one another, by Tarjan's algorithm."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        order[module] = low[module] = len(order)
        stack.append(module)
        for target in graph[module]:
            if target not in order:
                visit(target)
                low[module] = min(low[module], low[target])
            elif target in stack:
                low[module] = min(low[module], order[target])
        if low[module] == order[module]:
            at = stack.index(module)
            group = stack[at:]
            del stack[at:]
            if len(group) > 1:
                found.append(sorted(group))

    for module in graph:
        if module not in order:
            visit(module)
    return found
