"""Plugins are found by name, loaded one by one, checked, and cannot disturb one another."""

from __future__ import annotations

import logging
import pickle
import re
import subprocess
import sys
import threading
from pathlib import Path

import attrs
import pytest

from jackfield import ConfigurationError, Mesh, PluginError
from jackfield._plugins.known import known_plugins
from jackfield._plugins.registry import CredentialKind, Registry
from jackfield.plugin import (
    Capabilities,
    CostContext,
    HttpAccess,
    ModelRef,
    ProviderInfo,
    RateCard,
    Translation,
    hookimpl,
)

MODEL = ModelRef("m")


@attrs.frozen
class Settings:
    base_url: str | None = None


class Plugin:
    """The least that a provider is."""

    def __init__(self, id="acme"):
        self.id = id

    @hookimpl
    def jackfield_provider(self):
        return ProviderInfo(id=self.id, title="Acme", settings=Settings, kinds=frozenset({"chat"}))

    @hookimpl
    def jackfield_capabilities(self, model):
        return Capabilities(known=True, source=model.id)

    @hookimpl
    def jackfield_translate(self, model, request, capabilities):
        return Translation(("translated", model, request, capabilities))

    @hookimpl
    def jackfield_decoder(self, model, wire):
        return ("decoder", model, wire)

    @hookimpl
    def jackfield_transport(self, settings):
        return HttpAccess(base_url=f"https://{settings}.example")


def refused(plugin):
    with pytest.raises(PluginError) as caught:
        Registry.of(plugin)
    return caught.value.message


class TestBinding:
    def test_hooks_become_plain_functions(self):
        provider = Registry.of(Plugin()).provider("acme")
        assert provider.info.title == "Acme"
        assert provider.translate(MODEL, "request", "capabilities").wire == (
            "translated",
            MODEL,
            "request",
            "capabilities",
        )
        assert provider.decoder(MODEL, "wire") == ("decoder", MODEL, "wire")
        assert provider.transport("settings").base_url == "https://settings.example"

    def test_optional_hooks_that_are_left_out_give_none(self):
        provider = Registry.of(Plugin()).provider("acme")
        assert provider.discover("settings") is None
        assert provider.error(MODEL, "failure") is None
        assert provider.cost(MODEL, "usage", "context") is None

    def test_an_implementation_may_leave_out_arguments(self):
        class Sparing(Plugin):
            @hookimpl
            def jackfield_translate(self, capabilities, request):
                return Translation((capabilities, request))

            @hookimpl
            def jackfield_decoder(self, wire):
                return wire

            @hookimpl
            def jackfield_transport(self):
                return HttpAccess(base_url="https://acme.example")

        provider = Registry.of(Sparing()).provider("acme")
        assert provider.translate(MODEL, "request", "capabilities").wire == ("capabilities", "request")
        assert provider.decoder(MODEL, "wire") == "wire"
        assert provider.transport("settings").base_url == "https://acme.example"

    def test_an_argument_with_a_default_is_passed_all_the_same(self):
        class Defaulting(Plugin):
            @hookimpl
            def jackfield_decoder(self, model, wire=None, cache=()):
                return (model, wire, cache)

        assert Registry.of(Defaulting()).provider("acme").decoder(MODEL, "wire") == (MODEL, "wire", ())

    def test_a_provider_is_bound_once(self):
        registry = Registry.of(Plugin())
        assert registry.provider("acme") is registry.provider("acme")

    def test_an_unknown_argument_is_refused_with_the_closest_name(self):
        class Wrong(Plugin):
            @hookimpl
            def jackfield_translate(self, model, reqest, capabilities):
                pass

        message = refused(Wrong())
        assert "jackfield_translate(model, reqest, capabilities)" in message
        assert "no argument 'reqest'; did you mean 'request'?" in message
        assert "Wrong" in message

    def test_a_misspelt_hook_is_refused_with_the_closest_name(self):
        class Wrong(Plugin):
            @hookimpl
            def jackfield_discovr(self, settings):
                pass

        message = refused(Wrong())
        assert "no hook 'jackfield_discovr'; did you mean 'jackfield_discover'?" in message

    def test_a_coroutine_function_is_refused(self):
        class Wrong(Plugin):
            @hookimpl
            async def jackfield_translate(self, model, request, capabilities):
                pass

        assert "jackfield_translate is an `async def`" in refused(Wrong())

    def test_a_missing_hook_is_named(self):
        class Wrong(Plugin):
            jackfield_transport = None

        assert "lacks jackfield_transport" in refused(Wrong())

    def test_a_forgotten_mark_is_told_from_a_missing_hook(self):
        class Wrong(Plugin):
            def jackfield_transport(self, settings):
                pass

        assert "jackfield_transport lacks the mark @hookimpl" in refused(Wrong())

    def test_keyword_only_arguments_are_refused(self):
        class Wrong(Plugin):
            @hookimpl
            def jackfield_decoder(self, model, *, wire):
                pass

        assert "'wire' is not" in refused(Wrong())

    def test_a_hook_wrapper_is_refused(self):
        class Wrong(Plugin):
            @hookimpl(wrapper=True)
            def jackfield_translate(self, model, request, capabilities):
                return (yield)

        assert "write a middleware" in refused(Wrong())

    def test_a_class_is_refused(self):
        assert "is a class" in refused(Plugin)

    def test_a_settings_class_that_is_none_is_refused(self):
        class Wrong(Plugin):
            @hookimpl
            def jackfield_provider(self):
                return ProviderInfo(id="acme", title="", settings=dict, kinds=frozenset())

        assert "ProviderInfo.settings must be an attrs class" in refused(Wrong())

    def test_an_unknown_kind_of_request_is_refused(self):
        class Wrong(Plugin):
            @hookimpl
            def jackfield_provider(self):
                return ProviderInfo(id="acme", title="", settings=Settings, kinds=frozenset({"chats"}))

        assert "did you mean 'chat'?" in refused(Wrong())

    def test_credentials_without_a_field_for_them_are_refused(self):
        class Wrong(Plugin):
            @hookimpl
            def jackfield_provider(self):
                return ProviderInfo(
                    id="acme", title="", settings=Settings, kinds=frozenset(), credentials=("aws",)
                )

        assert "no field `credentials`" in refused(Wrong())

    def test_a_provider_hook_that_raises_is_a_plugin_error_with_its_cause(self):
        class Wrong(Plugin):
            @hookimpl
            def jackfield_provider(self):
                raise LookupError("no table")

        with pytest.raises(PluginError, match="LookupError: no table") as caught:
            Registry.of(Wrong())
        assert isinstance(caught.value.__cause__, LookupError)

    def test_every_required_hook_is_asked_for(self):
        class Empty:
            pass

        message = refused(Empty())
        for hook in ("provider", "capabilities", "translate", "decoder", "transport"):
            assert f"jackfield_{hook}" in message


