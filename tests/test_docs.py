"""The documentation says what the code says."""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import inspect
import re
from pathlib import Path

import pytest

from jackfield._calls.translation import SUMMARY_PROMPT

ROOT = Path(__file__).parents[1]
HOOKSPECS = ROOT / "core/src/jackfield/_contract/hookspecs.py"
DOCS = ROOT / "docs"


@functools.cache
def generator():
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
    modules = {path.name for path in ROOT.glob("plugins/*/src/*")} | {
        "jackfield_acme",
        "jackfield_tgi",
        "jackfield_negotiated",
        "jackfield_groq",
    }
    assert named - modules <= signatures().keys()


def test_the_error_tree_in_the_docs_is_the_one_in_the_code():
    from jackfield._types import errors as _errors

    tree = inspect.getdoc(_errors).split("\n\n", 1)[1].strip()
    assert tree in (DOCS / "reference/errors.md").read_text("utf-8")


def test_the_readme_lists_every_plugin_that_is_here_and_no_other():
    text = (ROOT / "README.md").read_text("utf-8")
    here = set(re.findall(r"\| `(jackfield-[a-z-]+)` \| here \|", text))
    assert here == {f"jackfield-{name}" for name in generator().plugins_here()}


@pytest.mark.parametrize("session", ["demo", "tests"])
def test_the_readme_gives_the_command_on_one_line(session):
    line = f"python3 -m venv .venv && .venv/bin/pip install nox && .venv/bin/nox -s {session}"
    assert line in (ROOT / "README.md").read_text("utf-8").splitlines()


PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
GENERATED = [path for path in PAGES if "<!-- generated:" in path.read_text("utf-8")]


@pytest.mark.parametrize("page", GENERATED, ids=lambda path: str(path.relative_to(ROOT)))
def test_generated_parts_are_what_the_code_says(page):
    text = page.read_text("utf-8")
    assert text.count("<!-- generated:") == text.count("<!-- end -->") == len(generator().parts(text))
    assert text == generator().regenerated(text), "run: python docs/generate.py"


def test_everything_that_can_be_generated_stands_somewhere():
    named = {name for path in GENERATED for name in generator().parts(path.read_text("utf-8"))}
    assert set(generator().GENERATORS) <= named


@pytest.mark.parametrize("id", generator().documented("provider"))
def test_the_keys_of_every_provider_are_documented(id):
    text = (DOCS / "reference/configuration.md").read_text("utf-8")
    assert f"### {id}\n\n<!-- generated: keys of {id} -->" in text, "run: python docs/generate.py"


def test_the_keys_of_every_kind_of_credentials_are_documented():
    text = (DOCS / "reference/configuration.md").read_text("utf-8")
    for kind in generator().documented("credentials"):
        assert f"<!-- generated: keys of credentials of {kind} -->" in text, "run: python docs/generate.py"


def test_a_generated_part_of_a_plugin_that_is_missing_is_left_alone():
    text = "<!-- generated: keys of nobody -->\nkept\n<!-- end -->\n"
    assert generator().regenerated(text) == text


def test_a_part_that_nothing_makes_is_an_error():
    with pytest.raises(SystemExit, match="nothing is called 'hokks'"):
        generator().regenerated("<!-- generated: hokks -->\n<!-- end -->\n")


def test_the_prompt_of_summarize_is_documented():
    assert SUMMARY_PROMPT in (DOCS / "how-to/complete-and-summarize.md").read_text("utf-8")


def test_contributing_names_sessions_that_exist():
    tree = ast.parse((ROOT / "noxfile.py").read_text("utf-8"))
    sessions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.decorator_list}
    table = (ROOT / "CONTRIBUTING.md").read_text("utf-8").split("| session |")[1].split("\n\n")[0]
    named = {word for row in table.splitlines()[2:] for word in re.findall(r"`([a-z]+)`", row.split("|")[1])}
    assert named <= sessions
    assert sessions - named <= {"demo", "template"}, "every session has a line"


PUBLIC = generator().public_modules()
API = sorted((DOCS / "reference/api").glob("*.md"))


def entries(page: Path) -> list[str]:
    """Return the names that a page of the API describes."""
    return re.findall(r"(?m)^### (\w+)$", page.read_text("utf-8"))


def test_the_public_modules_are_found():
    assert {"jackfield", "jackfield.cli", "jackfield.http", "jackfield.testing"} <= set(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_one_entry_in_the_reference(name):
    module = importlib.import_module(name)
    described = [entry for page in API for entry in entries(page)]
    # Errors have a tree and a table of their own.
    described += set(re.findall(r"\b[A-Z]\w+Error\b", (DOCS / "reference/errors.md").read_text("utf-8")))
    assert [public for public in module.__all__ if described.count(public) != 1] == []


def test_the_reference_names_no_public_name_that_does_not_exist():
    known = {public for name in PUBLIC for public in importlib.import_module(name).__all__}
    assert {entry for page in API for entry in entries(page)} <= known


@pytest.mark.parametrize("page", API, ids=lambda path: path.stem)
def test_a_page_of_the_reference_can_be_read(page):
    """A page has one topic; one that grows longer is split in two."""
    assert len(page.read_text("utf-8").splitlines()) <= 600


def test_a_public_name_that_belongs_to_no_topic_is_an_error(monkeypatch):
    monkeypatch.setitem(generator().TOPICS, "jackfield", {"the mesh": ("mesh",)})
    with pytest.raises(SystemExit, match=r"TOPICS\['jackfield'\] does not name .*content"):
        generator().names_about("jackfield", "the mesh")


def test_names_that_differ_in_case_have_anchors_of_their_own():
    text = "# Page\n\n## Secret\n\n### Secret\n\n```text\n# no heading\n```\n\n### secret\n"
    assert list(generator().anchors_of(text)) == [("Secret", "secret_1"), ("secret", "secret_2")]


PLUGIN_MODULES = [
    (plugin, module) for plugin, modules in generator().plugin_modules().items() for module in modules
]


@pytest.mark.parametrize(("plugin", "name"), PLUGIN_MODULES)
def test_every_public_name_of_a_plugin_stands_in_the_reference_and_is_described(plugin, name):
    module = importlib.import_module(name)
    page = (DOCS / f"reference/plugins/{plugin}.md").read_text("utf-8")
    part = re.search(rf"<!-- generated: names of {name} -->(.*?)<!-- end -->", page, re.DOTALL)
    assert part is not None, "run: python docs/generate.py"
    entries = re.split(r"(?m)^### ", part[1])[1:]
    assert [entry.partition("\n")[0] for entry in entries] == module.__all__
    wordless = [
        entry.partition("\n")[0]
        for entry in entries
        if not re.sub(r"```.*?```", "", entry, flags=re.DOTALL).partition("\n")[2].strip()
    ]
    assert wordless == [], "they want a docstring"
