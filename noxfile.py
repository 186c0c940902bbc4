"""Everything a contributor runs: `nox -l` lists it, `nox -s NAME` runs one, arguments follow `--`.

Packages are found by looking (core/ and plugins/*), so a new plugin needs no edit here. Only `nox` itself and pip are
needed; versions come from constraints.txt.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = True
nox.options.sessions = ["tests", "lint", "types", "docs"]

ROOT = Path(__file__).parent
CONSTRAINTS = "constraints.txt"
CORE = Path("core")
PLUGINS = [
    path.parent.relative_to(ROOT) for path in sorted(ROOT.glob("plugins/*/pyproject.toml")) if path.is_file()
]
PACKAGES = [CORE, *PLUGINS]

# An extra that needs one of these is left out of the shared environment: gigabytes, a runtime that damages another, or
# (Snowpark) a bound that holds protobuf back for all.
HEAVY = {
    "torch", "transformers", "optimum", "optimum-onnx", "onnxruntime-gpu", "onnxruntime-genai", "snowflake-snowpark-python",
}  # fmt: skip
# Distributions by which a plugin's own environment shows that it drags in another provider's world.
SDKS = {
    "aioboto3", "aiobotocore", "anthropic", "boto3", "botocore", "cohere", "databricks-sdk", "google-auth",
    "google-cloud-aiplatform", "google-genai", "mistralai", "numpy", "onnx", "onnxruntime", "openai", "optimum",
    "snowflake-connector-python", "snowflake-snowpark-python", "tokenizers", "torch", "transformers",
}  # fmt: skip

# 3.11 is the oldest that the packages support; sessions over several Pythons run on those that are installed.
PYTHONS = ("3.11", "3.12", "3.13", "3.14")

BUILD_BACKEND = ["hatchling", "editables"]
LINTERS = ["ruff"]
TYPE_CHECKERS = ["mypy", "basedpyright", "types-jsonschema"]
DOCS_TOOLS = ["mkdocs-material"]
BUILD_TOOLS = ["build", "twine", "hatchling"]
TEMPLATE_TOOLS = ["copier"]
# The official SDK is an oracle: it drives our fake services, and reads what we send.
TEST_TOOLS = [
    "anthropic",
    "azure-ai-inference",
    "cohere",
    "coverage",
    "google-genai",
    "jsonschema",
    "mistralai",
    "moto[server]",
    "openai",
    "opentelemetry-sdk",
]
# Snowpark holds protobuf back, so its tests have an environment of their own; these pins stand over constraints.txt there.
SNOWFLAKE_PINS = {
    "cloudpickle": "3.1.2", "duckdb": "2.0.0", "fakesnow": "0.12.1", "protobuf": "6.33.6", "pyarrow": "26.0.1",
    "snowflake-connector-python": "4.8.1", "snowflake-snowpark-python": "1.56.0", "sqlglot": "30.22.0",
    "starlette": "1.10.0", "uvicorn": "0.54.0",
}  # fmt: skip
# What a settings class needs and the kit cannot guess; a class takes of it what it knows.
KIT_SETTINGS = ["--settings", '{"region": "eu-central-1"}']
# What `lowest` leaves out: tests that compare with the official SDKs. An oracle is asked for what it says today, so it is
# the newest, with what that needs; no plugin needs any of them.
LATEST_ONLY = ["--ignore-glob=*oracle*.py"]
# Fakes that `lowest` needs all the same; they work with old versions of what they share with us.
LOWEST_TOOLS = ["jsonschema", "moto[server]"]
DEMO_PROMPT = "What is the capital of Japan? Answer in one sentence."


def project(package: Path) -> dict[str, Any]:
    """Read the `[project]` table of a package."""
    table: dict[str, Any] = tomllib.loads((ROOT / package / "pyproject.toml").read_text("utf-8"))["project"]
    return table


def normalised(requirement: str) -> str:
    """Give the bare, normalised distribution name that a requirement begins with."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    if match is None:
        message = f"not a requirement: {requirement!r}"
        raise ValueError(message)
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def light_extras(package: Path) -> list[str]:
    """Name the extras of a package that the shared environment can hold."""
    extras = project(package).get("optional-dependencies", {})
    return [name for name, needs in extras.items() if not HEAVY & {normalised(need) for need in needs}]