class TestNames:
    def test_an_unknown_provider_is_answered_with_what_to_do(self):
        with pytest.raises(ConfigurationError) as caught:
            Registry.of(Plugin()).provider("acne")
        assert not isinstance(caught.value, PluginError)
        assert "did you mean 'acme'?" in caught.value.message
        assert "installed: acme" in caught.value.message
        assert "pip install" not in caught.value.message, "anybody may own that package"

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            (
                "bedrock",
                "to add it: pip install ./plugins/aws ./plugins/anthropic ./plugins/cohere ./plugins/openai ./plugins/bedrock (in a checkout of Jackfield)",
            ),
            ("bedrok", "; did you mean 'bedrock'?"),
            ("house", "(installed: acme)"),
        ],
    )
    def test_only_packages_of_ours_are_advised(self, name, said):
        with pytest.raises(ConfigurationError) as caught:
            Registry.of(Plugin()).provider(name)
        assert caught.value.message.endswith(said)

    def test_our_providers_are_those_of_the_readme(self):
        text = (Path(__file__).parents[3] / "README.md").read_text("utf-8")
        listed = set(re.findall(r"\| `jackfield-([a-z-]+)` \|", text))
        assert {name for name in known_plugins().providers if name not in listed} == set()

    def test_two_objects_with_one_id_are_an_error_when_it_is_used(self):
        registry = Registry.of(Plugin(), Plugin(), Plugin("bolt"))
        with pytest.raises(PluginError, match="2 plugins give the provider 'acme'"):
            registry.provider("acme")
        assert registry.provider("bolt").info.id == "bolt"

    def test_errors_can_be_pickled(self):
        with pytest.raises(ConfigurationError) as caught:
            Registry.of().provider("acme")
        assert pickle.loads(pickle.dumps(caught.value)).message == caught.value.message

    def test_middlewares_and_credentials_are_found_by_name(self):
        kind = CredentialKind(Settings, lambda settings: "identity")
        factory = lambda settings: None
        registry = Registry.of(middlewares={"audit": factory}, credentials={"aws": kind})
        assert registry.middleware("audit") is factory
        assert registry.credential_kind("aws") is kind
        with pytest.raises(ConfigurationError, match="middleware 'audits'; did you mean 'audit'"):
            registry.middleware("audits")
        with pytest.raises(ConfigurationError, match="kind of credentials 'awz'"):
            registry.credential_kind("awz")

    def test_what_is_no_kind_of_credentials_is_refused(self):
        with pytest.raises(PluginError, match="must be a CredentialKind"):
            Registry.of(credentials={"aws": object()}).credential_kind("aws")


