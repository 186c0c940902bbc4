"""What can be imported is what is promised, and every hook is tested and documented."""

from __future__ import annotations

import ast
import inspect
import pickle
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import jackfield
import jackfield.http
import jackfield.plugin
import jackfield.progress
import jackfield.testing
from jackfield._contract import hookspecs as _hookspecs
from jackfield._faces import MODULE_BY_NAME

ROOT = Path(__file__).parents[2]
FACES = [jackfield, jackfield.plugin]
PUBLIC = [*FACES, jackfield.http, jackfield.progress, jackfield.testing]
LAZY = [*FACES, jackfield.http, jackfield.testing]
PUBLIC_NAMES = {*jackfield.__all__, *jackfield.plugin.__all__}
HOOKS = {
    name: function
    for specs in (_hookspecs.ProviderSpecs, _hookspecs.ExtensionSpecs)
    for name, function in vars(specs).items()
    if name.startswith("jackfield_")
}


def named(module):
    return module.__name__


def type_checking_imports(module):
    """Return what a module imports for type checkers alone: name and submodule."""
    found = {}
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            for statement in node.body:
                assert isinstance(statement, ast.ImportFrom)
                assert statement.level == 1
                package = "testing." if module is jackfield.testing else ""
                for alias in statement.names:
                    assert alias.asname == alias.name, "only `X as X` is exported again"
                    found[alias.name] = f"{package}{statement.module}"
    return found


def isort_key(name):
    kind = 0 if name.isupper() else 1 if name[0].isupper() else 2
    return kind, name


@pytest.mark.parametrize("module", PUBLIC, ids=named)
def test_all_is_sorted_and_names_each_thing_once(module):
    assert module.__all__ == sorted(set(module.__all__), key=isort_key)


@pytest.mark.parametrize("module", PUBLIC, ids=named)
def test_every_name_in_all_is_there(module):
    for name in module.__all__:
        assert getattr(module, name) is not None


@pytest.mark.parametrize("module", LAZY, ids=named)
def test_lazy_names_are_those_in_all_and_those_that_type_checkers_see(module):
    assert set(MODULE_BY_NAME[module.__name__]) == set(module.__all__)
    assert type_checking_imports(module) == MODULE_BY_NAME[module.__name__]


@pytest.mark.parametrize("module", LAZY, ids=named)
def test_lazy_names_are_what_their_modules_export(module):
    for name, submodule in MODULE_BY_NAME[module.__name__].items():
        owner = import_module(f"jackfield.{submodule}")
        assert getattr(module, name) is getattr(owner, name)
        assert name in getattr(owner, "__all__", (name,))


@pytest.mark.parametrize("module", LAZY, ids=named)
def test_dir_shows_lazy_names(module):
    assert set(module.__all__) <= set(dir(module))


@pytest.mark.parametrize("module", LAZY, ids=named)
def test_an_unknown_name_is_an_attribute_error_that_names_it(module):
    with pytest.raises(AttributeError, match=f"'{module.__name__}' has no attribute 'Mseh'"):
        _ = module.Mseh


def test_a_name_is_in_one_face():
    assert not set(jackfield.__all__) & set(jackfield.plugin.__all__)


def test_programs_have_at_most_eighty_names_to_look_through():
    assert len(jackfield.__all__) <= 80


@pytest.mark.parametrize("face", FACES, ids=named)
def test_public_classes_name_their_face_as_their_module(face):
    for name in face.__all__:
        value = getattr(face, name)
        if inspect.isclass(value):
            assert value.__module__ == face.__name__, name


def test_pickles_name_the_face_and_not_the_private_module():
    from jackfield import Usage
    from jackfield.plugin import Capabilities, Wire

    for value, face in (
        (Usage(input_tokens=1), b"jackfield"),
        (Capabilities(), b"jackfield.plugin"),
        (Wire("/v1"), b"jackfield.plugin"),
    ):
        data = pickle.dumps(value)
        assert face in data
        assert b"jackfield._" not in data
        assert pickle.loads(data) == value


def test_the_version_is_that_of_the_distribution():
    from importlib.metadata import version

    assert jackfield.__version__ == version("jackfield")


def test_the_first_error_loads_no_framer():
    # Plugins import this when a service first answers with an error, on the event loop.
    program = (
        "import sys; from jackfield.http import error_from_status; "
        "print([name for name in sys.modules if name.startswith('jackfield._http')])"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_a_star_import_gives_all():
    program = "from jackfield import *; import jackfield; assert set(jackfield.__all__) <= set(globals())"
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("module", PUBLIC, ids=named)
def test_every_public_class_and_function_has_a_docstring(module):
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), name


def test_every_error_of_ours_is_public():
    from jackfield._types import errors as _errors

    assert set(_errors.__all__) <= set(jackfield.__all__)


def test_every_event_request_and_part_of_a_union_is_public():
    import typing

    for union in (jackfield.Event, jackfield.plugin.Request, jackfield.Part, jackfield.plugin.Auth):
        assert {cls.__name__ for cls in typing.get_args(union)} <= PUBLIC_NAMES


# Hooks


def test_hooks_and_their_types_are_public():
    for name, function in HOOKS.items():
        words = " ".join(str(hint) for hint in inspect.get_annotations(function).values())
        ours = set(re.findall(r"\b[A-Z]\w+", words)) - {"Any", "Mapping", "None", "Sequence"}
        assert ours <= PUBLIC_NAMES, name


def test_no_hook_has_default_values():
    for function in HOOKS.values():
        assert all(p.default is p.empty for p in inspect.signature(function).parameters.values())


@pytest.mark.parametrize("hook", HOOKS)
def test_a_test_names_every_hook(hook):
    here = Path(__file__)
    tests = [path for path in here.parent.rglob("*.py") if path != here]
    assert any(re.search(rf"\b{hook}\b", path.read_text("utf-8")) for path in tests)


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_stands_in_the_docs_with_its_exact_signature_and_docstring(hook):
    page = ROOT / "docs/reference/hooks.md"
    if not page.exists():
        pytest.skip("not a checkout of the repository: there are no docs")
    text = page.read_text("utf-8")
    signature = inspect.signature(HOOKS[hook])
    arguments = ", ".join(f"{n}: {p.annotation}" for n, p in signature.parameters.items() if n != "self")
    assert f"```python\ndef {hook}({arguments}) -> {signature.return_annotation}: ...\n```" in text
    first = " ".join(inspect.getdoc(HOOKS[hook]).partition("\n\n")[0].split())
    assert first.removesuffix(" Required.") in text
    after = text[text.index(f"### {hook}\n") :].split("\n### ")[0]
    if hook in vars(_hookspecs.ProviderSpecs):
        assert ("Required." in after) == (hook in _hookspecs.REQUIRED)


# Types


def test_the_types_of_the_public_surface_are_tested_and_name_most_of_it():
    text = (Path(__file__).parent / "typing/api.py").read_text("utf-8")
    assert text.count("assert_type(") > 50
    assert text.count("type: ignore[") > 10
