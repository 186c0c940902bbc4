"""Put a plugin that a page has written in place, and run the test that the page shows."""

from __future__ import annotations

import importlib
import sys
import tomllib
from pathlib import Path

__all__ = ["install", "run_conformance"]


def install(folder: Path) -> None:
    """Make the package in a folder importable, and its entry points known, as an editable install does."""
    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    source = folder / "src"
    name, version = project["name"].replace("-", "_"), project["version"]
    record = source / f"{name}-{version}.dist-info"
    record.mkdir()
    needs = "".join(f"Requires-Dist: {need}\n" for need in project["dependencies"])
    head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {version}\n"
    (record / "METADATA").write_text(head + needs, "utf-8")
    groups = [
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (record / "entry_points.txt").write_text("\n".join(groups), "utf-8")
    sys.path.insert(0, str(source))
    importlib.invalidate_caches()


def run_conformance(path: Path, share: float = 0.75) -> None:
    """Run every check of a test module with `@conformance`; nothing may fail, and few checks find nothing to do."""
    namespace: dict[str, object] = {"__name__": "test_conformance", "__file__": str(path)}
    exec(compile(path.read_text("utf-8"), str(path.absolute()), "exec"), namespace)
    function = namespace["test_conformance"]
    (mark,) = function.pytestmark  # type: ignore[attr-defined]
    results = [parameter.values[0].result() for parameter in mark.args[1]]
    wrong = [str(result) for result in results if not result.ok or result.outcome == "warned"]
    assert not wrong, "\n".join(wrong)
    passed = [result for result in results if result.outcome == "passed"]
    assert len(passed) > len(results) * share