def with_extras(package: Path) -> str:
    """Write a package as pip's argument, all its light extras asked for."""
    extras = ",".join(light_extras(package))
    return f"./{package}[{extras}]" if extras else f"./{package}"


def siblings(package: Path) -> list[Path]:
    """List a package and, recursively, the packages of this repository it depends on, itself last."""
    by_name = {project(path)["name"]: path for path in PACKAGES}
    found: list[Path] = []
    for requirement in project(package).get("dependencies", []):
        sibling = by_name.get(normalised(requirement))
        if sibling is not None:
            found += [path for path in siblings(sibling) if path not in found]
    return [*found, package]


def import_name(package: Path) -> str:
    """Give the package that a distribution puts on the import path; a second one, of commands, is named after it."""
    found = (path.name for path in (ROOT / package / "src").iterdir() if (path / "__init__.py").exists())
    return min(found, key=len)


def install(session: nox.Session, *what: str, constraint: str = CONSTRAINTS) -> None:
    """Install quietly, at the pinned versions."""
    session.install("--quiet", "--disable-pip-version-check", "--constraint", constraint, *what)


def install_editable(session: nox.Session, *arguments: str) -> None:
    """Install packages of this repository for development, the build backend once for all of them."""
    install(session, *BUILD_BACKEND)
    editables = [word for argument in arguments for word in ("--editable", argument)]
    install(session, "--no-build-isolation", *editables)


def distributions(session: nox.Session) -> set[str]:
    """List what the environment of a session holds."""
    listing = session.run("python", "-m", "pip", "list", "--format=json", silent=True) or "[]"
    rows = json.loads(listing[listing.index("[") : listing.rindex("]") + 1])
    return {normalised(row["name"]) for row in rows}


@nox.session
def demo(session: nox.Session) -> None:
    """Answer a question on this machine: no key, no account. Arguments replace the question."""
    install_editable(session, f"./{CORE}[cli]", "./plugins/onnx[cpu,convert]")
    session.run("jackfield", "chat", *(session.posargs or [DEMO_PROMPT]))


@nox.session
def tests(session: nox.Session) -> None:
    """Run every test, all packages in one environment. Arguments go to pytest."""
    install_editable(session, *map(with_extras, PACKAGES))
    install(session, *TEST_TOOLS)
    folders = [str(path) for path in [*(package / "tests" for package in PACKAGES), Path("tests")]]
    present = [folder for folder in folders if any((ROOT / folder).rglob("test_*.py"))]
    session.run("python", "-m", "pytest", *(session.posargs or ["-q", *present]))


@nox.session
def snowflake(session: nox.Session) -> None:
    """Run Snowflake's tests over real sessions of Snowpark against a fake account. Arguments go to pytest."""
    lines = (ROOT / CONSTRAINTS).read_text("utf-8").splitlines()
    pins = [line for line in lines if line.partition("==")[0] not in SNOWFLAKE_PINS]
    pins += [f"{name}=={version}" for name, version in SNOWFLAKE_PINS.items()]
    constraint = Path(session.create_tmp()) / "snowflake.txt"
    constraint.write_text("\n".join(pins) + "\n", "utf-8")
    plugin = Path("plugins/snowflake")
    install(session, *BUILD_BACKEND, constraint=str(constraint))
    family = [f"./{path}[testing]" if path == CORE else f"./{path}" for path in siblings(plugin)]
    editables = [word for path in [*family[:-1], f"./{plugin}[sql]"] for word in ("--editable", path)]
    install(session, "--no-build-isolation", *editables, constraint=str(constraint))
    install(session, "fakesnow[server]", "numpy", "pyjwt", constraint=str(constraint))
    session.run("python", "-m", "pytest", *(session.posargs or ["-q", f"{plugin}/tests/test_sql.py"]))


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the fast tests under coverage and print what no test reaches."""
    install_editable(session, *map(with_extras, PACKAGES))
    install(session, *TEST_TOOLS)
    names = ",".join(import_name(package) for package in PACKAGES)
    session.run("coverage", "erase")
    session.run(
        "coverage", "run", f"--source={names}", "-m", "pytest", "-q", "-m", "not model", *session.posargs
    )
    session.run("coverage", "combine")
    session.run("coverage", "report")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format; `nox -s lint -- --fix` repairs what can be repaired."""
    install(session, *LINTERS)
    if "--fix" in session.posargs:
        session.run("ruff", "check", "--fix", ".")
        session.run("ruff", "format", ".")
        return
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types strictly: all sources, then the tests of the public types."""
    install_editable(session, *map(with_extras, PACKAGES))
    install(session, *TYPE_CHECKERS, *TEST_TOOLS)
    sources = [str(package / "src" / import_name(package)) for package in PACKAGES]
    session.run("mypy", *sources, *session.posargs)
    # One run each: the folders hold modules of the same name.
    for folder in [*(package / "tests" / "typing" for package in PACKAGES), Path("tests/typing")]:
        if any((ROOT / folder).glob("*.py")):
            session.run("mypy", str(folder), *session.posargs)
    # It runs on a node of its own, which may hang on a strange machine.
    limited = (
        "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:], timeout=300, check=False).returncode)"
    )
    session.run(
        "python", "-c", limited, "basedpyright", "--pythonpath", shutil.which("python", path=session.bin)
    )


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a broken link or a missing page is an error. `-- serve` shows it while you write."""
    install(session, *DOCS_TOOLS)
    # The theme advertises on stderr unless it is told not to.
    environment = {"NO_MKDOCS_2_WARNING": "1"}
    if session.posargs:
        session.run("mkdocs", *session.posargs, env=environment)
    else:
        session.run("mkdocs", "build", "--strict", "--quiet", "--site-dir", "site", env=environment)


