"""The registry: the names of all plugins, and the code of those that are used."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from jackfield._contract.protocols import CostContext
from jackfield._faces import show_in
from jackfield._hints import hint, suggestion
from jackfield._types.calls import Call, Outcome
from jackfield._types.capabilities import ModelRef
from jackfield._types.cost import RateCard
from jackfield._types.errors import ConfigurationError, JackfieldError, PluginError

from .hooks import PASSED_ON, plugin_fault
from .installed import GROUPS, InstalledPlugin, PluginKind, PluginState, read_entry_points
from .provider import Provider, bind_provider
from .versions import Contract, CredentialKind, list_contracts

if TYPE_CHECKING:
    from .extensions import Extensions

__all__ = ["CredentialKind", "PluginState", "Provider", "Registry"]

logger = logging.getLogger("jackfield")

ALLOW = "JACKFIELD_PLUGINS_ALLOW"
BLOCK = "JACKFIELD_PLUGINS_BLOCK"


class Registry:
    """Finds plugins by name, loads each when it is first used, and keeps the faults of one from the others.

    Made by `Registry.installed()` or `Registry.of(...)`.

    Attributes:
        has_observers: Whether an extension may observe calls; False saves calls the detour.
    """

    _entry_points: ClassVar[tuple[InstalledPlugin, ...] | None] = None
    _by_lists: ClassVar[dict[tuple[str, str], Registry]] = {}

    def __init__(
        self,
        plugins: Iterable[InstalledPlugin],
        *,
        allow: frozenset[str] | None = None,
        block: frozenset[str] = frozenset(),
        contracts: Mapping[int, Contract] | None = None,
    ) -> None:
        plugins = tuple(plugins)
        self._plugins = plugins
        self._contracts = list_contracts() if contracts is None else contracts
        self._allow = allow
        self._block = block
        self._named: dict[tuple[PluginKind, str], list[InstalledPlugin]] = {}
        self._foreign: list[InstalledPlugin] = []
        for plugin in sorted(plugins, key=lambda plugin: -plugin.contract):
            if plugin.contract not in self._contracts:
                self._foreign.append(plugin)
            elif not self._speaks_a_better_one(plugin):
                self._named.setdefault((plugin.kind, plugin.name), []).append(plugin)
        self._ready: dict[tuple[PluginKind, str], Any] = {}
        self._failed: dict[tuple[PluginKind, str], PluginError] = {}
        self._extensions: Extensions | None = None
        self.has_observers = bool(self.names("extension"))

    @classmethod
    def installed(cls, *, refresh: bool = False) -> Registry:
        """Return the registry of the installed plugins: the same one while the environment variables do not change.

        Args:
            refresh: Read the installed distributions again.

        Raises:
            ConfigurationError: `JACKFIELD_PLUGINS_ALLOW` or `JACKFIELD_PLUGINS_BLOCK` names a plugin that
                is not installed.
        """
        if refresh or cls._entry_points is None:
            cls._entry_points = read_entry_points()
            cls._by_lists.clear()
        lists = (os.environ.get(ALLOW, ""), os.environ.get(BLOCK, ""))
        registry = cls._by_lists.get(lists)
        if registry is None:
            names = {plugin.name for plugin in cls._entry_points if plugin.kind in {"provider", "extension"}}
            allow, block = _read_names(ALLOW, names), _read_names(BLOCK, names)
            registry = cls(cls._entry_points, allow=allow, block=block or frozenset())
            cls._by_lists[lists] = registry
        return registry

    @classmethod
    def of(
        cls,
        *plugins: object,
        extensions: Iterable[object] = (),
        middlewares: Mapping[str, Callable[..., Any]] | None = None,
        credentials: Mapping[str, CredentialKind] | None = None,
        tables: Mapping[str, type] | None = None,
    ) -> Registry:
        """Create a registry of objects, for tests and for programs that bring their own plugins.

        Args:
            plugins: Provider plugins: modules or objects.
            extensions: Extension plugins.
            middlewares: Factories by name.
            credentials: Kinds of credentials by name.
            tables: Attrs classes of tables of the configuration by name.

        Raises:
            PluginError: A provider plugin cannot be bound.
        """
        return cls(_describe_objects(plugins, extensions, middlewares or {}, credentials or {}, tables or {}))

    def extended(
        self,
        *plugins: object,
        extensions: Iterable[object] = (),
        middlewares: Mapping[str, Callable[..., Any]] | None = None,
        credentials: Mapping[str, CredentialKind] | None = None,
        tables: Mapping[str, type] | None = None,
    ) -> Registry:
        """Return a registry with a program's own plugins added; each replaces an installed one of the same name.

            registry = Registry.installed().extended(extensions=[my_observer])
            mesh = Mesh.from_config("jackfield.toml", registry=registry)

        Args and errors are those of `of`.
        """
        own = _describe_objects(plugins, extensions, middlewares or {}, credentials or {}, tables or {})
        names = {(plugin.kind, plugin.name) for plugin in own}
        kept = [plugin for plugin in self._plugins if (plugin.kind, plugin.name) not in names]
        allow = None if self._allow is None else self._allow | {plugin.name for plugin in own}
        return Registry([*kept, *own], allow=allow, block=self._block, contracts=self._contracts)

    def provider(self, id: str) -> Provider:
        """Return a provider; the first call imports its plugin.

        Raises:
            ConfigurationError: No installed plugin has this id.
            PluginError: There is one, but it cannot be used.
        """
        provider: Provider = self._get("provider", id)
        return provider

    def provider_ids(self) -> tuple[str, ...]:
        """Return the ids of all installed providers, including broken ones, excluding blocked ones."""
        return self.names("provider")

    def names(self, kind: PluginKind) -> tuple[str, ...]:
        """Return the names of all plugins of a kind, including broken ones, excluding blocked ones."""
        return tuple(sorted(name for k, name in self._named if k == kind and not self._is_blocked(k, name)))

    def has_provider(self, id: str) -> bool:
        """Return whether a plugin with this id is installed and not blocked."""
        return ("provider", id) in self._named and not self._is_blocked("provider", id)

    def credential_kind(self, name: str) -> CredentialKind:
        """Return a kind of credentials; the first call imports its plugin.

        Raises:
            ConfigurationError: No installed plugin has this kind.
            PluginError: There is one, but it cannot be used.
        """
        kind: CredentialKind = self._get("credentials", name)
        return kind

    def middleware(self, name: str) -> Callable[..., Any]:
        """Return the factory of a middleware; the first call imports its plugin.

        Raises:
            ConfigurationError: No installed plugin has this name.
            PluginError: There is one, but it cannot be used.
        """
        factory: Callable[..., Any] = self._get("middleware", name)
        return factory

    def table(self, name: str) -> type:
        """Return the attrs class of a table that a plugin adds to the configuration; the first call imports its plugin.

        Raises:
            ConfigurationError: No installed plugin has this table.
            PluginError: There is one, but it cannot be used.
        """
        settings: type = self._get("table", name)
        return settings

    def price(self, model: ModelRef, context: CostContext) -> RateCard | None:
        """Return the rates that the first extension with an answer has for a model."""
        return self._bind_extensions().price(model, context)

    def call_started(self, call: Call) -> Callable[[Outcome], None] | None:
        """Announce a call to the extensions that observe calls.

        Returns:
            What announces its end to those that want to know it; None if there are none.
        """
        extensions = self._extensions
        return (self._bind_extensions() if extensions is None else extensions).call_started(call)

    def commands(self, cli: Any) -> None:
        """Call the hooks with which extensions add commands to the command line."""
        self._bind_extensions().commands(cli)

    def plugins(self, *, load: bool = False) -> list[PluginState]:
        """List every plugin with its state.

        Args:
            load: Load each that can be loaded, to find those that fail.
        """
        if load:
            self._load_all()
        states = [
            self._describe_state(plugin, key) for key, plugins in self._named.items() for plugin in plugins
        ]
        states += [
            PluginState.of(plugin, "incompatible", self._describe_incompatibility(plugin))
            for plugin in self._foreign
            if not self._speaks_a_better_one(plugin)
        ]
        return sorted(states, key=lambda state: (list(GROUPS).index(state.kind), state.name, state.contract))

    def _get(self, kind: PluginKind, name: str) -> Any:
        key = (kind, name)
        if key in self._ready:
            return self._ready[key]
        if key not in self._failed:
            try:
                made = self._load(kind, self._find_installed(kind, name))
            except PluginError as error:
                self._failed[key] = error
            else:
                self._ready[key] = made
                return made
        # A new one each time: one exception raised in several places gathers all their tracebacks.
        known = self._failed[key]
        raise PluginError(known.message, provider=known.provider) from (known.__cause__ or known)

    def _load(self, kind: PluginKind, installed: InstalledPlugin) -> Any:
        plugin = _import(installed)
        bind = getattr(self._contracts[installed.contract], kind)
        try:
            return bind(plugin, installed)
        except (JackfieldError, *PASSED_ON):
            raise
        except BaseException as error:  # to read attributes of a plugin may run any code
            raise plugin_fault(
                installed.label, f"it cannot be bound: {type(error).__name__}: {error}"
            ) from error

    def _find_installed(self, kind: PluginKind, name: str) -> InstalledPlugin:
        found = self._named.get((kind, name), [])
        if not found:
            foreign = [plugin for plugin in self._foreign if (plugin.kind, plugin.name) == (kind, name)]
            if foreign:
                raise PluginError(self._describe_incompatibility(foreign[0]))
            raise ConfigurationError(self._describe_unknown(kind, name))
        if self._is_blocked(kind, name):
            raise PluginError(f"{found[0].label} is blocked by {self._describe_block()}")
        if len(found) > 1:
            raise PluginError(_describe_duplicate(found))
        return found[0]

    def _describe_unknown(self, kind: PluginKind, name: str) -> str:
        known = self.names(kind)
        what = "kind of credentials" if kind == "credentials" else kind
        meant = suggestion(name, known)
        near = f"; did you mean {meant!r}?" if meant is not None else ""
        installed = f"installed: {', '.join(known)}" if known else "none is installed"
        message = f"no installed plugin gives the {what} {name!r}{near} ({installed})"
        from jackfield._hints import install_command

        from .known import known_plugins  # for those who made a slip

        # Anybody may own the package that a misspelt name leads to, so only our own are named.
        ours = known_plugins().providers if kind == "provider" else ()
        if name in ours:
            return f"{message}; to add it: {install_command(f'jackfield-{name}')}"
        mine = suggestion(name, ours) if meant is None else None
        return message if mine is None else f"{message}; did you mean {mine!r}?"

    def _is_blocked(self, kind: PluginKind, name: str) -> bool:
        if kind not in {"provider", "extension"}:
            return False
        return name in self._block or (self._allow is not None and name not in self._allow)

    def _describe_block(self) -> str:
        return " and ".join(
            variable for variable, names in ((ALLOW, self._allow), (BLOCK, self._block)) if names
        )

    def _describe_incompatibility(self, plugin: InstalledPlugin) -> str:
        versions = sorted(self._contracts)
        ours = f"version{'s' if len(versions) > 1 else ''} {' and '.join(map(str, versions))}"
        upgrade = "jackfield" if plugin.contract > versions[-1] else plugin.distribution or "the plugin"
        return (
            f"{plugin.label} is written for version {plugin.contract} of the contract, this jackfield speaks "
            f"{ours}; upgrade {upgrade} (pip install --upgrade {upgrade})"
        )

    def _speaks_a_better_one(self, plugin: InstalledPlugin) -> bool:
        """Return whether the same distribution provides it for a version that the core supports and prefers."""
        named = self._named.get((plugin.kind, plugin.name), [])
        return plugin.distribution is not None and any(
            other.distribution == plugin.distribution and other.contract != plugin.contract for other in named
        )

    def load_extensions(self) -> None:
        """Import the extensions, which the first call would otherwise do. One that fails is logged."""
        self._bind_extensions()

    def _bind_extensions(self) -> Extensions:
        if self._extensions is None:
            from .extensions import Extensions

            loaded = []
            for name in self.names("extension"):
                try:
                    loaded.append((name, self._bind_extension(name)))
                except PluginError:
                    logger.exception("an extension cannot be used; calls go on without it")
            self._extensions = Extensions(loaded)
            self.has_observers = self._extensions.has_observers
        return self._extensions

    def _bind_extension(self, name: str) -> dict[str, Callable[..., Any]]:
        hooks: dict[str, Callable[..., Any]] = self._get("extension", name)
        return hooks

    def _load_all(self) -> None:
        load: dict[PluginKind, Callable[[str], object]] = {
            "provider": self.provider,
            "credentials": self.credential_kind,
            "middleware": self.middleware,
            "extension": self._bind_extension,
            "table": self.table,
        }
        for kind, name in self._named:
            try:
                load[kind](name)
            except PluginError:
                pass  # kept in `_failed`; the list shows it

    def _describe_state(self, plugin: InstalledPlugin, key: tuple[PluginKind, str]) -> PluginState:
        if self._is_blocked(*key):
            return PluginState.of(plugin, "blocked", f"blocked by {self._describe_block()}")
        if len(self._named[key]) > 1:
            return PluginState.of(plugin, "duplicate", _describe_duplicate(self._named[key]))
        if key in self._failed:
            return PluginState.of(plugin, "failed", self._failed[key].message)
        advice = self._contracts[plugin.contract].advice
        return PluginState.of(plugin, "ready" if key in self._ready else "not loaded", advice)


def _describe_objects(
    plugins: Iterable[object],
    extensions: Iterable[object],
    middlewares: Mapping[str, Callable[..., Any]],
    credentials: Mapping[str, CredentialKind],
    tables: Mapping[str, type],
) -> list[InstalledPlugin]:
    """Describe a program's own plugins as if they were installed."""
    from jackfield._contract.hookspecs import CONTRACT

    def describe(kind: PluginKind, name: str, plugin: object) -> InstalledPlugin:
        return InstalledPlugin(name, kind, CONTRACT, lambda: plugin)

    found = [
        describe("provider", bind_provider(plugin, f"the plugin {_find_name(plugin)}").info.id, plugin)
        for plugin in plugins
    ]
    found += [
        describe("extension", f"{_find_name(plugin)}-{number}", plugin)
        for number, plugin in enumerate(extensions, 1)
    ]
    found += [describe("middleware", name, factory) for name, factory in middlewares.items()]
    found += [describe("credentials", name, kind) for name, kind in credentials.items()]
    found += [describe("table", name, settings) for name, settings in tables.items()]
    return found


