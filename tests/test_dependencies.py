"""What installing costs: the core stays small, and what one provider needs stays in its plugin."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PACKAGES = sorted(
    path.parent for path in [*ROOT.glob("core/pyproject.toml"), *ROOT.glob("plugins/*/pyproject.toml")]
)

CORE_DISTRIBUTIONS = 14
CORE_BYTES = 13_600_000  # see decision D43

# Who may ask for what; an empty set: nobody, the service is spoken to over HTTP.
HOMES = {
    "aioboto3": {"aws", "bedrock", "sagemaker"},
    "aiobotocore": {"aws", "bedrock", "sagemaker"},
    "alembic": {"console"},
    "anthropic": set(),
    "argon2-cffi": {"console"},
    "boto3": {"aws", "bedrock", "sagemaker"},
    "botocore": {"aws", "bedrock", "sagemaker"},
    "cohere": set(),
    "cryptography": {"snowflake"},
    "databricks-sdk": {"databricks"},
    "genai-prices": {"genai-prices"},
    "google-auth": {"vertex"},
    "google-cloud-aiplatform": {"vertex"},
    "google-genai": {"vertex"},
    "jinja2": {"console", "onnx"},
    "joserfc": {"console"},
    "litellm": set(),
    "mistralai": set(),
    "onnx": {"onnx"},
    "onnxruntime": {"onnx"},
    "onnxruntime-gpu": {"onnx"},
    "openai": set(),
    "opentelemetry-api": {"otel"},
    "optimum": {"onnx"},
    "optimum-onnx": {"onnx"},
    "phonenumbers": {"pii"},
    "pydantic": set(),
    "python-stdnum": {"pii"},
    "requests": set(),
    "sqlalchemy": {"console"},
    "snowflake-connector-python": {"snowflake"},
    "snowflake-snowpark-python": {"snowflake"},
    "tokenizers": {"onnx"},
    "tomlkit": {"console"},
    "torch": {"onnx"},
    "transformers": {"onnx"},
}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(name: str, seen: set[str] | None = None) -> set[str]:
    """All distributions that installing `name` without extras brings, itself included."""
    seen = set() if seen is None else seen
    if normalised(name) in seen:
        return seen
    seen.add(normalised(name))
    for text in metadata.requires(name) or []:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            closure(requirement.name, seen)
    return seen


def size(name: str) -> int:
    """Bytes that the wheel brings. What Python compiles of it later is left out, as in the figure the budget is from."""
    if name == "jackfield":  # perhaps editable: then its files are not among the installed ones
        files = [path for path in (ROOT / "core/src").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    else:
        files = [Path(str(file.locate())) for file in metadata.files(name) or [] if file.suffix != ".pyc"]
    return sum(path.stat().st_size for path in files if path.exists())


def requirements(package: Path) -> list[str]:
    project = tomllib.loads((package / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project.get("optional-dependencies", {}).values()
    return [*project.get("dependencies", []), *(need for extra in extras for need in extra)]


@pytest.fixture(scope="module")
def core():
    try:
        return closure("jackfield")
    except metadata.PackageNotFoundError:
        pytest.skip("jackfield is not installed here, only importable")


def test_the_core_installs_few_distributions(core):
    assert len(core) <= CORE_DISTRIBUTIONS, sorted(core)


def test_the_core_is_small_on_disk(core):
    sizes = {name: size(name) for name in core}
    assert sum(sizes.values()) <= CORE_BYTES, dict(sorted(sizes.items(), key=lambda row: -row[1])[:5])


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_a_heavy_dependency_stays_in_its_plugin(package):
    names = {normalised(Requirement(need).name) for need in requirements(package)}
    assert not [name for name in names & HOMES.keys() if package.name not in HOMES[name]]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_every_dependency_has_a_lower_bound(package):
    """Without one, a resolver goes back years rather than report a conflict."""
    unbounded = [
        need
        for need in requirements(package)
        if not any(specifier.operator in {">=", "==", "~="} for specifier in Requirement(need).specifier)
    ]
    assert not unbounded


def test_tenacity_is_held_where_google_holds_it():
    """google-genai 2.x says tenacity<9.2; a newer one makes google-cloud-aiplatform fall back without a word."""
    (tenacity,) = [Requirement(need) for need in requirements(ROOT / "core") if need.startswith("tenacity")]
    assert "9.2" not in tenacity.specifier
    assert "9.1.4" in tenacity.specifier
