"""A name that is to go is told to whoever uses it. None is, today: doubles are put in its place."""

import sys
import textwrap
import warnings

import pytest

import jackfield
from jackfield._deprecation import DEPRECATED
from jackfield.plugin import hookimpl
from jackfield.testing import FakeProvider, check_provider

ADVICE = "use jackfield.New; it goes with jackfield 0.4"


def found(plugin):
    (result,) = check_provider(plugin, only=["loading.deprecated"])
    return result


@pytest.fixture
def old(monkeypatch):
    """Let a name be one that is to go."""

    def deprecate(name):
        monkeypatch.setitem(DEPRECATED, name, ADVICE)
        module, _, attribute = name.rpartition(".")
        if module in sys.modules:  # as in a process in which nobody has used it yet
            monkeypatch.delitem(vars(sys.modules[module]), attribute, raising=False)

    return deprecate


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Make a plugin of a package with a module that is imported late."""

    def make(line):
        folder = tmp_path / "jackfield_outdated"
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        (folder / "_late.py").write_text(textwrap.dedent(f"def late():\n    {line}\n"))
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, "jackfield_outdated", raising=False)
        return __import__("jackfield_outdated")

    return make


def test_no_name_is_to_go_today():
    assert DEPRECATED == {}


@pytest.mark.parametrize("name", ["jackfield.plugin.Wire", "jackfield.testing.Case"])
def test_importing_it_warns_each_time_and_says_what_to_use(old, name):
    old(name)
    module, _, attribute = name.rpartition(".")
    for _ in range(2):
        with pytest.warns(DeprecationWarning, match=f"{name} is deprecated: {ADVICE}") as caught:
            assert getattr(sys.modules[module], attribute).__name__ == attribute
        assert caught[0].filename == __file__


def test_importing_another_name_does_not():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert jackfield.plugin.Frame.__name__ == "Frame"


@pytest.mark.parametrize(
    "line",
    [
        "from jackfield.plugin import Frame, Wire",
        "import jackfield.plugin; return jackfield.plugin.Wire",
        "import jackfield.plugin as core; return core.Wire",
        "import jackfield.plugin; return jackfield.plugin.Wire('/')",
    ],
)
def test_the_kit_warns_of_it_also_where_it_is_imported_late(old, plugin, line):
    old("jackfield.plugin.Wire")
    result = found(plugin(line))
    assert (result.outcome, result.ok) == ("warned", True)
    assert result.reason == f"_late.py:2: jackfield.plugin.Wire is deprecated: {ADVICE}"
    assert result.remedy


@pytest.mark.parametrize(
    "line",
    ["from jackfield.plugin import Frame", "from .jackfield import Wire", "return self.jackfield.Wire"],
)
def test_the_kit_warns_of_nothing_else(old, plugin, line):
    old("jackfield.plugin.Wire")
    assert found(plugin(line)).outcome == "passed"


@pytest.mark.parametrize("name", ["jackfield_decoder", "jackfield_decoder.wire"])
def test_the_kit_warns_of_a_hook_and_of_an_argument(old, name):
    class Outdated(FakeProvider):
        @hookimpl
        def jackfield_decoder(self, wire):
            raise NotImplementedError

    old(name)
    result = found(Outdated())
    assert result.outcome == "warned"
    assert result.reason == f"jackfield_decoder: {name} is deprecated: {ADVICE}"
