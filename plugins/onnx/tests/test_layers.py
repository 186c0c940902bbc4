"""Which package of the sources may import which; imports inside functions and for type checkers count, too."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[1] / "src"
PACKAGE = "jackfield_onnx"
# From the ground up: a module imports its own package and lower rows, never its neighbours in a row. What is in no row
# is the provider, on top of them all.
LAYERS = (("_local_errors",), ("_runtime", "_files"), ("_text",), ("_engine",))
LEVEL_BY_ROOM = {room: level for level, row in enumerate(LAYERS) for room in row}


def modules(sources):
    """Map the names of modules to their sources."""
    found = {}
    for path in sorted(sources.rglob("*.py")):
        parts = path.relative_to(sources).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text(encoding="utf-8")
    return found


def imports(module, text, known):
    """List the modules of ours that a module names in an import, wherever that stands in it."""
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


def graph(texts):
    return {module: set(imports(module, text, texts)) for module, text in texts.items()}


def room(module):
    """Name the row's member to which a module belongs, None for the provider."""
    return next((part for part in module.split(".")[1:2] if part in LEVEL_BY_ROOM), None)


def is_allowed(source, target):
    top = len(LAYERS)
    above, below = room(source), room(target)
    return above == below or LEVEL_BY_ROOM.get(above, top) > LEVEL_BY_ROOM.get(below, top)


def reversed_edges(edges):
    return [
        f"{source} -> {target}"
        for source, targets in edges.items()
        for target in sorted(targets)
        if not is_allowed(source, target)
    ]


OURS = modules(SOURCES)


def test_a_module_imports_its_own_package_and_lower_ones():
    assert reversed_edges(graph(OURS)) == []


def test_there_is_no_circle():
    TopologicalSorter(graph(OURS)).prepare()


def test_private_packages_hold_no_code():
    """What they re-exported would load all of their modules with the first."""
    rooms = [name for name in OURS if (SOURCES / name.replace(".", "/") / "__init__.py").exists()]
    private = [name for name in rooms if name.rpartition(".")[2].startswith("_")]
    assert len(private) >= 4
    for name in private:
        (only,) = ast.parse(OURS[name]).body
        assert isinstance(only, ast.Expr), name
        assert isinstance(only.value, ast.Constant), name


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("_engine.loaded_models", "from jackfield_onnx._settings import OnnxSettings"),
        ("_files.store", "def f():\n    from jackfield_onnx._engine import worker"),
        ("_runtime.session", "if TYPE_CHECKING:\n    from jackfield_onnx._files.hub import Hub"),
        ("_local_errors", "from . import _listing"),
        ("_text.tools", "import jackfield_onnx"),
    ],
)
def test_a_reversed_import_is_seen_wherever_it_stands(where, line):
    module = f"{PACKAGE}.{where}"
    assert len(reversed_edges({module: set(imports(module, line, OURS))})) == 1


def test_a_circle_is_seen():
    texts = {**OURS, f"{PACKAGE}._text.tools": "def f():\n    from .calls import CallParser"}
    with pytest.raises(CycleError):
        TopologicalSorter(graph(texts)).prepare()
