"""Load a configuration: read it once and check it as a whole."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs

from jackfield._contract.keys import settle_keys
from jackfield._contract.middleware import MiddlewareKind
from jackfield._contract.paths import model_id_fault
from jackfield._contract.settings import INVALID, Reader, join
from jackfield._hints import hint
from jackfield._plugins.capabilities import find_underlying
from jackfield._types.capabilities import ModelEntry, ModelRef
from jackfield._types.cost import RateCard
from jackfield._types.errors import ConfigurationError, JackfieldError, PluginError
from jackfield._values import evolve

from .connections import ConnectionConfig, MeshConfig, is_allowed
from .credentials import Credentials, read_credentials
from .defaults import SHARED_KEYS, SharedKeys, read_shared_keys
from .document import read_document
from .extra_ids import find_declared_faults

if TYPE_CHECKING:
    from jackfield._contract.protocols import ProviderInfo
    from jackfield._plugins.registry import Provider, Registry
    from jackfield._pricing.price_file import PriceTable

__all__ = ["load_config"]

_log = logging.getLogger("jackfield")

TABLES: Final = ("defaults", "aliases", "credentials", "connections", "middleware", "prices")
CORE_KEYS: Final = ("provider", "models", "rate", *SHARED_KEYS)


def load_config(source: str | Path | Mapping[str, Any] | None, registry: Registry) -> MeshConfig:
    """Read and check a configuration.

    Imports the plugin module of each declared connection, never its SDK. A plugin that cannot be imported
    marks its connections as failed; everything else that is wrong is raised together.

    Args:
        source: A TOML file, a mapping of the same shape, or None: the file that `JACKFIELD_CONFIG` names,
            `./jackfield.toml`, the user's `jackfield/config.toml`, or the local model if it is installed.
        registry: The plugins.

    Raises:
        ConfigurationError: Everything that is wrong, each line with its place and the closest match.
    """
    document = read_document(source, registry)
    folder = document.path.parent if document.path is not None else None
    loader = _Loader(registry, Reader(folder))
    loaded = evolve(loader.load(document.content), path=document.path)
    loader.reader.raise_problems(str(document.path) if document.path is not None else None)
    return loaded


class _Loader:
    def __init__(self, registry: Registry, reader: Reader) -> None:
        self.registry = registry
        self.reader = reader
        self.defaults = SharedKeys()
        self.credentials = Credentials()

    def load(self, content: Mapping[str, Any]) -> MeshConfig:
        self._check_names_of_tables(content)
        tables = {key: self.reader.table(content.get(key, {}), key) for key in TABLES}
        self.reader.unknown_keys(tables["defaults"], SHARED_KEYS, "defaults")
        self.defaults = read_shared_keys(self.reader, tables["defaults"], "defaults", SharedKeys())
        with contextlib.suppress(PluginError):  # a broken one is for the connections that take it to tell
            self._check_middlewares(self.defaults.middlewares, "defaults.middlewares")
        self.credentials = read_credentials(self.reader, tables["credentials"], self.registry)
        connections = {}
        for name, value in tables["connections"].items():
            connection = self._connection(str(name), value, join("connections", name))
            if connection is not None:
                connections[connection.name] = connection
        self.reader.problems += find_declared_faults(self.registry, connections.values())
        return MeshConfig(
            connections=connections,
            aliases=self._aliases(tables["aliases"], connections, tables["connections"]),
            defaults=self.defaults,
            middleware_settings=self._middleware_settings(tables["middleware"], connections),
            credentials=self.credentials.settings(),
            tables=self._tables_of_plugins(content),
            prices=self._prices(tables["prices"], connections),
        )

    def _check_names_of_tables(self, content: Mapping[str, Any]) -> None:
        known = (*TABLES, *self.registry.names("table"))
        unknown = {name: value for name, value in content.items() if name not in known}
        if unknown:
            from jackfield._plugins.known import known_plugins

            # A file may serve several programs: one that cannot read a table of ours leaves it to those that can.
            ours = known_plugins().tables
            self.reader.unknown_keys({n: v for n, v in unknown.items() if n not in ours}, known, "")

    def _tables_of_plugins(self, content: Mapping[str, Any]) -> Mapping[str, Any]:
        """Read the tables that plugins add; one whose plugin cannot be used is left to the program that needs it."""
        tables: dict[str, Any] = {}
        for name in self.registry.names("table"):
            if name in TABLES or name not in content:
                continue
            try:
                settings = self.registry.table(name)
            except JackfieldError as error:
                _log.warning("the table [%s] is not read: %s", name, error.message)
                continue
            tables[name] = self.reader.settings(settings, content[name], name)
        return tables

    def _connection(self, name: str, value: Any, where: str) -> ConnectionConfig | None:
        if not isinstance(value, Mapping):
            self.reader.wrong(where, 'must be a table with a provider: provider = "..."')
            return None
        if not name or ":" in name:
            self.reader.wrong(where, "a connection's name is not empty and has no colon")
        provider_id = self._provider_id(value, where)
        if provider_id is None:
            return None
        shared = read_shared_keys(self.reader, value, where, self.defaults)
        config = ConnectionConfig(name=name, provider_id=provider_id, **_shared_fields(shared))
        try:
            said_at = where if "middlewares" in value else "defaults"
            self._check_middlewares(shared.middlewares, join(said_at, "middlewares"))
            return self._with_provider(config, value, where)
        except PluginError as error:
            failure = PluginError(error.message, provider=provider_id, connection=name)
            failure.__cause__ = error.__cause__ or error
            return evolve(config, middlewares=(), failure=failure, **self._without_plugin(value, where))
        except ConfigurationError as error:
            self.reader.wrong(where, error.message)
            self._without_plugin(value, where)
            return None

    def _without_plugin(self, table: Mapping[str, Any], where: str) -> dict[str, Any]:
        """Read what can be read of money and models without their plugin."""
        read: dict[str, Any] = {"rate": self._rate(table, where, ())}
        if "models" in table:
            read["models"] = self._entries(table, where, None)
        return read

    def _rate(self, table: Mapping[str, Any], where: str, units: tuple[str, ...]) -> RateCard | None:
        if "rate" not in table:
            return None
        from jackfield._pricing.declared import read_rate  # few connections declare one

        return read_rate(self.reader, table["rate"], join(where, "rate"), units)

    def _entries(
        self, table: Mapping[str, Any], where: str, info: ProviderInfo | None
    ) -> tuple[ModelEntry, ...] | None:
        from .model_entries import read_entries

        return read_entries(self.reader, table["models"], join(where, "models"), info)

    def _provider_id(self, table: Mapping[str, Any], where: str) -> str | None:
        if "provider" not in table:
            installed = ", ".join(self.registry.provider_ids()) or "no provider plugin"
            self.reader.wrong(
                join(where, "provider"), f'is missing; write provider = "..." ({installed} installed)'
            )
            return None
        provider_id = self.reader.value(str, table["provider"], join(where, "provider"))
        return None if provider_id is INVALID else str(provider_id)

    def _with_provider(
        self, config: ConnectionConfig, table: Mapping[str, Any], where: str
    ) -> ConnectionConfig:
        """Read what only the plugin knows how to read.

        Raises:
            PluginError: The plugin, or one that this connection names, cannot be used.
        """
        provider = self.registry.provider(config.provider_id)
        config = evolve(config, rate=self._rate(table, where, provider.info.units))
        settings = self._settings(config, provider, table, where)
        models = None
        if "models" in table:
            models = self._entries(table, where, provider.info)
        elif provider.info.requires_models:
            self.reader.wrong(
                join(where, "models"),
                f"is missing; {provider.info.id} calls models by your own names: write "
                'models = [{ id = "name", underlying = "model" }]',
            )
        identity = self.credentials.declared(table.get("credentials"))
        config = evolve(config, provider=provider, settings=settings, identity=identity)
        if models is not None and settings is not None:
            models = tuple(
                self._check_entry(config, provider, entry, f"{where}.models[{entry.id}]") for entry in models
            )
            if "models" in attrs.fields_dict(type(settings)):
                try:
                    settings = attrs.evolve(settings, models=models)
                except ValueError as error:  # a plugin's own rule for them
                    self.reader.wrong(join(where, "models"), str(error))
        if settings is not None:
            settings, faults = settle_keys(settings, table)
            for key, fault in faults:
                self.reader.wrong(join(where, key), fault)
        return evolve(config, settings=settings, models=models)

    def _settings(
        self, config: ConnectionConfig, provider: Provider, table: Mapping[str, Any], where: str
    ) -> Any:
        cls = provider.info.settings
        fields = attrs.fields_dict(cls)
        own = {key: value for key, value in table.items() if key not in CORE_KEYS and key != "credentials"}
        before = len(self.reader.problems)
        if "price" in own and "price" not in fields:
            del own["price"]
            self.reader.wrong(
                join(where, "price"),
                "a connection takes a rate (of time or of a unit); a price belongs to a model: "
                'models = [{ id = "model", price = { input = "1", output = "2" } }]',
            )
        # A transport of the plugin's own may need the proxy or the time limits: a field of that name gets them.
        given = {key: getattr(config, key) for key in SHARED_KEYS if key in fields}
        if provider.info.credentials:
            self._add_credentials(given, provider, table, where)
        elif "credentials" in table:
            self.credentials.find(
                self.reader, table["credentials"], join(where, "credentials"), provider.info
            )
        complete = len(self.reader.problems) == before and given.get("credentials") is not INVALID
        return self.reader.settings(cls, own, where, given=given, also=CORE_KEYS, complete=complete)

    def _add_credentials(
        self, given: dict[str, Any], provider: Provider, table: Mapping[str, Any], where: str
    ) -> None:
        """Put the identity that a connection names into its settings; one that is wrong is noted."""
        place = join(where, "credentials")
        if "credentials" in table:
            given["credentials"] = self.credentials.find(
                self.reader, table["credentials"], place, provider.info
            )
        elif attrs.fields_dict(provider.info.settings)["credentials"].default is attrs.NOTHING:
            kinds = " or ".join(provider.info.credentials)
            given["credentials"] = self.reader.wrong(
                place,
                f'is missing; write credentials = "NAME" and a table [credentials.NAME] with kind = {kinds}',
            )

    def _check_entry(
        self, config: ConnectionConfig, provider: Provider, entry: ModelEntry, where: str
    ) -> ModelEntry:
        """Check money, and that a deployment's model is known; gives the entry as calls need it.

        Raises:
            PluginError: The plugin's table cannot be asked.
        """
        rate = entry.rate or config.rate
        if entry.price is not None and rate is not None and entry.price.currency != rate.currency:
            self.reader.wrong(
                where,
                f"its price is in {entry.price.currency} and its rate in {rate.currency}; write one currency",
            )
        if entry.underlying is None and not provider.info.requires_models:
            return entry
        model = ModelRef(entry.id, config.name, None, entry.underlying, entry.raw, config.settings)
        try:
            found = find_underlying(self.registry, provider, model)
        except PluginError:
            raise
        except JackfieldError as error:
            raise PluginError(f"its table of models failed: {error.message}") from error
        if found is not None:
            return evolve(entry, underlying=found[1])
        if not (entry.capabilities or entry.kinds) or (entry.price is None and rate is None):
            self.reader.wrong(where, _unknown_deployment(entry, provider.info.id))
        return entry

    def _check_middlewares(self, names: tuple[str, ...], where: str) -> None:
        for number, name in enumerate(names):
            try:
                self.registry.middleware(name)
            except PluginError:
                raise
            except ConfigurationError as error:
                self.reader.wrong(f"{where}[{number}]", error.message)

    def _aliases(
        self,
        table: Mapping[str, Any],
        connections: Mapping[str, ConnectionConfig],
        declared: Mapping[str, Any],
    ) -> Mapping[str, tuple[str, ...]]:
        aliases = {}
        for name, value in table.items():
            where = join("aliases", name)
            if ":" in name:
                self.reader.wrong(where, "an alias has no colon in its name")
            targets = self.reader.value(tuple[str, ...], (value,) if isinstance(value, str) else value, where)
            if targets is INVALID:
                continue
            if not targets:
                self.reader.wrong(where, "is empty; write at least one target")
            for target in targets:
                self._check_target(target, where, connections, declared)
            aliases[name] = targets
        return aliases

    def _check_target(
        self,
        target: str,
        where: str,
        connections: Mapping[str, ConnectionConfig],
        declared: Mapping[str, Any],
    ) -> None:
        name, _, model_id = target.partition(":")
        if not name or not model_id:
            self.reader.wrong(where, f'"{target}" is not a valid target; write "connection:model"')
        elif name not in declared:
            self.reader.wrong(where, f"there is no connection {name!r}{hint(name, declared)}")
        elif (fault := model_id_fault(model_id)) is not None:
            self.reader.wrong(where, f"{model_id!r} is not valid as the id of a model: {fault}")
        elif (
            name in connections
            and not is_allowed(connections[name], model_id)
            and not _is_written(model_id, declared[name])  # its entry is wrong: that is told already
        ):
            allowed = [entry.id for entry in connections[name].models or ()]
            self.reader.wrong(
                where, f"connection {name} does not allow the model {model_id!r}{hint(model_id, allowed)}"
            )

    def _middleware_settings(
        self, table: Mapping[str, Any], connections: Mapping[str, ConnectionConfig]
    ) -> Mapping[str, Any]:
        installed = self.registry.names("middleware")
        for name in table:
            if name not in installed:
                where = join("middleware", name)
                self.reader.wrong(where, f"no installed plugin gives this middleware{hint(name, installed)}")
        named = [name for connection in connections.values() for name in connection.middlewares]
        known = [name for name in dict.fromkeys([*table, *named]) if name in installed]
        return {name: self._settings_of(name, table.get(name, {})) for name in known}

    def _settings_of(self, name: str, value: Any) -> Any:
        where = join("middleware", name)
        values = dict(self.reader.table(value, where))
        try:
            kind = self.registry.middleware(name)
        except JackfieldError:
            return values  # who names it fails by it; here it only has a table
        return (
            self.reader.settings(kind.settings, values, where) if isinstance(kind, MiddlewareKind) else values
        )

    def _prices(
        self, table: Mapping[str, Any], connections: Mapping[str, ConnectionConfig]
    ) -> PriceTable | None:
        self.reader.unknown_keys(table, ("file",), "prices")
        if "file" not in table:
            return None
        path = self.reader.value(Path, table["file"], "prices.file")
        if path is INVALID:
            return None
        from jackfield._plugins.known import known_plugins
        from jackfield._pricing.price_file import PriceTable  # csv is for those who have a price file

        providers = [connection.provider for connection in connections.values() if connection.provider]
        try:
            prices = PriceTable.read(path, {unit for provider in providers for unit in provider.info.units})
        except ConfigurationError as error:
            self.reader.wrong("prices.file", error.message)
            return None
        for slip in prices.slips((*self.registry.provider_ids(), *known_plugins().providers)):
            _log.warning("the price file %s: %s", path.name, slip)
        return prices


def _shared_fields(shared: SharedKeys) -> dict[str, Any]:
    # not attrs.asdict: policies stay objects
    return {key: getattr(shared, key) for key in SHARED_KEYS}


def _is_written(model_id: str, connection: Any) -> bool:
    """Return whether a connection's table has an entry for a model, be it valid or not."""
    models = connection.get("models") if isinstance(connection, Mapping) else None
    entries = models if isinstance(models, Sequence) and not isinstance(models, str) else ()
    return any(isinstance(entry, Mapping) and entry.get("id") == model_id for entry in entries)


def _unknown_deployment(entry: ModelEntry, provider: str) -> str:
    declare = "or declare its kind (or capabilities) and its price (or rate)"
    if entry.underlying is None:
        return f'which model is behind it? write underlying = "model", {declare}'
    return (
        f"no table knows its underlying model {entry.underlying!r} (looked in {provider}'s, those it builds on, and "
        f'that of an installed provider named before a colon: "provider:model"); check the name, {declare}'
    )
