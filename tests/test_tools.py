"""The programs that sessions of nox run, and the noxfile itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tools import (
    alone,
    browser,
    commands,
    constraints,
    examples,
    install,
    limited,
    lowest,
    peers,
    pins,
    together,
    wheels,
    workspace,
)

ROOT = Path(__file__).parents[1]
CORE = Path("core")
NOXFILE_LINES = 220


@pytest.fixture
def ran(monkeypatch):
    """Record the commands of all programs in place of running them."""
    done = []
    for module in (alone, constraints, examples, install, peers, together, wheels):
        if hasattr(module, "run"):
            monkeypatch.setattr(module, "run", lambda *words, **options: done.append([*map(str, words)]))
    return done


def test_the_noxfile_holds_sessions_and_no_program():
    text = (ROOT / "noxfile.py").read_text("utf-8")
    functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    assert {node.name for node in functions if not node.decorator_list} == {
        "install",
        "install_for_tests",
        "write_pins",
    }
    assert len(text.splitlines()) <= NOXFILE_LINES, "a program of a session belongs to tools/"


def test_each_example_is_checked_in_its_own_folder(monkeypatch):
    done = []
    monkeypatch.setattr(examples, "run", lambda *words, cwd: done.append((words[1:3], cwd)))
    examples.main(["docs/examples/a", "docs/examples/b"])
    programs = [("-m", name) for name in ("ruff", "ruff", "mypy", "mypy", "pytest")]
    assert done == [(program, ROOT / "docs/examples" / name) for name in ("a", "b") for program in programs]


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "tools").glob("*.py")))
def test_a_program_needs_nothing_but_python_to_be_imported(name):
    """nox imports some of them from an environment that has nox alone; a session runs them before it installs."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import tools.{name}"
    # No site-packages.
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)


# The repository


def test_packages_are_found_by_looking():
    assert workspace.PACKAGES[0] == CORE
    assert {path.name for path in workspace.PLUGINS} == {
        path.parent.name for path in ROOT.glob("plugins/*/pyproject.toml")
    }


@pytest.mark.parametrize(
    ("requirement", "name"),
    [
        ("Jackfield_OpenAI>=0.1", "jackfield-openai"),
        ("moto[server]", "moto"),
        ("zope.interface ; extra", "zope-interface"),
    ],
)
def test_a_requirement_has_a_normalised_name(requirement, name):
    assert workspace.normalised(requirement) == name


def test_what_is_not_a_requirement_is_refused():
    with pytest.raises(ValueError, match="not a valid requirement: '>=3'"):
        workspace.normalised(">=3")


def test_siblings_come_before_what_builds_on_them():
    found = [path.name for path in workspace.siblings(Path("plugins/azure-llm"))]
    assert found == ["core", "openai", "anthropic", "azure-openai", "azure-llm"]


def test_what_an_extra_needs_comes_before_its_package():
    found = [path.name for path in workspace.closure([Path("plugins/anthropic")])]
    assert found == ["core", "aws", "anthropic"]
    assert Path("plugins/aws") not in workspace.siblings(Path("plugins/anthropic"))


def test_a_closure_has_every_package_once_and_in_an_order_that_can_be_installed():
    found = workspace.closure(workspace.PACKAGES)
    assert sorted(found) == sorted(workspace.PACKAGES)
    for place, package in enumerate(found):
        assert set(workspace.siblings(package)) <= set(found[: place + 1])


def test_heavy_extras_are_left_out():
    assert workspace.with_extras(Path("plugins/onnx")) == "./plugins/onnx[cpu,convert]"
    assert workspace.with_extras(Path("plugins/snowflake")) == "./plugins/snowflake"


def test_a_second_import_package_does_not_name_the_distribution():
    assert workspace.import_name(Path("plugins/onnx")) == "jackfield_onnx"


def test_a_group_holds_what_its_groups_hold():
    assert {"copier", "ruff", "mypy", "twine"} <= set(workspace.group("template"))
    assert workspace.group("nothing of this name") == []


def test_all_tools_are_pinned():
    names = {*workspace.tools_of_sessions(), *workspace.needs_of_tests()[1]}
    assert {workspace.normalised(name) for name in names} <= pins.read_pins().keys()


