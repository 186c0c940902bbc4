"""Describe the repository: its packages, what they depend on, and the versions they are developed with.

Packages are found by looking (core/ and plugins/*), so a new plugin needs no list to be edited.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

__all__ = [
    "CORE",
    "HEAVY",
    "PACKAGES",
    "PLUGINS",
    "ROOT",
    "closure",
    "entry_points",
    "folders_of_tests",
    "folders_of_types",
    "group",
    "import_name",
    "light_extras",
    "needs_of_benchmark",
    "needs_of_tests",
    "normalised",
    "project",
    "release",
    "selected",
    "siblings",
    "tools_of_sessions",
    "with_extras",
]

ROOT: Final = Path(__file__).resolve().parents[1]
CORE: Final = Path("core")
PLUGINS: Final = tuple(
    path.parent.relative_to(ROOT) for path in sorted(ROOT.glob("plugins/*/pyproject.toml")) if path.is_file()
)
PACKAGES: Final = (CORE, *PLUGINS)

HEAVY: Final = {
    "torch", "transformers", "optimum", "optimum-onnx", "onnxruntime-gpu", "onnxruntime-genai", "snowflake-snowpark-python",
}  # fmt: skip
"""An extra that needs one of these is left out of the shared environment: gigabytes, a runtime that damages another, or
(Snowpark) a bound that holds protobuf back for all."""

# Options of pytest that take no value: a path may follow them.
_FLAGS: Final = {"-q", "-qq", "-v", "-vv", "-x", "-s", "-l", "--lf", "--ff", "--nf", "--sw"}


@cache
def _manifest(folder: Path) -> dict[str, Any]:
    return tomllib.loads((ROOT / folder / "pyproject.toml").read_text("utf-8"))


def project(package: Path) -> dict[str, Any]:
    """Return the `[project]` table of a package."""
    table: dict[str, Any] = _manifest(package)["project"]
    return table


def entry_points(name: str) -> dict[str, str]:
    """Return the entry points that the packages declare in a group, such as "jackfield.extensions.v1"."""
    groups = (project(package).get("entry-points", {}).get(name, {}) for package in PACKAGES)
    return {entry: target for group in groups for entry, target in group.items()}


def group(name: str, *, package: Path = Path()) -> list[str]:
    """Return the requirements of a dependency group of the repository, or of one of its packages; none if it has no such."""
    found: list[str] = []
    for need in _manifest(package).get("dependency-groups", {}).get(name, ()):
        found += [need] if isinstance(need, str) else group(need["include-group"], package=package)
    return list(dict.fromkeys(found))


def tools_of_sessions() -> list[str]:
    """List what all dependency groups of the repository name, to be resolved together with the packages."""
    return sorted({need for name in _manifest(Path())["dependency-groups"] for need in group(name)})


def normalised(requirement: str) -> str:
    """Return the normalised name of the distribution that a requirement begins with.

    Raises:
        ValueError: The text does not begin with a name.
    """
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    if match is None:
        raise ValueError(f"not a valid requirement: {requirement!r}")
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def release(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, to compare versions by."""
    return tuple(int(number) for number in re.findall(r"\d+", version))


def light_extras(package: Path) -> list[str]:
    """List the extras of a package that the shared environment can hold."""
    extras = project(package).get("optional-dependencies", {})
    return [name for name, needs in extras.items() if not HEAVY & {normalised(need) for need in needs}]


def with_extras(package: Path) -> str:
    """Return a package as an argument of pip, with all its light extras."""
    extras = ",".join(light_extras(package))
    return f"./{package}[{extras}]" if extras else f"./{package}"


def _named() -> dict[str, Path]:
    return {normalised(project(path)["name"]): path for path in PACKAGES}


def siblings(package: Path, *, extras: bool = False) -> list[Path]:
    """List the packages of this repository that a package depends on, directly or not, and last the package itself.

    Args:
        package: The package.
        extras: Its light extras, and those of the others, are installed, too.
    """
    named = _named()
    needs = list(project(package).get("dependencies", []))
    if extras:
        optional = project(package).get("optional-dependencies", {})
        needs += [need for name in light_extras(package) for need in optional[name]]
    found: list[Path] = []
    for requirement in needs:
        sibling = named.get(normalised(requirement))
        if sibling is not None and sibling != package:
            found += [path for path in siblings(sibling, extras=extras) if path not in found]
    return [*found, package]


def closure(packages: Iterable[Path]) -> list[Path]:
    """List some packages and the siblings that they and their light extras depend on, each after what it depends on."""
    return list(dict.fromkeys(needed for package in packages for needed in siblings(package, extras=True)))


def import_name(package: Path) -> str:
    """Return the name that a package is imported by; a second import package, of commands, has a longer name."""
    found = (path.name for path in (ROOT / package / "src").iterdir() if (path / "__init__.py").exists())
    return min(found, key=len)


def folders_of_tests(packages: Iterable[Path] = PACKAGES) -> list[str]:
    """List the folders of tests of some packages."""
    folders = (package / "tests" for package in packages)
    return [str(folder) for folder in folders if any((ROOT / folder).rglob("test_*.py"))]


def folders_of_types() -> list[str]:
    """List the folders of tests of public types."""
    folders = (path / "tests" / "typing" for path in [*PACKAGES, Path()])
    return [str(folder) for folder in folders if any((ROOT / folder).glob("*.py"))]


def needs_of_tests(packages: Iterable[Path] = PACKAGES) -> tuple[list[Path], list[str]]:
    """Return what the tests of some packages need: packages of this repository, and requirements from an index.

    The group `test` of a package's pyproject.toml names what only its tests need, such as a service's official SDK: it is
    an oracle that drives our fake service and reads what we send. The code of pages runs with all packages only.
    """
    packages, named = list(packages), _named()
    needed = [*group("test"), *(need for package in packages for need in group("test", package=package))]
    needed += group("pages") if set(packages) >= set(PACKAGES) else []
    ours = [named[normalised(need)] for need in needed if normalised(need) in named]
    return closure([*packages, *ours]), sorted({need for need in needed if normalised(need) not in named})


def needs_of_benchmark(arguments: Sequence[str]) -> list[str]:
    """List what pip installs in editable mode for a benchmark; its first argument says which one.

    Args:
        arguments: The arguments of the session.
    """
    if arguments[:1] == ["local"]:
        return ["./core", "./plugins/onnx[cpu,convert]"]
    if arguments[:1] == ["pace"]:
        return ["./core", "./plugins/openai"]
    if arguments[:1] == ["gateway"]:
        _, *needed, _ = (f"./{path}" for path in siblings(Path("plugins/gateway")))
        return ["./core[cli]", *needed, "./plugins/openai", "./plugins/gateway"]
    _, *clouds = (f"./{path}" for path in siblings(Path("plugins/bedrock")))
    return ["./core[numpy]", *clouds]


def selected(arguments: Sequence[str]) -> list[Path]:
    """Return the packages whose tests pytest runs with these arguments: those that paths name; all if none does."""
    found: list[Path] = []
    before = ""
    for argument in arguments:
        path = Path(argument.partition("::")[0])
        is_value = before.startswith("-") and "=" not in before and before not in _FLAGS
        before = argument
        if argument.startswith("-") or is_value or "tests" not in path.parts or not (ROOT / path).exists():
            continue
        owner = next((package for package in PACKAGES if path.is_relative_to(package / "tests")), None)
        if owner is None:  # tests of the whole repository, or a path that is not understood
            return list(PACKAGES)
        found.append(owner)
    return list(dict.fromkeys(found)) or list(PACKAGES)
