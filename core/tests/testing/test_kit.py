import asyncio
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import conformance_acme as acme
import conformance_answer_faults as answer_faults
import conformance_engine_faults as engine_faults
import conformance_error_faults as error_faults
import conformance_hook_faults as hook_faults
import conformance_message_faults as message_faults
import conformance_request_faults as request_faults
import conformance_silent_faults as silent_faults
import conformance_transport_faults as transport_faults
import pytest

from jackfield import OverloadedError
from jackfield.testing import Case, FakeProvider, Result, check_provider, checks, conformance
from jackfield.testing.__main__ import main
from jackfield.testing._table import result_table

HERE = Path(__file__).parent

FAULTS = [
    fault
    for module in (
        request_faults,
        hook_faults,
        message_faults,
        error_faults,
        silent_faults,
        answer_faults,
        transport_faults,
    )
    for fault in module.FAULTS
]

UNREACHED = {
    "packaging.entry_point",
    "packaging.distribution_name",
    "packaging.typed",
    "packaging.core_bound",
    "answers.scores",
    "answers.count",
    "cost.tiers",
    "transport.engine_loops",
    "transport.engine_left",
    "transport.engine_closes",
}


def outcomes(plugin, *cases, **options):
    return {result.check: result for result in check_provider(plugin, *cases, **options)}


def test_a_sound_provider_keeps_every_law():
    results = outcomes(acme.plugin, *acme.CASES, *acme.MORE_CASES)
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
def test_a_fault_is_caught_by_the_check_meant_for_it(plugin, ids, monkeypatch):
    monkeypatch.setattr("jackfield.testing._check.core_version", lambda: "99.0")  # no check is new any more
    results = outcomes(plugin(), *acme.CASES, *acme.MORE_CASES, only=ids)
    assert {name: result.outcome for name, result in results.items()} == dict.fromkeys(ids, "failed")
    for result in results.values():
        assert result.reason
        assert result.law in str(result)
        assert result.remedy in str(result)


@pytest.mark.parametrize(
    ("plugin", "ids"),
    [pytest.param(cls, ids, id=f"{cls.__name__}-{ids[0]}") for cls, ids in engine_faults.FAULTS],
)
def test_a_fault_of_an_engine_is_caught(plugin, ids):
    case = Case(model="acme-1", wire=[engine_faults.ANSWER], text="Hm", name="hm")
    results = outcomes(plugin(), case, only=ids, in_process=True)
    assert {result.outcome for result in results.values()} == {"warned"}
    assert outcomes(plugin(), case, only=ids)[ids[0]].outcome == "skipped"


def test_a_sound_engine_keeps_every_law():
    case = Case(model="acme-1", wire=[engine_faults.ANSWER], text="Hm", name="hm")
    results = outcomes(engine_faults.InProcess(), case, in_process=True)
    others = [str(one) for one in results.values() if one.outcome not in {"passed", "skipped"}]
    assert [one for one in others if "claims.exercised" not in one] == []
    assert {results[f"transport.engine_{name}"].outcome for name in ("loops", "left", "closes")} == {"passed"}


def test_a_sound_transport_of_its_own_keeps_every_law():
    results = outcomes(transport_faults.OwnTransport(), *acme.CASES, only=["transport", "stream"])
    passed = {name for name, result in results.items() if result.outcome == "passed"}
    assert results.keys() - passed - UNREACHED == {"transport.missing_key"}


def test_a_new_check_warns_in_the_version_that_brought_it_and_fails_in_the_next(monkeypatch):
    name, plugin = "transport.one_attempt", transport_faults.FAULTS[2][0]
    (check,) = (one for one in checks() if one.id == name)
    assert (check.since, check.gentle) == ("0.1", True)
    for version, outcome in (("0.1.7", "warned"), ("0.2.0a1", "failed"), ("1.0", "failed")):
        monkeypatch.setattr("jackfield.testing._check.core_version", lambda version=version: version)
        assert outcomes(plugin(), *acme.CASES, only=[name])[name].outcome == outcome


def test_a_claim_without_a_case_is_a_warning():
    results = outcomes(acme.plugin, acme.CASES[1], only=["claims.exercised"])
    assert results["claims.exercised"].outcome == "warned"
    assert "it says tools" in results["claims.exercised"].reason
    assert results["claims.exercised"].ok