ALL = list(workspace.PACKAGES)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ALL),
        (["-k", "retry"], ALL),
        (["core/tests", "-k", "retry"], [CORE]),
        (["-q", "core/tests/test_exports.py::test_something"], [CORE]),
        (["plugins/openai/tests", "core/tests", "plugins/openai/tests"], [Path("plugins/openai"), CORE]),
        (["core/tests", "tests"], ALL),
        (["--ignore", "core/tests"], ALL),  # everything but these
        (["--ignore=core/tests"], ALL),
        (["-k", "core"], ALL),  # an expression, though there is a folder of this name
        (["core/tests/that_is_not_there.py"], ALL),
    ],
)
def test_paths_of_tests_select_packages(arguments, expected):
    assert workspace.selected(arguments) == expected


def test_tests_of_one_package_need_few_others():
    packages, requirements = workspace.needs_of_tests([Path("plugins/mistral")])
    assert packages == [CORE, Path("plugins/openai"), Path("plugins/mistral")]
    assert requirements == ["coverage", "mistralai", "pytest-xdist"]


def test_a_package_may_test_itself_with_another_of_the_repository():
    packages, requirements = workspace.needs_of_tests([CORE])
    assert packages == [CORE, Path("plugins/cache"), Path("plugins/openai")]
    assert requirements == ["coverage", "pytest-xdist"], "no index has a package of ours"


def test_the_code_of_pages_has_what_it_needs_where_it_is_run():
    assert set(workspace.group("pages")) <= set(workspace.needs_of_tests()[1])


# Pins


def test_pins_can_be_picked_and_replaced(tmp_path):
    (tmp_path / "over.txt").write_text("# why\nruff==0.1\n", "utf-8")
    pins.main(
        [str(tmp_path / "out.txt"), "--only", "ruff", "moto[server]", "--over", str(tmp_path / "over.txt")]
    )
    found = pins.read_pins(tmp_path / "out.txt")
    assert found == {"moto": pins.read_pins()["moto"], "ruff": "0.1"}


def test_the_pins_of_snowflakes_sql_stand_over_ours(tmp_path):
    own = ROOT / "plugins/snowflake/constraints-sql.txt"
    pins.main([str(tmp_path / "out.txt"), "--over", str(own)])
    found = pins.read_pins(tmp_path / "out.txt")
    assert found["protobuf"] == pins.read_pins(own)["protobuf"] != pins.read_pins()["protobuf"]
    assert found["aiohttp"] == pins.read_pins()["aiohttp"]


def test_new_constraints_keep_the_head_of_the_file_and_leave_our_packages_out(tmp_path, monkeypatch, ran):
    file = tmp_path / "constraints.txt"
    pins.write_pins(file, {"old": "1"}, head=["# why"])
    monkeypatch.setattr(constraints, "CONSTRAINTS", file)
    monkeypatch.setattr(
        constraints, "resolve", lambda *_: {"zebra": "2", "jackfield-openai": "0.1.0", "attrs": "25.1"}
    )
    constraints.main()
    assert file.read_text("utf-8") == "# why\nattrs==25.1\nzebra==2\n"


def test_the_lowest_version_of_a_distribution_is_the_highest_floor():
    needs = ["orjson>=3.9", "orjson >= 3.10", "tenacity>=9,<9.2", "jackfield-openai>=0.1", "click"]
    assert lowest.floors(needs) == {"orjson": "3.10", "tenacity": "9"}


def test_users_dependencies_are_lowest_and_tools_of_tests_are_not():
    found = lowest.lowest()
    assert found["pluggy"] == "1.6"
    assert found["pytest"] == pins.read_pins()["pytest"]
    assert found["opentelemetry-sdk"] == found["opentelemetry-api"]
    assert "openai" not in found, "an oracle is always the newest"


def test_a_release_older_than_its_pin_is_found():
    found = {"a": "1.9", "b": "1.10", "c": "0.1"}
    assert together.older(found, {"a": "1.10", "b": "1.10"}) == ["a 1.9 (constraints.txt has 1.10)"]


