"""Which part of the code may import which; imports inside functions and for type checkers count, too."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from import_graph import circles, graph_of, imported_by, read_modules

ROOT = Path(__file__).parents[1]
CORE = read_modules(ROOT / "core/src")
PLUGINS = {path.parents[1].name: read_modules(path.parent) for path in sorted(ROOT.glob("plugins/*/src/*"))}

# From the ground up: a module imports its own room and rooms in rows above this line's, never a neighbour in its row.
LAYERS = (
    {"_values", "_hints", "_json", "_progress", "_deprecation", "_faces", "_text_files"},
    {"_types"},
    {"_input", "_contract"},
    {"_http", "_plugins"},
    {"_pricing"},
    {"_config"},
    {"_calls"},
    {"_mesh"},
    {"plugin", "http", "progress", "cli", "testing", "__main__"},
)
GROUND = LAYERS[0]
LEVEL_BY_ROOM = {room: level for level, row in enumerate(LAYERS) for room in row}

PUBLIC = {"jackfield", "jackfield.http", "jackfield.plugin", "jackfield.progress", "jackfield.testing"}

# What the command line needs and programs do not, and what for.
ALLOWED_IN_CLI = {
    "_calls.connection": "`check` and `models` describe one connection at a time",
    "_calls.listing": "`models` shows why a listing failed beside what it had",
    "_calls.doubts": "`config init` writes the placeholders that `config validate` finds",
    "_contract.settings": "`config init` writes examples, `config validate` reads them",
    "_input.arguments": "options of the command line are checked as options of a call",
    "_text_files": "what is piped in is read as files are",
    "_plugins.entry_points": "commands of plugins are found without importing a plugin",
    "_types.errors": "the exit code follows the class of an error",
}

PROVIDERS = {
    "openai", "anthropic", "azure-openai", "azure-llm", "cohere", "databricks", "mistral", "bedrock", "sagemaker", "vertex",
    "snowflake", "onnx",
}  # fmt: skip


# Circles that stay, each with its reason.
ALLOWED_CIRCLES = {
    # Types alone, one way: an error holds what had come of an answer, as the `Reply` that callers know; and a reply whose
    # text is not JSON raises an error.
    ("jackfield._types.errors", "jackfield._types.replies"),
}


def room(module: str) -> str:
    """Return the part of `jackfield` that a module belongs to; "" is the package itself."""
    return module.partition(".")[2].partition(".")[0]


def is_allowed(source: str, target: str) -> bool:
    """Return whether the layers allow an import between two modules of the core."""
    above, below = room(source), room(target)
    if above == below or not above:
        return True  # the program's face names what is public, wherever it is
    if above in GROUND and below in GROUND:
        return True
    if not below:
        return LEVEL_BY_ROOM[above] == len(LAYERS) - 1
    if LEVEL_BY_ROOM[above] == len(LAYERS) - 1:
        return above in {"cli", "testing", "__main__"} or below not in {"cli", "testing"}
    return LEVEL_BY_ROOM[above] > LEVEL_BY_ROOM[below]


def reversed_edges(graph: dict[str, set[str]]) -> list[str]:
    return [
        f"{source} -> {target}"
        for source, targets in graph.items()
        for target in sorted(targets)
        if not is_allowed(source, target)
    ]


def test_every_part_of_the_core_is_in_a_layer():
    assert {room(module) for module in CORE} - {""} == set(LEVEL_BY_ROOM)


def test_a_module_imports_its_own_part_and_lower_ones():
    assert reversed_edges(graph_of(CORE)) == []


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("_types.content", "from jackfield._calls.fold import fold"),
        ("_plugins.capabilities", "def f():\n    from jackfield._config.loader import load_config"),
        (
            "_pricing.lookup",
            "if TYPE_CHECKING:\n    from jackfield._config.connections import ConnectionConfig",
        ),
        ("_http.transport", "from jackfield._plugins import registry"),
        ("_calls.execution", "from jackfield import Usage"),
        ("_hints", "import jackfield._types.errors"),
        ("http", "from jackfield.testing import RecordingServer"),
    ],
)
def test_a_reversed_import_is_seen_wherever_it_is(where, line):
    module = f"jackfield.{where}"
    assert len(reversed_edges({module: set(imported_by(module, line, CORE))})) == 1


@pytest.mark.parametrize("name", ["core", *PLUGINS])
def test_modules_import_one_another_in_no_circle(name):
    # A public face names all of its package and is imported by those above it, so it is not part of a circle.
    graph = graph_of(CORE if name == "core" else PLUGINS[name])
    assert [circle for circle in circles(graph) if tuple(circle) not in ALLOWED_CIRCLES] == []


def test_a_circle_is_seen():
    texts = {
        "a": "def f():\n    import b",
        "b": "if TYPE_CHECKING:\n    from c import x",
        "c": "from a import y",
        "d": "import a",
    }
    assert circles(graph_of(texts)) == [["a", "b", "c"]]


def test_private_packages_hold_no_code():
    # What they re-exported would load all of their modules with the first.
    inits = [*ROOT.glob("*/src/**/_*/__init__.py"), *ROOT.glob("plugins/*/src/**/_*/__init__.py")]
    assert len(inits) >= 8
    for path in inits:
        body = ast.parse(path.read_text("utf-8")).body
        assert all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body), path


def test_no_provider_is_named_below_the_command_line_and_the_kit():
    found = []
    for module, text in CORE.items():
        if room(module) in {"cli", "testing"}:
            continue
        tree = ast.parse(text)
        found += [
            f"{module}:{node.lineno}: {node.value!r}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in PROVIDERS
        ]
    assert found == []


def test_the_command_line_uses_what_programs_use():
    found = []
    for module, text in CORE.items():
        if room(module) == "cli":
            found += [
                f"{module}: {target}"
                for target in sorted(set(imported_by(module, text, CORE)))
                if room(target) != "cli" and target not in PUBLIC
            ]
    names = {target.removeprefix("jackfield.") for target in (line.partition(": ")[2] for line in found)}
    assert names == set(ALLOWED_IN_CLI), found


def test_no_plugin_imports_a_private_name_of_the_core():
    pattern = re.compile(r"^\s*(?:from|import)\s+(jackfield(?:\.\w+)*\._\w[\w.]*)", re.MULTILINE)
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sorted(ROOT.glob("plugins/*/**/*.py"))
        for name in pattern.findall(path.read_text("utf-8"))
    ]
    assert found == []
