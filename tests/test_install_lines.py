"""Nothing is released: what a page says to install must be there in a checkout."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from jackfield.plugin import install_command

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(page for page in ROOT.glob("docs/**/*.md") if "examples" not in page.parts),
        *ROOT.glob("core/*.md"),
        *ROOT.glob("plugins/*/*.md"),
    ]
)
LINE = re.compile(r"\bpip3? install (?P<words>[^`#\n&;]*)")
OURS = re.compile(r"jackfield(-[a-z-]+)?(\[.*\])?([<>=~!].*)?")
LOCAL = re.compile(r"(?P<folder>\./[\w./-]+?)(?:\[(?P<extras>[\w,-]+)\])?")


def wanted(text):
    """Return what each line installs, with the paragraph that contains it."""
    for paragraph in text.split("\n\n"):
        for found in LINE.finditer(paragraph):
            for word in found["words"].split():
                yield word.strip("\"'(),"), paragraph


def fault(word, paragraph):
    """Return why an argument cannot be installed; None if it can, or if the page describes a later release."""
    if OURS.fullmatch(word):
        if re.search(r"\brelease", paragraph):
            return None
        return f"{word} is on no index yet; write ./core or ./plugins/NAME"
    local = LOCAL.fullmatch(word)
    if local is None:
        return None
    project = ROOT / local["folder"] / "pyproject.toml"
    if not project.exists():
        return f"there is no {local['folder']}"
    known = tomllib.loads(project.read_text("utf-8"))["project"].get("optional-dependencies", {})
    missing = [extra for extra in (local["extras"] or "").split(",") if extra and extra not in known]
    return f"{local['folder']} has no extra {missing[0]}" if missing else None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_installs_only_what_a_checkout_holds(page):
    faults = [fault(word, paragraph) for word, paragraph in wanted(page.read_text("utf-8"))]
    assert [one for one in faults if one] == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            'pip install "jackfield[testing]"',
            "jackfield[testing] is on no index yet; write ./core or ./plugins/NAME",
        ),
        ("run `.venv/bin/pip install nox jackfield-openai`", "jackfield-openai is on no index yet"),
        ("pip install -U jackfield>=0.1", "jackfield>=0.1 is on no index yet"),
        ("pip install ./plugins/opnai", "there is no ./plugins/opnai"),
        ('pip install "./core[tesing]"', "./core has no extra tesing"),
        ('pip install -e "./core[cli,testing]" -e ./plugins/openai copier', None),
        ("Once there is a release: `pip install jackfield`", None),
    ],
)
def test_a_line_that_only_an_index_could_serve_is_found(line, said):
    found = [one for word, paragraph in wanted(line) if (one := fault(word, paragraph))]
    assert (not found) if said is None else found[0].startswith(said)


def test_a_hint_installs_what_a_package_needs_with_it():
    for path in ROOT.glob("plugins/*/pyproject.toml"):
        needs = tomllib.loads(path.read_text("utf-8"))["project"]["dependencies"]
        ours = {found[1] for need in needs if (found := re.match(r"jackfield-([a-z-]+)", need))}
        command = install_command(f"jackfield-{path.parent.name}")
        assert set(re.findall(r"\./plugins/([a-z-]+)", command)) == {*ours, path.parent.name}
        assert all(fault(word, "") is None for word, _ in wanted(command))
