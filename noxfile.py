"""Run the checks of the repository: `nox -l` lists them, `nox -s NAME` runs one, arguments follow `--`.

Versions come from constraints.txt. Programs of ours are in tools/, which finds packages by looking: a new one needs no edit here.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import nox

sys.path.insert(0, str(Path(__file__).parent))  # nox loads this file by its path

from tools import workspace
from tools.workspace import PACKAGES, group, with_extras

nox.needs_version = ">=2024.10.9"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["tests", "lint", "types", "docs"]

PINS, PIP = "constraints.txt", ("--quiet", "--disable-pip-version-check", "--constraint")
FAST = ("-q", "-m", "not model")
TESTING, OPENAI, ONNX = "./core[testing]", "./plugins/openai", "./plugins/onnx[cpu,convert]"
DEMO_PROMPT = "What is the capital of Japan? Answer in one sentence."


def install(session: nox.Session, *names: str, editable: Iterable[str] = (), pins: str = PINS) -> None:
    """Install packages of this repository for development, and others by name; skip what is already there."""
    options = [f"--editable={package}" for package in editable]
    session.run_install("python", "-m", "tools.install", "--constraint", pins, *options, *names)


def install_for_tests(session: nox.Session, *names: str, arguments: Sequence[str] = ()) -> None:
    """Install what pytest needs when it runs with these arguments: all packages, or those that paths name."""
    packages, tools = workspace.needs_of_tests(workspace.selected(arguments))
    install(session, *tools, *names, editable=map(with_extras, packages))


def write_pins(session: nox.Session, program: str, *arguments: str) -> str:
    """Let a program of tools/ write a file of constraints, and return its path."""
    path = str(Path(session.create_tmp()).resolve() / "constraints.txt")
    session.run_install("python", "-m", f"tools.{program}", path, *arguments)
    return path


@nox.session
def demo(session: nox.Session) -> None:
    """Answer a question on this machine: no key, no account. Arguments replace the question."""
    install(session, editable=["./core[cli]", ONNX])
    session.run("jackfield", "chat", *(session.posargs or [DEMO_PROMPT]))


@nox.session
def serve(session: nox.Session) -> None:
    """Serve the local model to any OpenAI or Anthropic client: no key, no account. Arguments go to `jackfield serve`."""
    install(session, editable=["./core[cli]", ONNX, "./plugins/surfaces", "./plugins/gateway"])
    session.run("jackfield", "serve", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run every test, all packages in one environment. Arguments go to pytest; paths limit what is installed, too."""
    install_for_tests(session, arguments=session.posargs)
    folders = [*workspace.folders_of_tests(), "tests"]
    session.run("python", "-m", "pytest", *(session.posargs or ["-q", "-n", "auto", *folders]))


@nox.session
def snowflake(session: nox.Session) -> None:
    """Run Snowflake's tests over real sessions of Snowpark against a fake account. Arguments go to pytest."""
    core, *family, plugin = workspace.siblings(Path("plugins/snowflake"))
    pins = write_pins(session, "pins", "--over", f"{plugin}/constraints-sql.txt")
    editable = [f"./{core}[testing]", *(f"./{path}" for path in family), f"./{plugin}[sql]"]
    install(session, *group("sql", package=plugin), editable=editable, pins=pins)
    session.run("python", "-m", "pytest", *(session.posargs or ["-q", f"{plugin}/tests/test_sql.py"]))


@nox.session
def fuzz(session: nox.Session) -> None:
    """Feed plugins with mutants of samples and recorded answers: `-- bedrock -n 50000` names plugins, and how many each."""
    install_for_tests(session)
    session.run("python", "-W", "ignore", "tests/support/fuzz.py", *session.posargs)


@nox.session(name="gateway")
@nox.session(name="gateway_newest")
@nox.session(name="gateway_slow")
def gateway(session: nox.Session) -> None:
    """Let real clients work through the gateway, without a network: pinned ones, the newest, or the slow ones."""
    install_for_tests(session, arguments=["plugins/gateway/tests"])
    session.run("python", "-m", "tools.clients", session.create_tmp(), session.name, *session.posargs)


