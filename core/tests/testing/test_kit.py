import asyncio
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from jackfield.testing import Case, FakeProvider, Result, check_provider, checks, conformance
from jackfield.testing.__main__ import main
from jackfield.testing._table import result_table

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # the plugins under test are imported by name, also in fresh processes

import conformance_acme as acme  # noqa: E402
import conformance_answer_faults as answer_faults  # noqa: E402
import conformance_request_faults as request_faults  # noqa: E402

FAULTS = [*request_faults.FAULTS, *answer_faults.FAULTS]

UNREACHED = {
    "packaging.entry_point",
    "packaging.distribution_name",
    "packaging.typed",
    "packaging.core_bound",
    "answers.scores",
    "answers.count",
}


def outcomes(plugin, *cases, **options):
    return {result.check: result for result in check_provider(plugin, *cases, **options)}


def test_a_sound_provider_keeps_every_law():
    results = outcomes(acme.plugin, *acme.CASES)
    assert {name for name, result in results.items() if result.outcome == "skipped"} == UNREACHED
    others = [
        str(result)
        for name, result in results.items()
        if name not in UNREACHED and result.outcome != "passed"
    ]
    assert others == []


@pytest.mark.parametrize(
    ("plugin", "ids"), [pytest.param(cls, ids, id=f"{cls.__name__}-{ids[0]}") for cls, ids in FAULTS]
)
def test_a_fault_is_caught_by_the_check_meant_for_it(plugin, ids):
    results = outcomes(plugin(), *acme.CASES, only=ids)
    assert {name: result.outcome for name, result in results.items()} == dict.fromkeys(ids, "failed")
    for result in results.values():
        assert result.reason
        assert result.law in str(result)
        assert result.remedy in str(result)


def test_a_claim_without_a_case_is_a_warning():
    results = outcomes(acme.plugin, acme.CASES[1], only=["claims.exercised"])
    assert results["claims.exercised"].outcome == "warned"
    assert "it says tools" in results["claims.exercised"].reason
    assert results["claims.exercised"].ok


def test_most_checks_have_a_fault_that_they_catch():
    caught = {name for _, ids in FAULTS for name in ids}
    known = {check.id for check in checks()}
    assert caught <= known
    new = {check.id for check in checks() if check.new}
    elsewhere = {  # caught below, or by laws that only a whole distribution can break
        *UNREACHED, "loading.imports", "loading.no_sdk", "loading.fast_import", "loading.no_side_effects",
        "claims.exercised", "answers.thinking", "stream.keep_alives", "transport.one_connection",
        "transport.cancel_waiting", "transport.cancel_streaming", "transport.two_loops", "options.batch_truncation",
    }  # fmt: skip
    assert known - caught - new - elsewhere == {"loading.binds"} - caught


MODULE = """
    import sys, os, time, threading
    {fault}
    from conformance_acme import Acme
    plugin = Acme()
    for _name in dir(plugin):
        if _name.startswith("jackfield_"):
            globals()[_name] = getattr(plugin, _name)
"""


@pytest.mark.parametrize(
    ("id", "fault"),
    [
        ("loading.no_sdk", "import openai"),
        ("loading.imports", "import jackfield_nothing_of_this_name"),
        ("loading.no_side_effects", "os.environ['X_ACME'] = '1'"),
        ("loading.no_side_effects", "threading.Thread(target=time.sleep, args=(0.5,)).start()"),
        ("loading.no_side_effects", "import socket; socket.socket().close()"),
        ("loading.fast_import", "t = time.process_time()\n    while time.process_time() - t < 0.15: pass"),
    ],
)
def test_what_an_import_must_not_do(tmp_path, monkeypatch, id, fault):
    (tmp_path / "openai.py").write_text("")
    (tmp_path / "acme_import.py").write_text(textwrap.dedent(MODULE.format(fault=fault)))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("jackfield.testing._checks_loading._import_of", _fresh)
    plugin = type(sys)("acme_import")
    results = outcomes(plugin, only=[id])
    assert results[id].outcome == "failed"


def _fresh(module):
    from jackfield.testing._import_probe import import_afresh

    return import_afresh(module)