@nox.session(reuse_venv=False)
@nox.parametrize("plugin", [nox.param(path, id=path.name) for path in PLUGINS])
def alone(session: nox.Session, plugin: Path) -> None:
    """Install one plugin and what it needs, nothing else: it imports, passes the kit, drags in no other's SDK."""
    family = siblings(plugin)
    install(session, *(f"./{path}" for path in family))
    module = import_name(plugin)
    session.run("python", "-W", "error", "-c", f"import {module}")
    own = {normalised(need) for path in family for need in project(path).get("dependencies", [])}
    foreign = (distributions(session) & SDKS) - own
    if foreign:
        session.error(
            f"{plugin} drags in {', '.join(sorted(foreign))}, which its pyproject.toml does not name"
        )
    groups = project(plugin).get("entry-points", {})
    for name, target in groups.get("jackfield.extensions.v1", {}).items():
        check = f"from jackfield._extensions import bind_extension; import {target}; assert bind_extension({target}, {name!r})"
        session.run("python", "-W", "error", "-c", check)
    for name in groups.get("jackfield.middlewares.v1", {}):
        check = f"from jackfield import Registry; assert Registry.installed().middleware({name!r}).settings"
        session.run("python", "-W", "error", "-c", check)
    if "jackfield.providers.v1" in groups:
        session.run("python", "-m", "jackfield.testing", module, *KIT_SETTINGS)


@nox.session(reuse_venv=False)
def build(session: nox.Session) -> None:
    """Build each package's sdist and, from it, its wheel; test the wheels in a clean place, on every Python that is here."""
    install(session, *BUILD_TOOLS)
    folder = ROOT / "dist"
    shutil.rmtree(folder, ignore_errors=True)
    for package in PACKAGES:
        session.run(
            "python", "-m", "build", "--no-isolation", "--outdir", str(folder), str(package), silent=True
        )
    session.run("twine", "check", "--strict", *map(str, sorted(folder.iterdir())))
    wheels = sorted(folder.glob("*.whl"))
    for wheel in wheels:
        session.log(f"{wheel.name}: {wheel.stat().st_size / 1000:.0f} kB")
        if not wheel.name.startswith("jackfield-0") and wheel.stat().st_size > 200_000:
            session.error(f"{wheel.name} is over the budget of 200 kB")
    for name, interpreter in pythons(session).items():
        clean = (Path(session.create_tmp()) / f"clean-{name}").resolve()
        session.run(interpreter, "-m", "venv", "--clear", str(clean), external=True)
        python = str(clean / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
        quiet = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--constraint",
            CONSTRAINTS,
        ]
        session.run(
            python,
            *quiet,
            "--find-links",
            str(folder),
            *map(as_requirement, PACKAGES),
            *TEST_TOOLS,
            external=True,
        )
        try_wheels(session, python)


