"""Which package of the sources may import which; imports inside functions and for type checkers count, too."""

import ast
from pathlib import Path

import pytest
from import_graph import circles, graph_of, imported_by, read_modules

SOURCES = Path(__file__).parents[1] / "src"
PACKAGE = "jackfield_onnx"
# From the ground up: a module imports its own package and lower rows, never its neighbours in a row. What is in no row
# is the provider, on top of them all.
LAYERS = (("_local_errors",), ("_runtime", "_files"), ("_text",), ("_engine",))
LEVEL_BY_ROOM = {room: level for level, row in enumerate(LAYERS) for room in row}
OURS = read_modules(SOURCES)


def room(module):
    """Return the package or module of `LAYERS` that a module belongs to, None for the provider."""
    return next((part for part in module.split(".")[1:2] if part in LEVEL_BY_ROOM), None)


def is_allowed(source, target):
    top = len(LAYERS)
    above, below = room(source), room(target)
    return above == below or LEVEL_BY_ROOM.get(above, top) > LEVEL_BY_ROOM.get(below, top)


def reversed_edges(graph):
    return [
        f"{source} -> {target}"
        for source, targets in graph.items()
        for target in sorted(targets)
        if not is_allowed(source, target)
    ]


def test_a_module_imports_its_own_package_and_lower_ones():
    assert reversed_edges(graph_of(OURS)) == []


def test_every_layer_has_modules():
    assert {room(module) for module in OURS} == {*LEVEL_BY_ROOM, None}


def test_there_is_no_circle():
    assert circles(graph_of(OURS)) == []


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
def test_a_reversed_import_is_seen_wherever_it_is(where, line):
    module = f"{PACKAGE}.{where}"
    assert len(reversed_edges({module: set(imported_by(module, line, OURS))})) == 1


def test_a_circle_is_seen():
    texts = {**OURS, f"{PACKAGE}._text.tools": "def f():\n    from .calls import CallParser"}
    assert len(circles(graph_of(texts))) == 1