@nox.session
def console(session: nox.Session) -> None:
    """Use the administrator's console in Chromium; `-- --write` takes the pictures of the docs anew."""
    install_for_tests(session, *group("browser"), arguments=["plugins/console/tests"])
    session.run("python", "-m", "tools.browser", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the fast tests under coverage and print what no test reaches."""
    install_for_tests(session)
    names = ",".join(map(workspace.import_name, PACKAGES))
    tests = ["run", f"--source={names}", "-m", "pytest", *FAST, *session.posargs]
    for arguments in (["erase"], tests, ["combine"], ["report"]):
        session.run("coverage", *arguments)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format; `nox -s lint -- --fix` repairs what can be repaired."""
    install(session, *group("lint"))
    fix = "--fix" in session.posargs
    session.run("ruff", "check", *(["--fix"] if fix else []), ".")
    session.run("ruff", "format", *([] if fix else ["--check"]), ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types strictly: all sources, what sessions run, then the tests of the public types."""
    install_for_tests(session, *group("types"))
    sources = [f"{package}/src/{workspace.import_name(package)}" for package in PACKAGES]
    session.run("mypy", *sources, "tools", "noxfile.py", *session.posargs)
    for folder in workspace.folders_of_types():  # one run each: they hold modules of the same name
        session.run("mypy", folder, *session.posargs)
    python = shutil.which("python", path=session.bin) or "python"
    session.run("python", "-m", "tools.limited", "300", "basedpyright", "--pythonpath", python)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a broken link or a missing page is an error. `-- serve` shows it while you write."""
    install(session, *group("docs"))
    arguments = session.posargs or ["build", "--strict", "--quiet", "--site-dir", "site"]
    session.run("mkdocs", *arguments, env={"NO_MKDOCS_2_WARNING": "1"})  # else the theme advertises on stderr


@nox.session(reuse_venv=False)
@nox.parametrize("plugin", [nox.param(path, id=path.name) for path in workspace.PLUGINS])
def alone(session: nox.Session, plugin: Path) -> None:
    """Install one plugin and what it needs, nothing else: it imports, passes the kit, brings no other provider's SDK."""
    session.install(*PIP, PINS, *(f"./{path}" for path in workspace.siblings(plugin)))
    session.run("python", "-W", "error", "-m", "tools.alone", str(plugin))


@nox.session(reuse_venv=False)
def build(session: nox.Session) -> None:
    """Build each package's sdist and, from it, its wheel; test the wheels in a clean place, on every installed Python."""
    install(session, *group("build"))
    session.run("python", "-m", "tools.wheels", *session.posargs)


@nox.session
def template(session: nox.Session) -> None:
    """Render the plugin template in every kind and run each project's nox; an edited project is updated."""
    install(session, *group("template"), *group("build-backend"), editable=[TESTING, OPENAI])
    session.run("python", "-m", "tools.template", *session.posargs)


@nox.session
def examples(session: nox.Session) -> None:
    """Install the projects of docs/examples, and run the tests, the kit, lint and types of each."""
    folders = [path.parent for path in sorted(Path().glob("docs/examples/*/pyproject.toml"))]
    install(session, *group("examples"), editable=[TESTING, OPENAI, *(f"./{folder}" for folder in folders)])
    session.run("python", "-m", "tools.examples", *map(str, folders))


@nox.session(reuse_venv=False)
def lowest(session: nox.Session) -> None:
    """Run the fast tests at the lowest version of every direct dependency that the packages claim to work with."""
    pins = write_pins(session, "lowest")
    session.install(*PIP, pins, *group("build-backend"))
    for package in workspace.closure(PACKAGES):  # what a package builds on comes before it: no index has it
        session.install(*PIP, pins, "--no-build-isolation", "--editable", with_extras(package))
    session.install(*PIP, pins, *group("lowest"))
    # Left out: comparisons with the official SDKs, always the newest. Old releases may warn on a newer Python.
    options = ("--ignore-glob=*oracle*.py", *FAST, "-W", "default")
    session.run("python", "-m", "pytest", *(session.posargs or [*options, *workspace.folders_of_tests()]))


@nox.session
def together(session: nox.Session) -> None:
    """Resolve all packages with all light extras, free of our pins, on every installed Python; no old release is taken."""
    session.run("python", "-m", "tools.together")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the budgets beside other libraries. `-- --no-peers`, `--write`, `local`, `gateway` and `pace` choose what is done."""
    install(session, editable=workspace.needs_of_benchmark(session.posargs))
    session.run("python", "-m", "tools.peers", session.create_tmp(), *session.posargs)


@nox.session
def export(session: nox.Session) -> None:
    """Compare the local engine with transformers itself: optimum and torch export its models. Installs a gigabyte."""
    tools = ["pytest", "pytest-asyncio", "hypothesis", *group("build-backend")]
    pins = write_pins(session, "pins", "--only", *tools)
    install(session, editable=[TESTING, "./plugins/onnx[export]"], pins=pins)
    # The libraries that are compared warn of each other.
    arguments = session.posargs or ["-q", "-W", "default", "plugins/onnx/tests/exported"]
    session.run("python", "-m", "pytest", *arguments)


@nox.session
def soak(session: nox.Session) -> None:
    """Misuse local models for half an hour, or as long as `-- --minutes 5` says: cancels, long prompts, full queues."""
    install(session, editable=[TESTING, ONNX])
    session.run("python", "bench/soak.py", *session.posargs)


@nox.session
def constraints(session: nox.Session) -> None:
    """Resolve everything together again and rewrite constraints.txt."""
    session.run("python", "-m", "tools.constraints")
