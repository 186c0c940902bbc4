"""The documentation says what the code says."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOOKSPECS = ROOT / "core/src/jackfield/_hookspecs.py"
DOCS = ROOT / "docs"


def signatures() -> dict[str, str]:
    found = {}
    for node in ast.walk(ast.parse(HOOKSPECS.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("jackfield_"):
            arguments = ", ".join(
                f"{a.arg}: {ast.unparse(a.annotation)}"
                for a in node.args.args
                if a.arg != "self" and a.annotation
            )
            found[node.name] = f"{node.name}({arguments}) -> {ast.unparse(node.returns)}"
    return found


@pytest.mark.parametrize("name", signatures())
def test_a_hook_stands_in_the_docs_with_its_exact_signature(name):
    assert signatures()[name] in (DOCS / "reference/hooks.md").read_text("utf-8")


def test_the_docs_name_no_hook_that_does_not_exist():
    text = "\n".join(path.read_text("utf-8") for path in DOCS.rglob("*.md"))
    named = set(re.findall(r"\bjackfield_[a-z_]+(?=`|\()", text))
    modules = {"jackfield_openai", "jackfield_acme"}
    assert named - modules <= signatures().keys()


def test_the_error_tree_in_the_docs_is_the_one_in_the_code():
    from jackfield import _errors

    tree = inspect.getdoc(_errors).split("\n\n", 1)[1].strip()
    assert tree in (DOCS / "reference/errors.md").read_text("utf-8")


def test_the_readme_lists_every_plugin_that_is_here_and_no_other():
    text = (ROOT / "README.md").read_text("utf-8")
    here = set(re.findall(r"\| `(jackfield-[a-z-]+)` \| here \|", text))
    present = {f"jackfield-{path.parent.name}" for path in ROOT.glob("plugins/*/pyproject.toml")}
    assert here == present


@pytest.mark.parametrize("session", ["demo", "tests"])
def test_the_readme_gives_the_command_on_one_line(session):
    line = f"python3 -m venv .venv && .venv/bin/pip install nox && .venv/bin/nox -s {session}"
    assert line in (ROOT / "README.md").read_text("utf-8").splitlines()


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda path: path.stem)
def test_python_in_the_docs_can_be_parsed(page):
    for block in re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
        if block.startswith("jackfield_"):  # a signature
            continue
        compile(block, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