def pythons(session: nox.Session) -> dict[str, str]:
    """Give this Python, and the newer ones that are installed; say which are not."""
    found = {"{}.{}".format(*sys.version_info): sys.executable}
    for minor in range(11, 16):
        name = f"3.{minor}"
        interpreter = installed_python(name)
        if interpreter is not None:
            found.setdefault(name, interpreter)
        elif name not in found:
            session.log(f"Python {name}: not installed here, not run")
    return found


def as_requirement(package: Path) -> str:
    """Write a package as pip looks for it in a folder of wheels: this version, all its light extras."""
    table, extras = project(package), ",".join(light_extras(package))
    return (
        f"{table['name']}[{extras}]=={table['version']}" if extras else f"{table['name']}=={table['version']}"
    )


def try_wheels(session: nox.Session, python: str) -> None:
    """Import what the wheels brought, let the kit check every provider, and run each package's fast tests."""
    imports = "; ".join(f"import {import_name(package)} as it; where(it)" for package in PACKAGES)
    check = "def where(it): assert 'site-packages' in it.__file__, it.__file__\n"
    # Outside the checkout, so that only what the wheels brought can be imported.
    with session.chdir(session.create_tmp()):
        session.run(python, "-W", "error", "-c", check + imports, external=True)
        for package in PACKAGES:
            if "jackfield.providers.v1" in project(package).get("entry-points", {}):
                name = project(package)["name"]
                session.run(
                    python, "-m", "jackfield.testing", name, *KIT_SETTINGS, external=True, silent=True
                )
    folders = [str(path / "tests") for path in PACKAGES if any((ROOT / path / "tests").rglob("test_*.py"))]
    session.run(python, "-m", "pytest", "-q", "-m", "not model", *(session.posargs or folders), external=True)


@nox.session
def template(session: nox.Session) -> None:
    """Render the plugin template in every kind; each passes lint, types, kit and build; an edited project is updated."""
    install(session, *BUILD_BACKEND, *BUILD_TOOLS, *LINTERS, *TYPE_CHECKERS, *TEMPLATE_TOOLS)
    install_editable(session, f"./{CORE}[testing]", "./plugins/openai")
    session.run("python", "tests/try_template.py", *session.posargs)


@nox.session
def examples(session: nox.Session) -> None:
    """Install each project of docs/examples by itself, and run its tests, its kit, lint and types."""
    install(session, *BUILD_BACKEND, *LINTERS, *TYPE_CHECKERS)
    install_editable(session, f"./{CORE}[testing]", "./plugins/openai")
    for folder in sorted(path.parent for path in ROOT.glob("docs/examples/*/pyproject.toml")):
        session.install("--quiet", "--no-build-isolation", "--no-deps", "--editable", str(folder))
        with session.chdir(folder):
            session.run("ruff", "check", "--no-cache", ".")
            session.run("ruff", "format", "--no-cache", "--check", ".")
            session.run("mypy", "src")
            # A test's signature is its fixtures.
            session.run(
                "mypy", "--allow-untyped-defs", "--allow-incomplete-defs", "--allow-untyped-calls", "tests"
            )
            session.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder))


