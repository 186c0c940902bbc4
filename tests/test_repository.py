"""What every file and every package of the repository keeps to."""

from __future__ import annotations

import ast
import io
import re
import shutil
import subprocess
import tokenize
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = sorted(
    path.parent for path in [*ROOT.glob("core/pyproject.toml"), *ROOT.glob("plugins/*/pyproject.toml")]
)
PLUGINS = [path for path in PACKAGES if path.parent.name == "plugins"]

MODULE_LINES = 600
PLUGIN_LINES = 1_000

# Written in pieces, so that this file does not contain what it looks for.
REGISTRIES = [
    "pypi" + ".org", "python" + "hosted.org", "registry." + "npmjs", "crates" + ".io", "anaconda" + ".org",
    "rubygems" + ".org", "proxy." + "golang", "gh" + "cr.io", "docker" + ".io", "hugging" + "face.co",
]  # fmt: skip
MACHINE_PATH = re.compile(r"(?<![\w/.:~})\]-])/(?:work|root|home|Users)/[\w.]")
LOCK_FILES = {
    "uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "Pipfile.lock", "package-lock.json", "yarn.lock",
    "conda-lock.yml",
}  # fmt: skip


def tracked() -> list[Path]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: there is no list of tracked files")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    paths = (ROOT / name for name in listing.decode().split("\0") if name)
    return [path for path in paths if path.is_file()]


def texts() -> list[tuple[Path, str]]:
    found = []
    for path in tracked():
        data = path.read_bytes()
        if b"\0" in data:
            continue
        found.append((path.relative_to(ROOT), data.decode("utf-8", "replace")))
    return found


def lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def test_no_file_names_a_registry_host():
    found = [f"{path}: {host}" for path, text in texts() for host in REGISTRIES if host in text]
    assert not found, "any index must serve; leave the host to pip's own configuration"


def test_no_file_holds_a_path_of_one_machine():
    found = [
        f"{path}:{number}: {line.strip()[:80]}"
        for path, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if MACHINE_PATH.search(line)
    ]
    assert not found


def test_no_lock_file_is_tracked():
    assert not [path for path in tracked() if path.name in LOCK_FILES]


def test_constraints_are_names_and_versions_only():
    rows = [
        row for row in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if not row.startswith("#")
    ]
    assert rows == sorted(rows, key=lambda row: row.split("==")[0])
    assert not [row for row in rows if not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.+]*", row)]
    assert not [row for row in rows if row.startswith(("torch==", "jackfield"))]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_a_package_is_complete(package):
    assert (package / "README.md").read_text("utf-8").startswith("# jackfield")
    sources = [path for path in (package / "src").iterdir() if (path / "__init__.py").exists()]
    assert all((source / "py.typed").exists() for source in sources)
    project = tomllib.loads((package / "pyproject.toml").read_text("utf-8"))["project"]
    expected = "jackfield" if package.name == "core" else f"jackfield-{package.name}"
    assert project["name"] == expected
    # A second one is an extension that must load without the first.
    assert {source.name for source in sources} <= {own := expected.replace("-", "_"), f"{own}_commands"}
    assert own in {source.name for source in sources}
    assert project["requires-python"] == ">=3.11"
    assert project["license"] == "Apache-2.0"
    assert "version" in project, "versions are static"


@pytest.mark.parametrize("package", PLUGINS, ids=lambda path: path.name)
def test_a_plugin_bounds_the_core_it_works_with(package):
    needs = tomllib.loads((package / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    ours = [need for need in needs if need.startswith("jackfield")]
    assert ours
    assert all(">=" in need and "<" in need for need in ours)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_no_settings_are_repeated_in_a_package(package):
    tools = tomllib.loads((package / "pyproject.toml").read_text("utf-8")).get("tool", {})
    assert set(tools) <= {"hatch"}, (
        "lint, type, test and coverage settings have one place: the root's pyproject.toml"
    )


def test_tests_leave_the_import_path_to_pytest():
    changes = re.compile(r"(?m)^ *sys\.path(\.insert|\.append|\[)")
    tests = [path for path in tracked() if "tests" in path.parts and path.suffix == ".py"]
    # It does what an editable install does.
    found = [
        path for path in tests if changes.search(path.read_text("utf-8")) and path.stem != "documented_plugin"
    ]
    assert not found, "what tests import by name stands in `pythonpath` of the root's pyproject.toml"


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_modules_stay_small(package):
    too_long = {
        str(path): lines(path) for path in (package / "src").rglob("*.py") if lines(path) > MODULE_LINES
    }
    assert not too_long


def code_lines(path: Path) -> int:
    """Count the lines that hold code: no blank lines, comments or docstrings."""
    text = path.read_text("utf-8")
    layout = {
        tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER
    }  # fmt: skip
    numbers: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in layout:
            numbers.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if ast.get_docstring(node, clean=False) is not None else None
            if first is not None:
                numbers.difference_update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return len(numbers)


# Plugins that are more than a translation; docs/explanation/decisions.md says why (D3, D12, D13, D18, D21, D22, D48 to D57).
LARGER_PLUGINS = {
    "anthropic": 2_100, "bedrock": 2_700, "cohere": 1_700, "console": 6_600, "databricks": 1_100, "limits": 3_200, "openai": 3_780, "onnx": 6_900, "sagemaker": 1_700, "snowflake": 2_100,
    "gateway": 3_800, "surfaces": 4_700, "vertex": 1_910,
}  # fmt: skip


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_a_plugin_stays_small(plugin):
    total = sum(code_lines(path) for path in (plugin / "src").rglob("*.py"))
    most = LARGER_PLUGINS.get(plugin.name, PLUGIN_LINES)
    assert total <= most, "a plugin over 1,000 lines shows that the core lacks something"


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_modules_have_nouns_for_names(package):
    banned = {"utils", "util", "helpers", "helper", "manager", "base", "common", "misc"}
    names = {path.stem.strip("_") for path in (package / "src").rglob("*.py")}
    assert not names & banned


def test_no_package_is_a_namespace_package():
    for package in PACKAGES:
        for folder in {path.parent for path in (package / "src").rglob("*.py")}:
            assert (folder / "__init__.py").exists(), folder
