"""Tables that plugins add to the configuration, such as `[gateway]`."""

import attrs
import pytest

from jackfield import ConfigurationError, Registry, load_config
from jackfield._plugins.known import known_plugins


@attrs.frozen(kw_only=True)
class Door:
    """How many locks it has, and who keeps the key."""

    locks: int = 1
    keeper: str | None = None
    steps: tuple[str, ...] = attrs.field(default=(), validator=attrs.validators.max_len(2))


@attrs.frozen(kw_only=True)
class House:
    name: str
    doors: dict[str, Door] = attrs.field(factory=dict)


REGISTRY = Registry.of(tables={"house": House})


def test_a_table_is_read_into_its_class():
    config = load_config({"house": {"name": "mill", "doors": {"north": {"locks": 2}}}}, REGISTRY)
    assert config.tables["house"] == House(name="mill", doors={"north": Door(locks=2)})


def test_a_table_that_is_absent_is_not_there():
    assert load_config({}, REGISTRY).tables == {}


def test_its_mistakes_are_told_with_all_others():
    content = {
        "house": {"nam": "mill", "doors": {"north": {"lokcs": 2}, "south": {"locks": "two"}}},
        "connections": {"c": {"provider": "nobody"}},
        "huose": {},
    }
    with pytest.raises(ConfigurationError) as caught:
        load_config(content, REGISTRY)
    text = "\n".join(caught.value.mistakes)
    assert "huose: unknown key; did you mean 'house'?" in text
    assert "house.nam: unknown key; did you mean 'name'?" in text
    assert "house.name: is missing" in text
    assert "house.doors.north.lokcs: unknown key; did you mean 'locks'?" in text
    assert "house.doors.south.locks" in text
    assert "connections.c" in text


def test_a_rule_of_the_class_is_a_mistake_of_the_table():
    content = {"house": {"name": "mill", "doors": {"north": {"steps": ["a", "b", "c"]}}}}
    with pytest.raises(ConfigurationError, match=r"house\.doors\.north"):
        load_config(content, REGISTRY)


def test_a_table_of_a_package_that_is_not_installed_is_left_to_others(monkeypatch):
    known = attrs.evolve(known_plugins(), tables=("house",))
    monkeypatch.setattr("jackfield._plugins.known.known_plugins", lambda: known)
    assert load_config({"house": {"name": "mill"}}, Registry.of()).tables == {}


def test_a_table_whose_package_is_broken_breaks_no_other_program(install, caplog):
    install("jackfield-house", {"tables.v1": "house = {module}:House"}, "import no_such_module")
    assert load_config({"house": {"name": "mill"}}, Registry.installed(refresh=True)).tables == {}
    assert "the table [house] is not read" in caplog.text


def test_what_is_not_an_attrs_class_is_refused(install):
    install("jackfield-house", {"tables.v1": "house = {module}:plugin"}, "plugin = 7")
    states = {state.name: state for state in Registry.installed(refresh=True).plugins(load=True)}
    assert states["house"].kind == "table"
    assert "must be an attrs class" in states["house"].reason
    assert states["house"].group == "jackfield.tables.v1"