class Observer:
    def __init__(self):
        self.heard = []

    @hookimpl
    def jackfield_call_started(self, call):
        self.heard.append(("started", call))

    @hookimpl
    def jackfield_call_finished(self, outcome, call):
        self.heard.append(("finished", call, outcome))


class Grumbler:
    @hookimpl
    def jackfield_call_started(self, call):
        raise RuntimeError("no")

    @hookimpl
    def jackfield_price(self, model, context):
        raise RuntimeError("no")


class Pricer:
    def __init__(self, answer):
        self.answer = answer

    @hookimpl
    def jackfield_price(self, model, context):
        return self.answer


class TestExtensions:
    def test_observers_hear_of_calls(self):
        observer = Observer()
        registry = Registry.of(extensions=[observer])
        announce_end = registry.call_started("call")
        announce_end("outcome")
        assert observer.heard == [("started", "call"), ("finished", "call", "outcome")]

    def test_an_observer_that_is_not_interested_in_a_call_is_not_told_of_its_end(self):
        class Sampler(Observer):
            @hookimpl
            def jackfield_call_started(self, call):
                return call == "call 2"

        sampler, observer = Sampler(), Observer()
        registry = Registry.of(extensions=[sampler])
        assert registry.call_started("call 1") is None
        registry.call_started("call 2")("outcome")
        assert sampler.heard == [("finished", "call 2", "outcome")]
        Registry.of(extensions=[sampler, observer]).call_started("call 1")("outcome")
        assert sampler.heard == [("finished", "call 2", "outcome")]
        assert observer.heard == [("started", "call 1"), ("finished", "call 1", "outcome")]

    def test_an_error_in_one_is_logged_and_the_others_are_heard(self, caplog):
        observer = Observer()
        registry = Registry.of(extensions=[Grumbler(), observer])
        with caplog.at_level(logging.ERROR, "jackfield"):
            registry.call_started("call")
        assert observer.heard == [("started", "call")]
        assert "jackfield_call_started failed" in caplog.text

    def test_the_first_price_wins_and_an_error_is_no_price(self, caplog):
        card = RateCard.of(source="extension", input="1")
        registry = Registry.of(extensions=[Grumbler(), Pricer(None), Pricer(card), Pricer("free")])
        assert registry.price(MODEL, CostContext(when=0)) is card
        assert "jackfield_price failed" in caplog.text

    def test_what_is_no_rate_card_is_no_price(self, caplog):
        assert Registry.of(extensions=[Pricer("free")]).price(MODEL, CostContext(when=0)) is None
        assert "jackfield_price gave a str; it must give a RateCard or None" in caplog.text

    def test_commands_are_added(self):
        class Commander:
            @hookimpl
            def jackfield_commands(self, cli):
                cli.append("command")

        cli = []
        Registry.of(extensions=[Commander()]).commands(cli)
        assert cli == ["command"]

    def test_a_broken_extension_is_logged_and_left_out(self, caplog):
        class Wrong:
            @hookimpl
            def jackfield_call_startd(self, call):
                pass

        observer = Observer()
        registry = Registry.of(extensions=[Wrong(), observer])
        registry.call_started("call")
        assert observer.heard == [("started", "call")]
        assert "did you mean 'jackfield_call_started'" in caplog.text

    def test_without_extensions_nobody_needs_to_be_told(self):
        assert Registry.of(Plugin()).has_observers is False
        assert Registry.of(extensions=[Observer()]).has_observers is True

    def test_an_extension_that_only_prices_is_no_observer_once_it_is_loaded(self):
        registry = Registry.of(extensions=[Pricer(None)])
        registry.price(MODEL, CostContext(when=0))
        assert registry.has_observers is False


SOURCE = """
    import attrs
    from jackfield.plugin import Capabilities, ProviderInfo, hookimpl

    @attrs.frozen
    class Settings:
        pass

    @hookimpl
    def jackfield_provider():
        return ProviderInfo(id={id!r}, title="T", settings=Settings, kinds=frozenset())

    @hookimpl
    def jackfield_capabilities(model):
        return Capabilities()

    @hookimpl
    def jackfield_translate(model, request, capabilities): ...

    @hookimpl
    def jackfield_decoder(model, wire): ...

    @hookimpl
    def jackfield_transport(settings): ...
"""


