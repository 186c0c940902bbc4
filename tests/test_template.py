"""The plugin template asks little of an author, and its files hold what a project needs. `nox -s template` runs it."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from pathlib import Path

import pytest

jinja2 = pytest.importorskip("jinja2")

TEMPLATE = Path(__file__).parents[1] / "plugin_template"
KINDS = ("http", "sdk", "compatible")
FACES = {"jackfield", "jackfield.plugin", "jackfield.http"}
MOST_NAMES = 25


def rendered(kind: str, **others: str) -> dict[str, str]:
    """Return the files of a project by path, as copier renders them with these answers."""
    answers = {
        "kind": kind, "id": "demo", "title": "Demo", "author": "A", "license": "MIT", "url": "https://example.org/demo",
        "distribution": "jackfield-demo", "module": "jackfield_demo", "variable": "DEMO_API_KEY",
        "_copier_conf": {"answers_file": ""}, **others,
    }  # fmt: skip
    environment = jinja2.Environment(keep_trailing_newline=True, autoescape=False)
    files = {}
    for path in sorted(TEMPLATE.rglob("*")):
        name = environment.from_string(str(path.relative_to(TEMPLATE))).render(answers)
        stem = name.removesuffix(".jinja")
        if path.is_file() and not Path(stem).name.endswith(".jinja") and not stem.endswith("/") and stem:
            text = path.read_text("utf-8")
            files[stem] = environment.from_string(text).render(answers) if path.suffix == ".jinja" else text
    return files


def names_of(files: dict[str, str]) -> set[str]:
    """Return the names of Jackfield's faces that the sources of a project import."""
    found = set()
    for name, text in files.items():
        if name.startswith("src/") and name.endswith(".py"):
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.ImportFrom) and node.module in FACES:
                    found |= {alias.name for alias in node.names}
                elif isinstance(node, ast.Import):
                    assert not FACES & {alias.name for alias in node.names}, name
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_an_author_learns_few_names(kind):
    assert len(names_of(rendered(kind))) <= MOST_NAMES


def test_all_kinds_together_need_few_names():
    assert len(set().union(*(names_of(rendered(kind)) for kind in KINDS))) <= MOST_NAMES


def test_a_name_is_counted_wherever_it_is_imported():
    text = "from jackfield import Text\n\ndef f():\n    from jackfield.plugin import Wire as W\n"
    assert names_of({"src/a.py": text, "tests/b.py": "from jackfield import Audio"}) == {"Text", "Wire"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_project_has_what_is_published(kind):
    files = rendered(kind)
    project = tomllib.loads(files["pyproject.toml"])["project"]
    assert (project["license"], project["license-files"]) == ("MIT", ["LICENSE"])
    assert "MIT License" in files["LICENSE"]
    assert set(project["urls"]) == {"Repository", "Changelog"}
    pythons = re.findall(r"Python :: (3\.\d+)", " ".join(project["classifiers"]))
    assert pythons == ["3.11", "3.12", "3.13", "3.14"]
    assert json.dumps(pythons) in files[".github/workflows/ci.yml"]


@pytest.mark.parametrize("kind", ["http", "sdk"])
def test_tables_of_a_project_are_json_with_a_source(kind):
    files = rendered(kind)
    for name in ("models", "prices"):
        table = json.loads(files[f"src/jackfield_demo/{name}.json"])
        assert table["source"]
        assert list(table["models"]) == ["small-1"]


def test_the_tutorials_hooks_are_the_templates_with_two_changes():
    hooks = rendered("http", id="tgi", title="TGI", module="jackfield_tgi")["src/jackfield_tgi/__init__.py"]
    changed = hooks.replace('kinds=frozenset({"chat"})', 'kinds=frozenset({"completion"})')
    for name in ("jackfield_table", "jackfield_cost"):
        changed, count = re.subn(rf"@hookimpl\ndef {name}\(.*?\n\n\n", "", changed, flags=re.DOTALL)
        assert count == 1
    changed = changed.replace("    RateCard,\n", "")
    example = (TEMPLATE.parent / "docs/examples/http-tgi/src/jackfield_tgi/__init__.py").read_text("utf-8")
    assert ast.dump(ast.parse(example)) == ast.dump(ast.parse(changed))
