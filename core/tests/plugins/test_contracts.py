"""The contract has versions: a core may speak two of them, and what it cannot use harms nobody else.

There is one version so far. What happens when there is another is shown with a double of version 2, in which a hook has
another name and other arguments.
"""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from jackfield import Mesh, PluginError, Registry
from jackfield._contract.hookspecs import ExtensionSpecs, ProviderSpecs, hookspec
from jackfield._plugins.hooks import bind_hooks
from jackfield._plugins.installed import InstalledPlugin
from jackfield._plugins.provider import Provider
from jackfield._plugins.versions import Contract, list_contracts
from jackfield.cli._group import make_cli
from jackfield.plugin import hookimpl
from jackfield.testing import FakeProvider

# The double of version 2: `jackfield_decoder(model, wire)` became `jackfield_reader(wire, model, settings)`.


class SecondSpecs(ProviderSpecs):
    """The hooks of a provider in version 2."""

    jackfield_decoder = None

    @hookspec
    def jackfield_reader(self, wire, model, settings):
        raise NotImplementedError


class SecondPlugin(FakeProvider):
    """A provider that is written for version 2."""

    jackfield_decoder = None

    @hookimpl
    def jackfield_reader(self, wire, model, settings):
        assert settings is model.settings
        return FakeProvider.jackfield_decoder(self, model)


def bind_second(plugin, installed):
    """What a core of version 2 does with a plugin of version 2."""
    hooks = bind_hooks(plugin, installed.label, SecondSpecs, ExtensionSpecs)
    reader = hooks["jackfield_reader"]
    return Provider(
        info=hooks["jackfield_provider"](),
        capabilities=hooks["jackfield_capabilities"],
        discover=hooks["jackfield_discover"],
        translate=hooks["jackfield_translate"],
        decoder=lambda model, wire: reader(wire, model, model.settings),
        error=hooks["jackfield_error"],
        cost=hooks["jackfield_cost"],
        transport=hooks["jackfield_transport"],
        distribution=installed.distribution,
        version=installed.version,
    )


class Adapted:
    """A plugin of version 1 in the clothes of version 2."""

    def __init__(self, first):
        self._first = first
        for name in dir(first):
            if name.startswith("jackfield_") and name != "jackfield_decoder":
                setattr(self, name, getattr(first, name))

    @hookimpl
    def jackfield_reader(self, wire, model):
        return self._first.jackfield_decoder(model)


def bind_first(plugin, installed):
    """What a core of version 2 does with a plugin of version 1: the same, behind an adapter."""
    bind_hooks(plugin, installed.label, ProviderSpecs, ExtensionSpecs)  # as strict as a core of version 1
    return bind_second(Adapted(plugin), installed)


ADVICE = (
    "version 1 of the contract is spoken until jackfield 3; ask for a jackfield-old that speaks version 2"
)
BOTH = {2: Contract(provider=bind_second), 1: Contract(provider=bind_first, advice=ADVICE)}


def plugin(name, contract, made, kind="provider"):
    return InstalledPlugin(name, kind, contract, lambda: made)


def both():
    return Registry(
        [
            plugin("old", 1, FakeProvider("old")),
            plugin("new", 2, SecondPlugin("new")),
            plugin("newest", 3, None),
            plugin("oldest", 0, None),
        ],
        contracts=BOTH,
    )


async def test_plugins_of_two_versions_work_side_by_side():
    config = {"connections": {"a": {"provider": "old"}, "b": {"provider": "new"}}}
    async with Mesh.from_config(config, registry=both()) as mesh:
        for target in ("a:echo", "b:echo"):
            assert (await mesh.chat(target, "Hi")).text == "You said: Hi"
            async with mesh.stream_chat(target, "Hi") as stream:
                assert "".join([piece async for piece in stream.text()]) == "You said: Hi"


def test_the_list_says_which_version_each_is_written_for_and_until_when_it_works():
    listed = {state.name: state for state in both().plugins(load=True)}
    assert {name: (state.state, state.contract) for name, state in listed.items()} == {
        "old": ("ready", 1),
        "new": ("ready", 2),
        "newest": ("incompatible", 3),
        "oldest": ("incompatible", 0),
    }
    assert listed["old"].reason == ADVICE
    assert listed["new"].reason is None
    assert "this jackfield speaks versions 1 and 2; upgrade jackfield " in listed["newest"].reason
    assert "this jackfield speaks versions 1 and 2; upgrade the plugin " in listed["oldest"].reason