def test_a_warning_is_shown_and_is_no_error(tmp_path):
    (tmp_path / "test_warned.py").write_text(
        "import conformance_acme as acme\nfrom jackfield.testing import conformance\n"
        "@conformance(acme.plugin, acme.CASES[1])\ndef test_conformance(check):\n    check()\n"
    )
    arguments = [
        "-q",
        "-W",
        "error",
        "-k",
        "exercised",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:asyncio",
        "test_warned.py",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        env={**os.environ, "PYTHONPATH": f"{HERE}:{os.environ.get('PYTHONPATH', '')}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "1 passed, " in done.stdout
    assert "1 warning" in done.stdout
    assert "ConformanceWarning: warned   claims.exercised: it says" in done.stdout


def test_most_checks_have_a_fault_that_they_catch():
    caught = {name for _, ids in FAULTS for name in ids}
    known = {check.id for check in checks()}
    assert caught <= known
    new = {
        "translate.report_travels",
        "translate.refusals_name",
        "purity.quick",
        "cost.sourced",
        "answers.odd_body",
        "answers.travel",
    }
    elsewhere = {  # caught below, or by laws that only a whole distribution can break
        *UNREACHED, "loading.deprecated", "loading.imports", "loading.no_sdk", "loading.fast_import", "loading.no_side_effects",
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
        ("loading.no_side_effects", "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()"),
        ("loading.no_side_effects", "import socket; socket.socket().close()"),
        ("loading.no_side_effects", "print('hello')"),
        ("loading.no_side_effects", "from time import sleep; sleep(5)"),
        ("loading.imports", "os._exit(3)"),
        ("loading.imports", "sys.exit(3)"),
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


def pack(folder, name, requires, entries="", module=None):
    """Lay a distribution into a folder, as an installer does."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{needs}")
    (info / "entry_points.txt").write_text(f"[jackfield.providers.v1]\n{entries}" if entries else "")
    if module is not None:
        package = folder / name.replace("-", "_")
        package.mkdir()
        (package / "py.typed").touch()
        (package / "__init__.py").write_text(textwrap.dedent(module))


ONE_LINER = """
    from conformance_acme import Acme
    plugin = Acme()
"""


@pytest.mark.parametrize(
    ("bounds", "outcome"),
    [
        (("jackfield-base>=0.1", "jackfield>=0.1,<0.2"), "passed"),
        (("jackfield-base>=0.1", "jackfield"), "failed"),
        (("jackfield-base", "jackfield>=0.1"), "failed"),
        (("jackfield-base>=0.1", "jackfield-onetwo>=1.0"), "failed"),  # a circle that never comes to the core
    ],
)
def test_a_bound_of_the_core_may_come_through_another_plugin(tmp_path, monkeypatch, bounds, outcome):
    pack(tmp_path, "jackfield-onetwo", [bounds[0]], "acme = jackfield_onetwo:plugin\n", ONE_LINER)
    pack(tmp_path, "jackfield-base", [bounds[1]])
    monkeypatch.syspath_prepend(str(tmp_path))
    from importlib import import_module

    plugin = import_module("jackfield_onetwo").plugin
    results = outcomes(plugin, only=["packaging", "loading.imports"])
    assert results.pop("packaging.core_bound").outcome == outcome
    assert {result.outcome for result in results.values()} == {"passed"}
    del sys.modules["jackfield_onetwo"]


@pytest.mark.parametrize(
    "name", ["jackfield_oneline", "jackfield-oneline", "acme", "jackfield_oneline:plugin"]
)
def test_the_command_line_follows_the_entry_points_of_a_package(tmp_path, monkeypatch, capsys, name):
    pack(tmp_path, "jackfield-oneline", ["jackfield>=0.1"], "acme = jackfield_oneline:plugin\n", ONE_LINER)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert main([name, "--only", "packaging", "--only", "loading.binds"]) == 0
    assert "jackfield_oneline:plugin: 5 passed" in capsys.readouterr().out
    del sys.modules["jackfield_oneline"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["jackfield_nothing"], "there is no module 'jackfield_nothing'"),
        (["jackfield_opena"], "did you mean 'jackfield_openai'"),
        (["conformance_acme:plugni"], "has no attribute 'plugni'"),
        (["acme_broken"], "importing acme_broken failed: No module named 'jackfield_missing'"),
        (["acme_raises"], "importing acme_raises failed: ZeroDivisionError"),
        (["acme_leaves"], "importing acme_leaves failed: SystemExit: 3"),
        (
            ["acme_dies"],
            "importing acme_dies in a fresh process failed: it ends the process, with exit code 3",
        ),
        (["conformance_acme:plugin", "--cases", "nowhere:CASES"], "there is no module 'nowhere'"),
        (["conformance_acme:plugin", "--settings", "{"], "--settings is not a JSON object"),
    ],
)
def test_what_cannot_be_loaded_is_said_in_a_line(tmp_path, monkeypatch, capsys, arguments, said):
    (tmp_path / "acme_broken.py").write_text("import jackfield_missing\n")
    (tmp_path / "acme_raises.py").write_text("1 / 0\n")
    (tmp_path / "acme_leaves.py").write_text("raise SystemExit(3)\n")
    (tmp_path / "acme_dies.py").write_text("import os; os._exit(3)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err.splitlines()[-1]


def test_thinking_is_asked_for_in_the_words_that_a_model_knows():
    from jackfield import UnsupportedError
    from jackfield.plugin import ParameterRule

    class Thinks(acme.Acme):
        words = ("high",)

        @acme.hookimpl
        def jackfield_capabilities(self, model):
            known = super().jackfield_capabilities(model)
            rules = {**known.parameters, "reasoning": ParameterRule(choices=self.words)}
            return acme.attrs.evolve(known, parameters=rules)

    class ThinksNot(Thinks):
        words = ("none",)

        def effort(self, reasoning):
            raise UnsupportedError("it knows no budget", parameter="reasoning")

    name = "claims.true_is_honoured"
    assert outcomes(Thinks(), *acme.CASES, only=[name])[name].outcome == "passed"
    failed = outcomes(ThinksNot(), *acme.CASES, only=[name])[name]
    assert failed.outcome == "failed"
    assert "it says reasoning" in failed.reason


async def live(monkeypatch, respond, *cases):
    from jackfield.testing import RecordingServer
    from jackfield.testing._live import check_live
    from jackfield.testing._subject import Subject

    monkeypatch.setenv("ACME_API_KEY", "a-live-key")
    async with RecordingServer() as server:
        server.route("*", "*", respond)
        subject = Subject(acme.plugin, cases, settings={"base_url": server.url})
        results = await asyncio.to_thread(check_live, subject)
        return results, server.requests


async def test_live_repeats_the_cases_at_the_service(monkeypatch):
    from jackfield.testing import Answer

    def respond(request):
        if request.method == "GET":
            return Answer.json({"models": ["acme-1"]})
        if request.path.endswith("embed"):
            return Answer(headers={"content-type": "application/json"}, chunks=(acme.EMBEDDED,))
        kind = "text/event-stream" if request.json.get("stream") else "application/json"
        body = acme.HELLO if request.json.get("stream") else acme.HELLO_WHOLE
        return Answer(headers={"content-type": kind}, chunks=(body,))

    results, requests = await live(monkeypatch, respond, *acme.CASES)
    found = {result.check: result.outcome for result in results}
    assert {name for name, outcome in found.items() if outcome == "skipped"} == {
        "live too long", "live failed in the stream"
    }  # fmt: skip
    assert all(outcome == "passed" for outcome in found.values() if outcome != "skipped"), results
    assert {request.headers["authorization"] for request in requests} == {"Bearer a-live-key"}


async def test_live_says_what_the_service_does_no_more(monkeypatch):
    from jackfield.testing import Answer

    empty = Answer.json({"id": "a1", "model": "acme-1", "text": "", "end": "done"})
    results, _ = await live(monkeypatch, empty, acme.CASES[1])
    assert [result.outcome for result in results] == ["failed"]
    assert "there is no text; there is no thinking" in str(results[0])
    results, _ = await live(monkeypatch, Answer.json({"error": {}}, 401), acme.CASES[1])
    assert "AuthenticationError" in results[0].reason


def test_live_without_cases_is_nothing_to_run(capsys):
    assert main(["conformance_acme:plugin", "--live"]) == 2
    assert "give --cases" in capsys.readouterr().out


def test_a_case_has_a_model_unless_it_is_a_listing():
    with pytest.raises(ValueError, match="unless it is a listing"):
        Case(wire=b"{}")
    with pytest.raises(ValueError, match="unless it is a listing"):
        Case(kind="listing", model="acme-1")


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


@conformance(FakeProvider(), in_process=True)
def test_the_fake_provider_conforms(check):
    check()


def test_it_works_inside_a_running_loop():
    async def inside():
        return outcomes(acme.plugin, *acme.CASES, only=["transport"])

    results = asyncio.run(inside())
    outcomes_found = {result.outcome for name, result in results.items() if name not in UNREACHED}
    assert outcomes_found == {"passed"}


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
    assert f"{len(checks()) - len(UNREACHED) - 1} passed" in capsys.readouterr().out
    assert main(["conformance_answer_faults:SwallowsTheCut", "--list"]) == 0
    assert "stream.truncated" in capsys.readouterr().out
    assert main(["conformance_acme:plugin", "--cases", "conformance_acme:CASES", "--markdown"]) == 0
    assert "| `tools` | yes | unknown |" in capsys.readouterr().out
    assert main(["conformance_acme:plugin", "--model", "acme-1", "--markdown"]) == 0
    assert "|  | `acme-1` |" in capsys.readouterr().out
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


def test_a_plugin_whose_thread_never_ends_is_checked_all_the_same(tmp_path):
    (tmp_path / "acme_thread.py").write_text(
        "import threading\nfrom conformance_acme import plugin\n"
        "threading.Thread(target=threading.Event().wait, name='acme-forever').start()\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "jackfield.testing", "acme_thread:plugin", "--only", "loading.binds"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{HERE}:{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "1 passed" in done.stdout
    assert "acme-forever" in done.stderr


def test_a_hook_that_exits_ends_no_check():
    class Leaves(acme.Acme):
        @acme.hookimpl
        def jackfield_translate(self, model, request, capabilities):
            sys.exit(3)

    results = outcomes(Leaves(), *acme.CASES, only=["translate.gives", "answers.text"])
    assert "SystemExit" in results["answers.text"].reason


class BusyError(Exception):
    """As an SDK has it."""


class InProcess(acme.Acme):
    known = True

    @acme.hookimpl
    def jackfield_error(self, model, failure):
        if isinstance(failure.exception, BusyError) and self.known:
            return failure.error(OverloadedError, str(failure.exception))
        return super().jackfield_error(model, failure)


def test_a_case_may_be_an_exception_of_an_sdk():
    case = Case(model="acme-1", raises=BusyError("wait"), error=OverloadedError, name="busy")
    results = outcomes(InProcess(), case, only=["errors", "stream", "answers"])
    assert {result.outcome for result in results.values()} <= {"passed", "skipped"}
    assert results["errors.cases"].outcome == "passed"
    unknown = type("Unknown", (InProcess,), {"known": False})()
    failed = outcomes(unknown, case, only=["errors.cases"])["errors.cases"]
    assert failed.reason == "busy: it is ProviderError, not OverloadedError"
    with pytest.raises(ValueError, match="which error that means"):
        Case(model="acme-1", raises=BusyError("wait"))


def test_a_case_says_that_its_error_is_retryable_though_its_class_is_not():
    plugin = next(cls for cls, ids in FAULTS if ids == ("errors.case_retryable",))()
    case = acme.attrs.evolve(next(case for case in acme.CASES if case.name == "too long"), retryable=True)
    result = outcomes(plugin, case, only=["errors.case_retryable"])["errors.case_retryable"]
    assert result.outcome == "passed"


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


def test_a_service_that_only_embeds_is_called_with_as_many_texts_as_its_case_has_vectors():
    two = b'{"vectors": [[0.5, -0.5], [0.25, 1.0]], "usage": {"input": 2}}'
    case = Case(model="acme-embed", kind="embedding", wire=two, embedding=(2, 2))
    results = outcomes(acme.plugin, case, only=["transport"])
    assert {result.outcome for result in results.values()} <= {"passed", "skipped"}
    assert results["transport.one_connection"].outcome == "passed"