def _import(installed: InstalledPlugin) -> object:
    try:
        return installed.load()
    except PASSED_ON:
        raise
    except BaseException as error:  # `sys.exit`, and panics of extension modules
        upgrade = f"; reinstall or upgrade it: pip install --upgrade {installed.distribution}"
        raise PluginError(
            f"{installed.label} cannot be imported: {type(error).__name__}: {error}"
            f"{upgrade if installed.distribution else ''}"
        ) from error


def _describe_duplicate(found: list[InstalledPlugin]) -> str:
    where = " and ".join(
        f"{plugin.distribution} {plugin.version}" if plugin.distribution else "an object" for plugin in found
    )
    return f"{len(found)} plugins give the {found[0].kind} {found[0].name!r}: {where}; uninstall all but one"


def _read_names(variable: str, known: set[str]) -> frozenset[str] | None:
    names = frozenset(name.strip() for name in os.environ.get(variable, "").split(",") if name.strip())
    for name in sorted(names - known):
        raise ConfigurationError(
            f"{variable} names the plugin {name!r}, which is not installed{hint(name, known)}"
        )
    return names or None


def _find_name(plugin: object) -> str:
    name = getattr(plugin, "__name__", None)
    return name if isinstance(name, str) else type(plugin).__name__


show_in("jackfield", Registry)
show_in("jackfield.plugin", PluginState, Provider)