def test_an_old_plugin_is_held_to_the_old_hooks_and_a_new_one_to_the_new():
    registry = Registry(
        [plugin("old", 1, SecondPlugin("old")), plugin("new", 2, FakeProvider("new"))], contracts=BOTH
    )
    with pytest.raises(PluginError, match="there is no hook 'jackfield_reader'"):
        registry.provider("old")
    with pytest.raises(PluginError, match="there is no hook 'jackfield_decoder'"):
        registry.provider("new")


OLD_AND_NEW = """
    from jackfield.testing import FakeProvider
    first, second = "first", "second"
"""


def test_a_distribution_that_speaks_both_is_used_by_the_higher(install, monkeypatch):
    install("jackfield-acme", {"middlewares.v1": "acme = {module}:first", "middlewares.v2": "acme = {module}:second"},
            OLD_AND_NEW)  # fmt: skip
    chosen = Contract(middleware=lambda plugin, installed: plugin)
    plugins = Registry.installed()._plugins
    registry = Registry(plugins, contracts={1: chosen, 2: chosen})
    assert registry.middleware("acme") == "second"
    assert [state.contract for state in registry.plugins() if state.name == "acme"] == [2]
    assert Registry(plugins, contracts={1: chosen}).middleware("acme") == "first"


def test_two_distributions_of_two_versions_with_one_name_are_an_error(install):
    install("jackfield-acme", {"middlewares.v1": "acme = {module}:first"}, OLD_AND_NEW)
    install("other-acme", {"middlewares.v2": "acme = {module}:second"}, OLD_AND_NEW)
    chosen = Contract(middleware=lambda plugin, installed: plugin)
    registry = Registry(Registry.installed()._plugins, contracts={1: chosen, 2: chosen})
    with pytest.raises(PluginError, match=r"2 plugins give the middleware 'acme': .*uninstall all but one"):
        registry.middleware("acme")


def test_one_version_is_spoken_now():
    assert list(list_contracts()) == [1]


# An administrator who installs a bad plugin loses that plugin only.