# Installing


@pytest.fixture
def environment(tmp_path, monkeypatch, ran):
    """A repository of two packages, an environment that records, and the commands that would have run in it."""
    monkeypatch.setattr(install, "RECORD", tmp_path / "record.json")
    monkeypatch.setattr(install, "ROOT", tmp_path)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pyproject.toml").write_text(f"[project]\nname = '{name}'\n", "utf-8")
    (tmp_path / "pins.txt").write_text("ruff==1\n", "utf-8")

    def run_install(*arguments):
        ran.clear()
        install.main(["--constraint", str(tmp_path / "pins.txt"), *arguments])
        return [
            word for command in ran for word in command if word in {"./one[cli]", "./two", "ruff", "mypy"}
        ]

    return run_install


EVERYTHING = ("--editable=./one[cli]", "--editable=./two", "ruff", "mypy")


def test_what_is_there_is_not_installed_again(environment):
    assert environment(*EVERYTHING) == ["./one[cli]", "./two", "ruff", "mypy"]
    assert environment(*EVERYTHING) == []
    assert environment("--editable=./two", "ruff") == [], "less than what is there"


def test_what_is_new_is_installed_beside_what_is_there(environment):
    environment("--editable=./two", "ruff")
    assert environment(*EVERYTHING) == ["./one[cli]", "mypy"]
    assert environment(*EVERYTHING) == []


def test_a_package_is_installed_again_when_its_pyproject_changes(environment, tmp_path):
    environment(*EVERYTHING)
    (tmp_path / "two/pyproject.toml").write_text("[project]\nname = 'two'\nversion = '2'\n", "utf-8")
    assert environment(*EVERYTHING) == ["./two"]


def test_everything_is_installed_again_when_the_pins_change(environment, tmp_path):
    environment(*EVERYTHING)
    (tmp_path / "pins.txt").write_text("ruff==2\n", "utf-8")
    assert environment(*EVERYTHING) == ["./one[cli]", "./two", "ruff", "mypy"]


def test_nothing_is_taken_for_granted_after_an_installation_that_failed(environment, monkeypatch):
    environment("--editable=./two", "ruff")
    with monkeypatch.context() as patch:
        patch.setattr(install, "run", lambda *_: sys.exit("pip failed"))
        with pytest.raises(SystemExit):
            environment(*EVERYTHING)
    assert environment(*EVERYTHING) == ["./one[cli]", "./two", "ruff", "mypy"]


def test_a_plugin_that_brings_the_sdk_of_another_is_found():
    installed = {"jackfield", "openai", "boto3", "attrs"}
    assert alone.foreign(Path("plugins/openai"), installed) == ["boto3", "openai"]
    assert alone.foreign(Path("plugins/bedrock"), installed) == ["openai"], (
        "aws, which it builds on, names boto3"
    )


def test_a_distribution_without_entry_points_is_no_plugin():
    with pytest.raises(SystemExit, match="jackfield-of-nobody has no entry point"):
        alone.check_entry_points("jackfield-of-nobody")
    alone.check_entry_points(
        "jackfield-of-nobody", expected=False
    )  # a library, which programs import themselves


def test_an_entry_point_that_cannot_be_used_is_found(tmp_path, monkeypatch):
    from jackfield import Registry

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(Registry, "_entry_points", None)
    monkeypatch.setattr(Registry, "_by_lists", {})
    info = tmp_path / "jackfield_broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: jackfield-broken\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text(
        "[jackfield.extensions.v1]\nbroken = jackfield_not_there\n", "utf-8"
    )
    with pytest.raises(SystemExit, match="the extension broken is failed: .*jackfield_not_there"):
        alone.check_entry_points("jackfield-broken")


def test_a_wheel_is_asked_for_with_its_version_and_extras():
    core = workspace.project(CORE)
    assert wheels.requirement(CORE) == f"jackfield[cli,testing,keyring,numpy]=={core['version']}"
    assert wheels.requirement(Path("plugins/openai")).startswith("jackfield-openai==")


# Benchmarks