@nox.session(reuse_venv=False)
def lowest(session: nox.Session) -> None:
    """Run the fast tests at the lowest version of every direct dependency that the packages claim to work with.

    Left out: oracles (see `LATEST_ONLY`); the tests of the real local model (`-m model`), as from every session that asks of
    versions, since they take minutes and a download; and what needs a heavy extra, which skips and says so.
    """
    floors: dict[str, str] = {}
    for package in PACKAGES:
        table = project(package)
        optional = table.get("optional-dependencies", {})
        # The tools of tests are not what a user has: pytest and its like are pinned below.
        extras = set(light_extras(package)) - {"testing"}
        needs = [*table.get("dependencies", []), *(need for name in extras for need in optional[name])]
        for need in needs:
            floor = re.search(r">=\s*([0-9][^,;\s]*)", need)
            if floor is not None and not normalised(need).startswith("jackfield"):
                key = normalised(need)
                floors[key] = max(floors.get(key, "0"), floor[1], key=_release)
    # The SDK of telemetry, by which its tests read, is of the API's own version.
    floors["opentelemetry-sdk"] = floors["opentelemetry-api"]
    tools = {"pytest", "pytest-asyncio", "hypothesis", *map(normalised, [*BUILD_BACKEND, *LOWEST_TOOLS])}
    pins = [
        line for line in (ROOT / CONSTRAINTS).read_text("utf-8").splitlines() if line.split("==")[0] in tools
    ]
    constraint = Path(session.create_tmp()) / "lowest.txt"
    constraint.write_text(
        "\n".join([*pins, *(f"{name}=={floor}" for name, floor in sorted(floors.items()))]), "utf-8"
    )
    install(session, *BUILD_BACKEND, constraint=str(constraint))
    # What a package builds on comes before it: no index has it.
    for package in dict.fromkeys(needed for path in PACKAGES for needed in siblings(path)):
        install(
            session, "--no-build-isolation", "--editable", with_extras(package), constraint=str(constraint)
        )
    install(session, *LOWEST_TOOLS, "opentelemetry-sdk", constraint=str(constraint))
    folders = [
        str(package / "tests") for package in PACKAGES if any((ROOT / package / "tests").rglob("test_*.py"))
    ]
    # Old releases may warn on a newer Python; that is not what this session asks.
    arguments = session.posargs or [*LATEST_ONLY, "-q", "-m", "not model", "-W", "default", *folders]
    session.run("python", "-m", "pytest", *arguments)


@nox.session
def together(session: nox.Session) -> None:
    """Resolve all packages with all light extras, free of our pins, on every Python that is installed.

    A resolver that finds no new release that fits takes an old one without a word, so what it takes must not be older
    than what constraints.txt has.
    """
    pinned = dict(
        line.split("==") for line in (ROOT / CONSTRAINTS).read_text("utf-8").split() if "==" in line
    )
    report = Path(session.create_tmp()).resolve() / "report.json"
    for version in PYTHONS:
        python = installed_python(version)
        if python is None:
            session.warn(f"Python {version}: not run, it is not installed here")
            continue
        venv = Path(session.create_tmp()).resolve() / f"venv-{version}"
        session.run(python, "-m", "venv", "--clear", str(venv), external=True)
        pip = str(venv / ("Scripts/pip.exe" if os.name == "nt" else "bin/pip"))
        asked = [
            "--quiet",
            "--disable-pip-version-check",
            "--dry-run",
            "--ignore-installed",
            "--report",
            str(report),
        ]
        # Bare, too: an extra may need a sibling that pip would look for in an index before it reads the next argument.
        everything = [*(f"./{package}" for package in PACKAGES), *map(with_extras, PACKAGES)]
        session.run(pip, "install", *asked, *dict.fromkeys(everything), external=True)
        found = {
            normalised(entry["metadata"]["name"]): entry["metadata"]["version"]
            for entry in json.loads(report.read_text("utf-8"))["install"]
        }
        old = [
            f"{name} {taken} (constraints.txt has {pinned[name]})"
            for name, taken in sorted(found.items())
            if name in pinned and _release(taken) < _release(pinned[name])
        ]
        if old:
            session.error(f"Python {version}: the resolver went back to {', '.join(old)}")
        session.log(f"Python {version}: {len(found)} distributions, none older than in {CONSTRAINTS}")