def states(registry, *, load=False):
    return {state.name: state for state in registry.plugins(load=load)}


class TestInstalled:
    def test_names_are_read_and_nothing_is_imported(self, install):
        module = install(
            "jackfield-acme", {"providers.v1": "acme = {module}"}, "raise SystemExit('imported')"
        )
        registry = Registry.installed()
        assert "acme" in registry.provider_ids()
        assert registry.has_provider("acme")
        state = states(registry)["acme"]
        assert (state.state, state.distribution, state.version, state.group) == (
            "not loaded",
            "jackfield-acme",
            "1.0",
            "jackfield.providers.v1",
        )
        assert module not in sys.modules

    def test_a_plugin_is_imported_when_it_is_used(self, install):
        install("jackfield-acme", {"providers.v1": "acme = {module}"}, SOURCE.format(id="acme"))
        registry = Registry.installed()
        provider = registry.provider("acme")
        assert (provider.distribution, provider.version) == ("jackfield-acme", "1.0")
        assert states(registry)["acme"].state == "ready"

    def test_one_registry_serves_a_process_until_it_is_refreshed(self, install):
        registry = Registry.installed()
        install("jackfield-acme", {"providers.v1": "acme = {module}"})
        assert Registry.installed() is registry
        assert not registry.has_provider("acme")
        assert Registry.installed(refresh=True).has_provider("acme")

    @pytest.mark.parametrize(
        "source", ["import no_such_module", "raise ValueError('x')", "raise SystemExit", "syntax error"]
    )
    def test_a_broken_import_breaks_only_its_own_provider(self, install, source):
        install("jackfield-acme", {"providers.v1": "acme = {module}"}, source)
        install("jackfield-bolt", {"providers.v1": "bolt = {module}"}, SOURCE.format(id="bolt"))
        registry = Registry.installed()
        with pytest.raises(PluginError, match="jackfield-acme 1.0.*cannot be imported") as caught:
            registry.provider("acme")
        assert isinstance(caught.value.__cause__, ImportError | ValueError | SystemExit | SyntaxError)
        assert registry.provider("bolt").info.id == "bolt"
        listed = states(registry)
        assert listed["acme"].state == "failed"
        assert "cannot be imported" in listed["acme"].reason
        assert listed["bolt"].state == "ready"

    def test_a_broken_plugin_raises_the_same_each_time_and_is_imported_once(self, install):
        install(
            "jackfield-acme",
            {"providers.v1": "acme = {module}"},
            "import sys; sys.acme_imports = getattr(sys, 'acme_imports', 0) + 1; raise ValueError",
        )
        registry = Registry.installed()
        errors = []
        for _ in range(2):
            with pytest.raises(PluginError) as caught:
                registry.provider("acme")
            errors.append(caught.value)
        assert errors[0] is not errors[1]
        assert errors[0].message == errors[1].message
        assert sys.acme_imports == 1
        del sys.acme_imports

    def test_listing_with_load_shows_what_is_broken(self, install):
        install("jackfield-acme", {"providers.v1": "acme = {module}"}, "raise ValueError('x')")
        install("jackfield-bolt", {"middlewares.v1": "bolt = {module}:missing"})
        listed = states(Registry.installed(), load=True)
        assert listed["acme"].state == "failed"
        assert listed["bolt"].state == "failed"
        assert "AttributeError" in listed["bolt"].reason

    def test_an_id_that_differs_from_the_entry_points_name_is_refused(self, install):
        install("jackfield-acme", {"providers.v1": "acme = {module}"}, SOURCE.format(id="ecma"))
        with pytest.raises(PluginError, match="calls itself 'ecma'"):
            Registry.installed().provider("acme")

    def test_two_distributions_with_one_id_are_both_named(self, install):
        install("jackfield-acme", {"providers.v1": "acme = {module}"}, SOURCE.format(id="acme"))
        install("other-acme", {"providers.v1": "acme = {module}"}, SOURCE.format(id="acme"), version="2.0")
        install("jackfield-bolt", {"providers.v1": "bolt = {module}"}, SOURCE.format(id="bolt"))
        registry = Registry.installed()
        with pytest.raises(PluginError) as caught:
            registry.provider("acme")
        assert "jackfield-acme 1.0" in caught.value.message
        assert "other-acme 2.0" in caught.value.message
        assert registry.provider("bolt")
        assert [s.state for s in registry.plugins() if s.name == "acme"] == ["duplicate", "duplicate"]

    @pytest.mark.parametrize(
        ("contract", "upgrade"), [(2, "upgrade jackfield "), (0, "upgrade jackfield-acme ")]
    )
    def test_another_contract_is_listed_with_what_to_upgrade(self, install, contract, upgrade):
        install("jackfield-acme", {f"providers.v{contract}": "acme = {module}"}, "raise SystemExit")
        registry = Registry.installed()
        state = states(registry)["acme"]
        assert (state.state, state.contract) == ("incompatible", contract)
        assert upgrade in state.reason
        with pytest.raises(PluginError, match=upgrade):
            registry.provider("acme")
        assert not registry.has_provider("acme")

    def test_a_distribution_that_speaks_two_contracts_is_used_by_the_one_we_speak(self, install):
        install(
            "jackfield-acme",
            {"providers.v1": "acme = {module}", "providers.v2": "acme = {module}"},
            SOURCE.format(id="acme"),
        )
        registry = Registry.installed()
        assert registry.provider("acme")
        assert [state.contract for state in registry.plugins() if state.name == "acme"] == [1]

    def test_the_block_list_blocks(self, install, monkeypatch):
        install("jackfield-acme", {"providers.v1": "acme = {module}"}, "raise SystemExit('imported')")
        monkeypatch.setenv("JACKFIELD_PLUGINS_BLOCK", "acme")
        registry = Registry.installed()
        with pytest.raises(PluginError, match="blocked by JACKFIELD_PLUGINS_BLOCK"):
            registry.provider("acme")
        assert "acme" not in registry.provider_ids()
        assert states(registry, load=True)["acme"].state == "blocked"

    def test_the_allow_list_blocks_all_others(self, install, monkeypatch):
        install("jackfield-acme", {"providers.v1": "acme = {module}"}, SOURCE.format(id="acme"))
        install("jackfield-bolt", {"extensions.v1": "bolt = {module}"}, "raise SystemExit('imported')")
        monkeypatch.setenv("JACKFIELD_PLUGINS_ALLOW", " acme ,")
        registry = Registry.installed()
        assert registry.provider_ids() == ("acme",)
        assert registry.provider("acme")
        assert registry.has_observers is False
        assert states(registry)["bolt"].state == "blocked"

    @pytest.mark.parametrize("variable", ["JACKFIELD_PLUGINS_ALLOW", "JACKFIELD_PLUGINS_BLOCK"])
    def test_an_unknown_name_in_a_list_is_an_error_with_the_closest(self, install, monkeypatch, variable):
        install("jackfield-acme", {"providers.v1": "acme = {module}"})
        monkeypatch.setenv(variable, "acmee")
        with pytest.raises(ConfigurationError, match=f"{variable} .*did you mean 'acme'"):
            Registry.installed()

    def test_an_extension_is_imported_at_the_first_call_and_a_broken_one_is_logged(self, install, caplog):
        module = install("jackfield-acme", {"extensions.v1": "acme = {module}"}, "raise ValueError('x')")
        registry = Registry.installed()
        assert registry.has_observers is True
        assert module not in sys.modules
        registry.call_started("call")
        assert "an extension cannot be used" in caplog.text
        assert states(registry)["acme"].state == "failed"

    async def test_a_mesh_imports_extensions_when_it_is_entered_and_off_the_loop(self, install):
        code = "import threading\nwhere = threading.current_thread()\ndef jackfield_price(): pass"
        module = install("jackfield-acme", {"extensions.v1": "acme = {module}"}, code)
        mesh = Mesh.from_config({"connections": {}}, registry=Registry.installed())
        assert module not in sys.modules
        async with mesh:
            assert sys.modules[module].where is not threading.main_thread()


def test_importing_the_package_loads_no_pluggy():
    code = "import jackfield, jackfield._plugins.registry, jackfield._config.loader, sys; print('pluggy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


class TestExtended:
    def test_a_program_adds_its_own_plugins_to_what_is_there(self):
        first, second = Plugin(id="one"), Plugin(id="two")
        registry = Registry.of(first).extended(second)
        assert registry.provider_ids() == ("one", "two")

    def test_an_own_plugin_takes_the_place_of_its_namesake(self):
        class Newer(Plugin):
            @hookimpl
            def jackfield_transport(self, settings):
                return HttpAccess(base_url="https://newer.example")

        registry = Registry.of(Plugin(id="one")).extended(Newer(id="one"))
        assert registry.provider("one").transport(None).base_url == "https://newer.example"
        assert registry.provider_ids() == ("one",)

    def test_the_first_registry_stays_as_it_was(self):
        registry = Registry.of(Plugin(id="one"))
        registry.extended(Plugin(id="two"))
        assert registry.provider_ids() == ("one",)