@pytest.fixture
def everything(tmp_path, monkeypatch):
    """Let environments be made at once, and return the arguments that name the one with all our packages."""
    monkeypatch.setattr(peers, "make_environment", commands.python_of)
    return ["--everything", commands.python_of(tmp_path / "everything")]


def test_a_benchmark_without_peers_installs_only_our_packages(tmp_path, ran, everything):
    peers.main([str(tmp_path), "--no-peers", "--rounds", "3", "--write"])
    peers.main([str(tmp_path), "local", "--no-peers", "--models", "a", "b"])
    peers.main([str(tmp_path), "gateway", "--rounds", "2"])
    peers.main([str(tmp_path), "pace", "--minutes", "2"])
    install_ours, *benchmarks = ran
    assert install_ours[:3] == [everything[1], "-m", "tools.install"]
    assert "--editable=./core" in install_ours
    assert len(install_ours) == 3 + len(workspace.PACKAGES) + 1
    assert [command[1:] for command in benchmarks] == [
        ["bench/run.py", "--rounds", "3", "--write", *everything, "--no-peers"],
        ["bench/local.py", "--models", "a", "b"],
        ["bench/gateway.py", "--rounds", "2"],
        ["bench/pace.py", "--minutes", "2"],
    ]


def test_a_benchmark_gets_the_addresses_of_its_peers(tmp_path, ran, everything):
    peers.main([str(tmp_path), "--write"])
    installed = [command[-1] for command in ran if "--requirement" in command]
    assert installed == ["bench/requirements.txt", "bench/requirements-aws.txt"]
    addresses = [
        "--peers",
        commands.python_of(tmp_path / "peers"),
        "--aws-peers",
        commands.python_of(tmp_path / "aws-peers"),
    ]
    assert ran[-1][1:] == ["bench/run.py", "--write", *everything, *addresses]


# Commands


def test_a_command_that_fails_ends_the_program_with_its_words(capfd):
    code = "print('what it said'); raise SystemExit(3)"
    with pytest.raises(SystemExit, match="failed in .* with exit code 3"):
        commands.run(sys.executable, "-c", code, quiet=True)
    assert "what it said" in capfd.readouterr().err


def test_a_quiet_command_that_succeeds_prints_nothing(capfd):
    commands.run(sys.executable, "-c", "print('what it said')", quiet=True)
    assert capfd.readouterr() == ("", "")


def test_this_python_is_the_first_interpreter():
    found = commands.interpreters()
    assert next(iter(found.values())) == sys.executable
    assert all(commands.interpreter(version) for version in [*found][1:])
    assert commands.interpreter("3.4321") is None


def test_a_limited_command_keeps_its_exit_code():
    assert limited.main(["600", sys.executable, "-c", "raise SystemExit(7)"]) == 7


def test_a_limited_command_is_ended(capsys):
    # It waits for input that never comes.
    code = "import signal; signal.pause()"
    assert limited.main(["0.2", sys.executable, "-c", code]) == 124
    assert "did not end within 0.2 s" in capsys.readouterr().err


def test_the_console_is_walked_by_a_chromium_that_is_named(monkeypatch):
    asked = []

    def run(command, *, env, check):
        asked.append((command[2:], env["JACKFIELD_CHROMIUM"], env.get("JACKFIELD_WRITE_PICTURES")))
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setattr(browser.subprocess, "run", run)
    monkeypatch.setenv("JACKFIELD_CHROMIUM", "/opt/chromium")
    assert browser.main(["--write", "-x"]) == 3
    assert browser.main([]) == 3
    assert asked == [
        (["pytest", "-q", "-x"], "/opt/chromium", "1"),
        (["pytest", "-q", browser.TESTS], "/opt/chromium", None),
    ]


@pytest.mark.parametrize(("ci", "status"), [("", 0), ("true", 1)])
def test_without_chromium_nothing_is_run_and_ci_fails(monkeypatch, ci, status):
    monkeypatch.setenv("CI", ci)
    monkeypatch.delenv("JACKFIELD_CHROMIUM", raising=False)
    monkeypatch.setattr(browser.shutil, "which", lambda name: None)
    assert browser.main([]) == status