GOOD = """
    from jackfield.testing import FakeProvider
    plugin = FakeProvider("good")
"""
PROVIDER = """
    from jackfield.plugin import hookimpl
    from jackfield.testing import FakeProvider

    class Bad(FakeProvider):
        {body}

    plugin = Bad("bad")
"""
BAD = {
    "an import error": ("providers.v1", "{module}:plugin", "import no_such_module", "cannot be imported: ModuleNotFoundError"),
    "an exit at import": ("providers.v1", "{module}:plugin", "raise SystemExit(1)", "cannot be imported: SystemExit"),
    "a syntax error": ("providers.v1", "{module}:plugin", "def", "cannot be imported: SyntaxError"),
    "a missing module": ("providers.v1", "nowhere_at_all:plugin", "", "cannot be imported: ModuleNotFoundError"),
    "a missing object": ("providers.v1", "{module}:missing", GOOD, "cannot be imported: AttributeError"),
    "another contract": ("providers.v9", "{module}:plugin", GOOD, "upgrade jackfield"),
    "another id": ("providers.v1", "{module}:plugin", GOOD, "calls itself 'good'"),
    "no plugin at all": ("providers.v1", "{module}:plugin", "plugin = 7", "lacks jackfield_capabilities"),
    "a class": ("providers.v1", "{module}:Bad", PROVIDER.format(body="pass"), "is a class, Bad"),
    "a misspelt hook": (
        "providers.v1", "{module}:plugin",
        PROVIDER.format(body="jackfield_discovr = hookimpl(lambda self, settings: None)"),
        "did you mean 'jackfield_discover'",
    ),
    "a misspelt argument": (
        "providers.v1", "{module}:plugin",
        PROVIDER.format(body="jackfield_discover = hookimpl(lambda self, setings: None)"),
        "did you mean 'settings'",
    ),
    "an async hook": (
        "providers.v1", "{module}:plugin",
        PROVIDER.format(body="jackfield_decoder = hookimpl(read)").replace(
            "class Bad", "async def read(self, model, wire): ...\n\n    class Bad"
        ),
        "jackfield_decoder is an `async def`",
    ),
    "a hook that raises": (
        "providers.v1", "{module}:plugin",
        PROVIDER.format(body="jackfield_provider = hookimpl(lambda self: 1 / 0)"),
        "jackfield_provider failed: ZeroDivisionError",
    ),
    "a broken middleware": ("middlewares.v1", "{module}:plugin", "import no_such_module", "cannot be imported"),
    "a middleware that is none": ("middlewares.v1", "{module}:plugin", "plugin = 7", "must be a MiddlewareKind"),
    "a broken extension": ("extensions.v1", "{module}", "raise RuntimeError('boom')", "RuntimeError: boom"),
    "an extension with a misspelt hook": (
        "extensions.v1", "{module}",
        "from jackfield.plugin import hookimpl\n    @hookimpl\n    def jackfield_call_finishd(call, outcome): ...",
        "did you mean 'jackfield_call_finished'",
    ),
    "credentials that are none": ("credentials.v1", "{module}:plugin", "plugin = 7", "must be a CredentialKind"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
async def test_a_bad_plugin_is_listed_with_its_reason_and_harms_no_other(install, what):
    group, target, source, said = BAD[what]
    install(
        "jackfield-bad",
        {group: f"bad = {target}"},
        source if source.startswith("\n") else f"\n    {source}\n",
    )
    install("jackfield-good", {"providers.v1": "good = {module}:plugin"}, GOOD)
    registry = Registry.installed()
    config = {"connections": {"good": {"provider": "good"}}}
    if group == "providers.v1":
        config["connections"]["bad"] = {"provider": "bad"}
    async with Mesh.from_config(config, registry=registry) as mesh:
        assert (await mesh.chat("good:echo", "Hi")).text == "You said: Hi"
        if group == "providers.v1":
            with pytest.raises(PluginError, match="jackfield-bad 1.0"):
                await mesh.chat("bad:echo", "Hi")
        assert (await mesh.chat("good:echo", "Hi")).text == "You said: Hi"
    listed = {state.name: state for state in registry.plugins(load=True)}
    assert listed["bad"].state == ("incompatible" if group == "providers.v9" else "failed")
    assert said in listed["bad"].reason
    assert (listed["bad"].distribution, listed["bad"].version) == ("jackfield-bad", "1.0")
    assert listed["good"].state == "ready"


async def test_a_connection_that_names_a_bad_middleware_is_lost_and_no_other(install):
    install("jackfield-bad", {"middlewares.v1": "bad = {module}"}, "import no_such_module")
    install("jackfield-good", {"providers.v1": "good = {module}:plugin"}, GOOD)
    config = {
        "connections": {"a": {"provider": "good"}, "b": {"provider": "good", "middlewares": ["bad"]}},
        "middleware": {"bad": {"depth": 1}},
    }
    async with Mesh.from_config(config, registry=Registry.installed()) as mesh:
        assert (await mesh.chat("a:echo", "Hi")).text
        with pytest.raises(PluginError, match="the middleware plugin 'bad'.*cannot be imported"):
            await mesh.chat("b:echo", "Hi")


def listing(*options, code=0):
    done = CliRunner().invoke(make_cli(), [*options, "plugins"])
    assert done.exit_code == code, done.output
    return done.output


def test_the_command_shows_state_contract_distribution_version_and_reason(install, monkeypatch):
    install("jackfield-bad", {"providers.v1": "bad = {module}"}, "import no_such_module", version="1.5")
    install("jackfield-far", {"providers.v9": "far = {module}"})
    install("jackfield-shut", {"providers.v1": "shut = {module}:plugin"}, GOOD)
    install("jackfield-good", {"providers.v1": "good = {module}:plugin"}, GOOD)
    monkeypatch.setenv("JACKFIELD_PLUGINS_BLOCK", "shut")
    rows = {row["name"]: row for row in json.loads(listing("--json", code=3))["plugins"]}
    assert {name: rows[name]["state"] for name in ("bad", "far", "shut", "good")} == {
        "bad": "failed", "far": "incompatible", "shut": "blocked", "good": "ready"
    }  # fmt: skip
    assert (rows["bad"]["distribution"], rows["bad"]["version"]) == ("jackfield-bad", "1.5")
    assert rows["far"]["group"] == "jackfield.providers.v9"
    assert rows["shut"]["reason"] == "blocked by JACKFIELD_PLUGINS_BLOCK"
    (line,) = [line for line in listing(code=3).splitlines() if line.startswith("bad ")]
    for word in ("provider", "failed", "jackfield-bad 1.5", "v1"):
        assert word in line
