"""`route` of an entry in `models`: for providers that read it, a mistake for all others."""

import attrs
import pytest

from jackfield import ConfigurationError, Registry, load_config
from jackfield.plugin import hookimpl
from jackfield.testing import FakeProvider


class Routed(FakeProvider):
    @hookimpl
    def jackfield_provider(self):
        return attrs.evolve(super().jackfield_provider(), has_routes=True)


def load(provider):
    models = [{"id": "m", "route": "elsewhere"}]
    return load_config({"connections": {"c": {"provider": "fake", "models": models}}}, Registry.of(provider))


def test_a_route_is_for_a_provider_that_reads_it():
    assert load(Routed()).connections["c"].models[0].route == "elsewhere"


def test_a_route_that_nobody_reads_is_a_mistake():
    with pytest.raises(ConfigurationError, match=r"models\[0\]\.route: fake has one way to call a model"):
        load(FakeProvider())
