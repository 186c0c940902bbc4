"""What stands in the documentation works: Python is run, TOML is loaded, commands are parsed."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest
from documented_code import PLAYED, SHOWN, Block, Page, blocks, check_shell

from jackfield import Registry

ROOT = Path(__file__).parents[1]

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(path for path in (ROOT / "docs").rglob("*.md")),
    *sorted(path for pattern in ("core", "plugins/*") for path in ROOT.glob(f"{pattern}/README.md")),
]


def found_in(path: Path) -> list[Block]:
    return list(blocks(path.relative_to(ROOT), path.read_text("utf-8")))


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A page that is read in an empty folder, with keys that nobody has."""
    for name in [name for name in __import__("os").environ if name.startswith("JACKFIELD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home/.config"))
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "TEST_KEY", "ACME_API_KEY"):
        monkeypatch.setenv(name, "a-key-of-the-tests")
    folder = tmp_path / "page"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    modules = set(sys.modules)
    page = Page(folder, Registry.installed())
    monkeypatch.setattr(Registry, "installed", classmethod(lambda cls, *, refresh=False: page.registry))
    yield page
    for name in set(sys.modules) - modules:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_code_of_a_page_works(path, page, capsys):
    found = found_in(path)
    page.play(found)
    assert page.played == sum(b.language in PLAYED and not b.directive.startswith("skip") for b in found)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_block_says_its_language(path):
    languages = {block.language for block in found_in(path)}
    assert languages <= PLAYED | SHOWN - {""} | {"run"}


def test_few_blocks_are_skipped_and_each_says_why():
    found = [block for path in PAGES for block in found_in(path)]
    played = [block for block in found if block.language in PLAYED]
    skipped = [block for block in played if block.directive.startswith("skip")]
    assert len(skipped) <= len(played) // 20, [block.place for block in skipped]


def test_blocks_are_found_with_their_directives_and_lines():
    text = "words\n\n<!-- code: run\nx = 1\n-->\n\n<!-- code: raises KeyError -->\n\n```python\n{}[x]\n```\n"
    assert [(b.language, b.line, b.directive, b.text) for b in blocks(Path("p.md"), text)] == [
        ("run", 3, "", "x = 1\n"),
        ("python", 9, "raises KeyError", "{}[x]\n"),
    ]


@pytest.mark.parametrize(
    "text",
    ["<!-- code: skipp, why -->\n", "<!-- code: planned -->\nwords\n", "<!-- code: planned -->\n<!-- code: planned -->\n"],
)  # fmt: skip
def test_a_directive_that_means_nothing_is_an_error(text):
    with pytest.raises(AssertionError):
        list(blocks(Path("p.md"), text))


def test_a_wrong_block_fails_and_says_where(page):
    found = list(blocks(Path("p.md"), "\n```python\n1 / 0\n```\n"))
    with pytest.raises(ZeroDivisionError) as caught:
        page.play(found)
    assert caught.value.__notes__ == ["in the code of p.md, line 2"]


@pytest.mark.parametrize(
    "text", ['[connections.x]\nprovider = "opnai"\n', '[connectons.x]\nprovider = "openai"\n']
)
def test_a_wrong_configuration_fails(page, text):
    with pytest.raises(Exception, match="did you mean"):
        page.play([Block(Path("p.md"), 1, "toml", text)])


@pytest.mark.parametrize(
    "line",
    [
        "jackfield caht hello",
        "jackfield chat --max-token 3 hello",
        "git diff | jackfield chat --bogus",
        "nox -s test",
        'pip install "jackfield[clii]"',
        "python docs/gen.py",
    ],
)
def test_a_wrong_command_fails(line):
    with pytest.raises((AssertionError, Exception)):
        check_shell(line)


def test_the_readme_program_has_nine_lines():
    program = next(b for b in found_in(ROOT / "README.md") if b.language == "python")
    assert len([line for line in program.text.splitlines() if line.strip()]) <= 9


def test_programs_of_the_first_pages_have_types():
    for path in (ROOT / "README.md", ROOT / "docs/index.md", ROOT / "docs/tutorial/first-answer.md"):
        for block in found_in(path):
            for function in (
                node for node in ast.walk(parsed(block)) if isinstance(node, ast.AsyncFunctionDef)
            ):
                assert function.returns is not None, (
                    f"{block.place}: mypy --strict would refuse {function.name}"
                )


def parsed(block: Block) -> ast.AST:
    if block.language != "python":
        return ast.Module([], [])
    return compile(block.text, "", "exec", flags=ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_nothing_is_told_to_be_installed_that_is_not_released():
    """Until there is a release, pages give the paths of a checkout; docs/how-to/install.md says why."""
    for path in PAGES:
        if path.stem == "first-plugin":
            continue  # in an environment that has the package already
        for block in found_in(path):
            if block.language == "sh":
                asked = re.findall(r"pip install [^\n]*?[ \"'](jackfield[\w-]*)", block.text)
                assert not asked, f"{block.place}: {asked}"


def test_links_to_files_of_the_repository_exist():
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "core/README.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text("utf-8")):
            assert (path.parent / target).exists(), f"{path.name}: {target}"