def test_packaging_faults_are_caught(tmp_path, monkeypatch):
    (tmp_path / "acme_packed").mkdir()
    (tmp_path / "acme_packed/__init__.py").write_text(textwrap.dedent(MODULE.format(fault="")))
    info = tmp_path / "something_else-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: something-else\nVersion: 1.0\nRequires-Dist: jackfield\n"
    )
    (info / "entry_points.txt").write_text("[jackfield.providers.v1]\nacmee = acme_packed\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import acme_packed

    results = outcomes(acme_packed, only=["packaging"])
    assert {result.outcome for result in results.values()} == {"failed"}
    assert "'acmee'" in results["packaging.entry_point"].reason


def test_expected_failures_are_strict_and_want_a_reason():
    name, cls = "stream.empty", next(cls for cls, ids in FAULTS if "stream.empty" in ids)
    reason = {name: "the service ends streams that way"}
    assert outcomes(cls(), *acme.CASES, only=[name], expected_failures=reason)[name].outcome == "xfailed"
    passed = outcomes(acme.plugin, *acme.CASES, only=[name], expected_failures=reason)[name]
    assert (passed.outcome, passed.ok) == ("xpassed", False)
    with pytest.raises(ValueError, match="did you mean 'stream.empty'"):
        check_provider(acme.plugin, expected_failures={"stream.emtpy": "x"})
    with pytest.raises(ValueError, match="wants a reason"):
        check_provider(acme.plugin, expected_failures={name: " "})


def test_what_cannot_be_bound_is_looked_at_no_further():
    results = check_provider(FAULTS[0][0](), *acme.CASES)
    assert all(
        result.outcome == "skipped"
        for result in results
        if not result.check.startswith(("loading", "packaging"))
    )
    assert any(result.outcome == "failed" for result in results)


@conformance(acme.plugin, *acme.CASES)
def test_the_decorator(check):
    check()


@conformance(FakeProvider())
def test_the_fake_provider_conforms(check):
    check()


def test_it_works_inside_a_running_loop():
    async def inside():
        return outcomes(acme.plugin, *acme.CASES, only=["transport"])

    results = asyncio.run(inside())
    assert {result.outcome for result in results.values()} == {"passed"}


def test_a_case_may_be_a_file_beside_the_test(tmp_path):
    (tmp_path / "hello.sse").write_bytes(acme.HELLO)
    case = Case(model="acme-1", wire="hello.sse", text="Grüß Gott")
    assert (
        outcomes(acme.plugin, case, only=["answers.text"], folders=[tmp_path])["answers.text"].outcome
        == "passed"
    )
    missing = outcomes(acme.plugin, case, only=["answers.text"])["answers.text"]
    assert missing.outcome == "failed"
    assert "hello.sse" in missing.reason


def test_the_command_line(capsys):
    assert main(["conformance_acme:plugin", "--cases", "conformance_acme:CASES", "-v"]) == 0
    assert "91 passed" in capsys.readouterr().out
    assert main(["conformance_answer_faults:SwallowsTheCut", "--list"]) == 0
    assert "stream.truncated" in capsys.readouterr().out
    assert main(["conformance_acme:plugin", "--cases", "conformance_acme:CASES", "--markdown"]) == 0
    assert "| `tools` | yes | unknown |" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["conformance_acme:plugin", "--only", "steam.empty"])
    assert "did you mean 'stream.empty'" in capsys.readouterr().err


def test_a_failure_is_exit_code_1(tmp_path):
    (tmp_path / "broken_acme.py").write_text(
        "from conformance_answer_faults import Milliseconds\nplugin = Milliseconds()\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "jackfield.testing", "broken_acme:plugin", "--only", "errors"],
        env={"PYTHONPATH": f"{tmp_path}:{HERE}", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "FAIL   errors.retry_after" in done.stdout
    assert "remedy" in done.stdout


def test_the_package_is_light():
    code = (
        "import sys, jackfield.testing; print([m for m in sys.modules if m.startswith('jackfield.testing.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_check_speaks_in_sentences():
    ids = [check.id for check in checks()]
    assert len(ids) == len(set(ids)) >= 60
    for check in checks():
        assert check.law.endswith("."), check.id
        assert check.remedy, check.id
        assert check.since, check.id
    results = [Result(check="a.b", outcome="failed", reason="r", law="l.", remedy="m")]
    assert "remedy  m" in result_table(results)
