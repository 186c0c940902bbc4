"""Try the plugin template as its users do, in an environment that has the core, copier, nox, the linters and mypy.

    python -m tools.template [KIND ...]

A project of every kind is created, and its own `nox` is run: tests, the conformance kit, lint, types and the wheel. The
tutorial's project is built and checked. Then a project that was edited is updated to a newer template.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

from .commands import run
from .workspace import ROOT

__all__ = ["KINDS", "main"]

KINDS = ("http", "sdk", "compatible")
ENVIRONMENT = {
    **os.environ,
    "JACKFIELD_CHECKOUT": str(ROOT),
    "PIP_CONSTRAINT": str(ROOT / "constraints.txt"),
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_NAME": "A" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "a@example.com" for who in ("AUTHOR", "COMMITTER")},
}


def _run(*command: str, cwd: Path) -> None:
    run(*command, cwd=cwd, env=ENVIRONMENT, quiet=True)


def _python(module: str, *arguments: str, cwd: Path) -> None:
    _run(sys.executable, "-m", module, *arguments, cwd=cwd)


def commit(folder: Path, tag: str | None = None) -> None:
    """Commit all that is in a folder, as a repository of its own."""
    if not (folder / ".git").exists():
        _run("git", "init", "--quiet", "--initial-branch", "main", cwd=folder)
    _run("git", "add", "--all", cwd=folder)
    _run("git", "commit", "--quiet", "--message", tag or "Edited", cwd=folder)
    if tag is not None:
        _run("git", "tag", tag, cwd=folder)


def copied_template(folder: Path) -> Path:
    """Copy the template into a repository of its own, where it can have releases."""
    folder.mkdir()
    shutil.copy(ROOT / "copier.yml", folder)
    shutil.copytree(ROOT / "plugin_template", folder / "plugin_template")
    commit(folder, "v1.0.0")
    return folder


def render(template: Path, folder: Path, kind: str) -> None:
    """Render the template's first release in one kind, from within the template, as a relative path."""
    answers = ("--data", f"kind={kind}", "--data", f"id=demo-{kind}", "--data", 'author=An "Author"')
    copy = ("copy", "--quiet", "--defaults", "--vcs-ref", "v1.0.0")
    _python("copier", *copy, *answers, ".", str(folder), cwd=template)


def check(folder: Path, kind: str) -> None:
    """Run the sessions of a project's own noxfile."""
    began = time.monotonic()
    _python("nox", cwd=folder)
    print(
        f"{kind}: {sum(1 for _ in (folder / 'src').rglob('*.py'))} modules, {time.monotonic() - began:.0f} s"
    )


def check_here(folder: Path, distribution: str) -> None:
    """Run what a project's noxfile runs, in this environment."""
    began = time.monotonic()
    install = ("install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation")
    _python("pip", *install, "--editable", ".", cwd=folder)
    _python("ruff", "check", "--no-cache", ".", cwd=folder)
    _python("ruff", "format", "--no-cache", "--check", ".", cwd=folder)
    _python("mypy", "src", cwd=folder)
    lax = ("--allow-untyped-defs", "--allow-incomplete-defs", "--allow-untyped-calls")
    _python("mypy", *lax, "tests", cwd=folder)
    _python("pytest", "-q", "-p", "no:cacheprovider", cwd=folder)
    _python("build", "--no-isolation", cwd=folder)
    built = sorted((folder / "dist").iterdir())
    _python("twine", "check", "--strict", *map(str, built), cwd=folder)
    (wheel,) = (path for path in built if path.suffix == ".whl")
    _python("pip", *install, "--force-reinstall", str(wheel), cwd=folder)
    with tempfile.TemporaryDirectory() as elsewhere:
        _python("jackfield.testing", distribution, cwd=Path(elsewhere))
    print(f"{distribution}: {time.monotonic() - began:.0f} s")


def check_update(template: Path, folder: Path) -> None:
    """Update an edited project to a newer template: the author's edits stay, the template's come."""
    render(template, folder, "http")
    commit(folder)
    models = folder / "src/jackfield_demo_http/models.json"
    models.write_text(models.read_text("utf-8").replace("small-1", "brook-1"), "utf-8")
    readme = folder / "README.md"
    readme.write_text(f"{readme.read_text('utf-8')}\nThe author's own words.\n", "utf-8")
    commit(folder)
    for name, old, new in (
        ("README.md.jinja", "## Development", "## Development\n\nNew in the template."),
        (".gitignore", ".venv/", ".venv/\nnew-in-the-template/"),
    ):
        path = template / "plugin_template" / name
        text = path.read_text("utf-8")
        assert old in text, name
        path.write_text(text.replace(old, new), "utf-8")
    commit(template, "v1.1.0")
    _python("copier", "update", "--quiet", "--defaults", cwd=folder)
    words = readme.read_text("utf-8")
    assert "New in the template." in words, "the template's line did not come"
    assert "The author's own words." in words, "the author's line is gone"
    assert "brook-1" in models.read_text("utf-8"), "the author's edit is gone"
    assert "new-in-the-template/" in (folder / ".gitignore").read_text("utf-8")
    assert "_commit: v1.1.0" in (folder / ".copier-answers.yml").read_text("utf-8")
    left = [*folder.rglob("*.rej")] + [p for p in folder.rglob("*.md") if "<<<<<<<" in p.read_text("utf-8")]
    assert not left, f"conflicts in {left}"
    print("update: v1.0.0 to v1.1.0, edits kept")


def check_tutorial(template: Path, folder: Path) -> None:
    """Follow the tutorial, from the template to its finished plugin."""
    answers = ("--data", "kind=http", "--data", "id=tgi", "--data", "title=TGI")
    _python("copier", "copy", "--quiet", "--defaults", *answers, str(template), str(folder), cwd=ROOT)
    page = (ROOT / "docs/tutorial/first-plugin.md").read_text("utf-8")
    for pattern in " ".join(re.findall(r"(?m)^rm (.+)$", page)).split():
        for path in folder.glob(pattern):
            path.unlink()
    for name, text in re.findall(r"<!-- code: file (\S+) -->\n\n```\w+\n(.*?)```\n", page, re.DOTALL):
        if not name.startswith("compatible/"):
            (folder / name).write_text(text, "utf-8")
    hooks = "src/jackfield_tgi/__init__.py"
    shutil.copy(ROOT / "docs/examples/http-tgi" / hooks, folder / hooks)  # as edited by the tutorial
    check_here(folder, "jackfield-tgi")


def main() -> None:
    """Run the command line."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        template = copied_template(folder / "template")
        for kind in sys.argv[1:] or KINDS:
            render(template, folder / kind, kind)
            check(folder / kind, kind)
        check_tutorial(template, folder / "tutorial")
        check_update(template, folder / "edited")


if __name__ == "__main__":
    main()