def installed_python(version: str) -> str | None:
    """Give the interpreter of a Python version; None if there is none that starts."""
    path = shutil.which(f"python{version}")
    if path is None:
        return None
    started = subprocess.run([path, "-c", ""], capture_output=True, check=False)
    return path if started.returncode == 0 else None


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the budgets of the design against a hand-written floor and other libraries.

    `-- --no-peers` leaves the others out (and takes three minutes, not ten), `-- --write` rewrites the page of the docs.
    `-- local` measures the engine of local models instead, beside optimum's and llama.cpp.
    """
    if session.posargs[:1] == ["local"]:
        bench_local(session, list(session.posargs[1:]))
        return
    clouds = ["aws", "anthropic", "cohere", "bedrock"]  # Bedrock and what it builds on
    install_editable(
        session, f"./{CORE}[numpy]", "./plugins/openai", *(f"./plugins/{name}" for name in clouds)
    )
    arguments = list(session.posargs)
    if "--no-peers" not in arguments:
        # Peers pin what they like: they have environments of their own and come without our constraints.
        quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for option, wanted in (("peers", "requirements.txt"), ("aws-peers", "requirements-aws.txt")):
            folder = Path(session.create_tmp()) / option
            session.run("python", "-m", "venv", str(folder))
            python = str(folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
            session.run(python, *quiet, "--requirement", f"bench/{wanted}", external=True)
            arguments += [f"--{option}", python]
    session.run("python", "bench/run.py", *arguments)


@nox.session
def export(session: nox.Session) -> None:
    """Export models with optimum and torch, and hold the local engine to what transformers itself says.

    Not part of the suite: it installs about a gigabyte, at versions that exclude those of constraints.txt.
    """
    pinned = {"pytest", "pytest-asyncio", "hypothesis", *map(normalised, BUILD_BACKEND)}
    lines = (ROOT / CONSTRAINTS).read_text("utf-8").splitlines()
    constraint = Path(session.create_tmp()) / "export.txt"
    constraint.write_text("\n".join(line for line in lines if line.split("==")[0] in pinned), "utf-8")
    install(session, *BUILD_BACKEND, constraint=str(constraint))
    editables = ["--editable", f"./{CORE}[testing]", "--editable", "./plugins/onnx[export]"]
    install(session, "--no-build-isolation", *editables, constraint=str(constraint))
    # The libraries that are compared warn of each other.
    arguments = session.posargs or ["-q", "-W", "default", "plugins/onnx/tests/exported"]
    session.run("python", "-m", "pytest", *arguments)


def bench_local(session: nox.Session, arguments: list[str]) -> None:
    """Measure the engine of local models; the others each in an environment of its own, where they can be had."""
    install_editable(session, f"./{CORE}", "./plugins/onnx[cpu,convert]")
    if "--no-peers" in arguments:
        arguments.remove("--no-peers")
    else:
        place = Path(session.create_tmp()).resolve()
        session.run("python", "-m", "venv", str(place / "optimum"))
        python = str(place / "optimum" / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
        quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        session.run(python, *quiet, "--requirement", "bench/requirements-local.txt", external=True)
        arguments += ["--optimum", python, "--place", str(place / "models")]
        if shutil.which("npm") is None:
            session.warn("npm is not there: llama.cpp is left out")
        else:
            node = place / "node"
            node.mkdir(exist_ok=True)
            with session.chdir(node):
                # No scripts: the second package has the compiled library, so there is nothing to build.
                packages = ["node-llama-cpp@3.22.1", "@node-llama-cpp/linux-x64@3.22.1"]
                session.run("npm", "install", "--ignore-scripts", "--no-audit", *packages, external=True)
            arguments += ["--node", str(node)]
    session.run("python", "bench/local.py", *arguments)


@nox.session
def soak(session: nox.Session) -> None:
    """Use local models badly for half an hour: joins, cancels, prompts that are too long, full queues.

    `-- --minutes 5` for less. Not part of the suite.
    """
    install_editable(session, f"./{CORE}[testing]", "./plugins/onnx[cpu,convert]")
    session.run("python", "bench/soak.py", *session.posargs)


@nox.session
def constraints(session: nox.Session) -> None:
    """Resolve everything together again and rewrite constraints.txt."""
    report = Path(session.create_tmp()) / "report.json"
    tools = [
        *BUILD_BACKEND,
        *LINTERS,
        *TYPE_CHECKERS,
        *DOCS_TOOLS,
        *BUILD_TOOLS,
        *TEMPLATE_TOOLS,
        *TEST_TOOLS,
        "nox",
        "virtualenv",
    ]
    dry_run = ["--quiet", "--dry-run", "--ignore-installed", "--report", str(report)]
    session.run("python", "-m", "pip", "install", *dry_run, *map(with_extras, PACKAGES), *tools)
    found = [entry["metadata"] for entry in json.loads(report.read_text("utf-8"))["install"]]
    pins = {normalised(entry["name"]): entry["version"] for entry in found}
    path = ROOT / CONSTRAINTS
    head = [line for line in path.read_text("utf-8").splitlines() if line.startswith("#")]
    lines = [
        f"{name}=={version}" for name, version in sorted(pins.items()) if not name.startswith("jackfield")
    ]
    path.write_text("\n".join([*head, *lines]) + "\n", "utf-8")
