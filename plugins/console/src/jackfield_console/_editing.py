"""Change the configuration: edit the text, check it as a whole, try it, write it, use it."""

from __future__ import annotations

import asyncio
import logging
import tomllib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import attrs

from jackfield import ConfigurationError, JackfieldError, Mesh, MeshConfig, Registry, RetryPolicy, load_config
from jackfield.plugin import find_doubts, find_failures

from ._config_file import ConfigFile, FileError, Snapshot
from ._toml_edit import EditError

if TYPE_CHECKING:
    from jackfield import CheckResult

    from ._console import Console
    from ._host import Host

__all__ = ["ChangeRefusedError", "Editor", "Prepared", "editor_of", "try_connection", "users_of"]

logger = logging.getLogger("jackfield.console")

_LONGEST_TRY: Final = 30.0
"""Seconds for which the round trip of a new connection may last: somebody waits for the page."""


class ChangeRefusedError(Exception):
    """A change is not made.

    Attributes:
        mistakes: What is wrong, each with its place.
        diff: What somebody else changed meanwhile.
    """

    def __init__(self, *mistakes: str, diff: str = "") -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = mistakes
        self.diff = diff


@attrs.frozen(kw_only=True)
class Prepared:
    """A change that passed every check and is not written.

    Attributes:
        before: The file as it is.
        text: The file as it would be.
        config: What it declares.
    """

    before: Snapshot
    text: str
    config: MeshConfig


class Editor:
    """Changes the configuration of a host.

    Args:
        host: What runs the console.
        allowed: Whether `[console] edit` allows it.
    """

    def __init__(self, host: Host, *, allowed: bool) -> None:
        self._host = host
        self._allowed = allowed
        path = host.config.path
        self.file = None if path is None else ConfigFile(path)
        self._lock = asyncio.Lock()

    async def find_fault(self) -> str | None:
        """Return why nothing can be changed; None if it can."""
        if not self._allowed:
            return "This console only shows the configuration: it has [console] edit = false. Change the file where it comes from."
        if self.file is None:
            return "The configuration does not come from a file, so there is nothing to change here."
        return await asyncio.to_thread(self.file.find_fault)

    async def read(self) -> tuple[Snapshot, dict[str, Any]]:
        """Return the file and what it says.

        Raises:
            ChangeRefusedError: It cannot be read, or is not valid TOML.
        """
        file = self._file()
        try:
            snapshot = await asyncio.to_thread(file.read)
            return snapshot, tomllib.loads(snapshot.text)
        except FileError as error:
            raise ChangeRefusedError(str(error)) from error
        except tomllib.TOMLDecodeError as error:
            raise ChangeRefusedError(f"the file is not valid TOML: {error}; mend it by hand") from error

    async def prepare(self, edit: Callable[[str], str], *, base: str = "") -> Prepared:
        """Edit the text and check all of it, as `jackfield config validate` does; nothing is written.

        Args:
            edit: Takes the text, and returns the new one.
            base: The digest of the text that the change was made for; "" for whatever is there.

        Raises:
            ChangeRefusedError: What is wrong.
        """
        before, _ = await self.read()
        if base and before.digest != base:
            conflict = self._file().conflict(base, before)
            raise ChangeRefusedError(str(conflict), diff=conflict.diff)
        try:
            text = edit(before.text)
            config = await asyncio.to_thread(
                self._file().try_text, text, lambda path: load_config(path, self._host.registry)
            )
        except (EditError, FileError) as error:
            raise ChangeRefusedError(str(error)) from error
        except ConfigurationError as error:
            raise ChangeRefusedError(*(error.mistakes or (error.message,))) from error
        except JackfieldError as error:
            raise ChangeRefusedError(error.message) from error
        known = find_failures(self._host.config)
        new = {name: error for name, error in find_failures(config).items() if name not in known}
        if new:
            raise ChangeRefusedError(*(f"connections.{name}: {error.message}" for name, error in new.items()))
        return Prepared(before=before, text=text, config=config)

    def doubts(self, prepared: Prepared) -> list[str]:
        """Return what `config validate` warns of and did not before. Blocks: secrets are looked for."""
        registry = self._host.registry
        found = find_doubts(prepared.config, Mesh(prepared.config, registry).explain)
        known = set(find_doubts(self._host.config, Mesh(self._host.config, registry).explain))
        return [line for line in found if line not in known]

    async def commit(self, prepared: Prepared) -> None:
        """Write a change and use it; if it cannot be used, the file is put back.

        Raises:
            ChangeRefusedError: Nothing was changed.
        """
        await self._write(prepared.text, prepared.before.digest)

    async def restore(self, number: int, *, base: str) -> None:
        """Write an earlier version again and use it.

        Raises:
            ChangeRefusedError: Nothing was changed.
        """
        file = self._file()
        versions = await asyncio.to_thread(file.list_versions)
        found = next((one for one in versions if one.number == number), None)
        if found is None:
            raise ChangeRefusedError(f"there is no earlier version {number}; only the last ones are kept")
        await self.commit(await self.prepare(lambda _: found.text, base=base))

    async def _write(self, text: str, base: str) -> None:
        file = self._file()
        async with self._lock:
            try:
                before = await asyncio.to_thread(file.read)
                after = await asyncio.to_thread(lambda: file.replace(text, base=base))
            except FileError as error:
                raise ChangeRefusedError(str(error), diff=getattr(error, "diff", "")) from error
            try:
                why = await self._host.reload()
            except Exception as error:  # what a plugin does with its settings
                logger.exception("the new configuration cannot be used")
                why = f"{type(error).__name__}: {error}"
            if why is None:
                return
            try:
                await asyncio.to_thread(lambda: file.replace(before.text, base=after.digest))
            except FileError as error:
                raise ChangeRefusedError(
                    f"the new file cannot be used ({why}), and the earlier one could not be put back: {error}"
                ) from error
            raise ChangeRefusedError(
                f"the new configuration cannot be used, and the file was put back: {why}"
            )

    def _file(self) -> ConfigFile:
        if self.file is None:
            raise ChangeRefusedError("the configuration does not come from a file")
        return self.file


_EDITORS: Final[WeakKeyDictionary[Console, Editor]] = WeakKeyDictionary()


def editor_of(console: Console) -> Editor:
    """Return what changes the configuration of a console; one for all requests, so that changes wait for each other."""
    editor = _EDITORS.get(console)
    if editor is None:
        editor = _EDITORS[console] = Editor(console.host, allowed=console.settings.edit)
    return editor


async def try_connection(
    config: MeshConfig, registry: Registry, name: str, *, ask: bool = False
) -> CheckResult:
    """Make one real round trip with a connection of a configuration that is not in use.

    Its middlewares stay out of it: nothing is booked, and nothing comes out of a cache.

    Args:
        config: The configuration.
        registry: The plugins.
        name: The connection.
        ask: Where its service lists no models, ask a declared one for a word.
    """
    connection = config.connections[name]
    total = connection.timeout.total
    timeout = attrs.evolve(connection.timeout, total=min(total, _LONGEST_TRY) if total else _LONGEST_TRY)
    alone = attrs.evolve(connection, timeout=timeout, retry=RetryPolicy(attempts=1), middlewares=())
    small = attrs.evolve(config, connections={name: alone}, aliases={}, middleware_settings={})
    async with Mesh(small, registry) as mesh:
        return await mesh.check(name, ask=ask)


def users_of(content: Mapping[str, Any], connection: str) -> dict[str, list[str]]:
    """Return what of a configuration names a connection: aliases, rules of limits, keys of the gateway."""
    found: dict[str, list[str]] = {"aliases": [], "limits": [], "keys": []}
    for alias, targets in _table(content, "aliases").items():
        written = targets.get("targets", ()) if isinstance(targets, Mapping) else targets
        names = [written] if isinstance(written, str) else written if isinstance(written, list) else []
        if any(isinstance(target, str) and target.partition(":")[0] == connection for target in names):
            found["aliases"].append(alias)
    limits = _table(content, "middleware").get("limits")
    rules = limits.get("limit") if isinstance(limits, Mapping) else None
    for rule in rules if isinstance(rules, list) else ():
        if isinstance(rule, Mapping) and rule.get("connection") == connection:
            found["limits"].append(str(rule.get("name", "?")))
    for name, key in _table(_table(content, "gateway"), "keys").items():
        models = key.get("models") if isinstance(key, Mapping) else None
        if any(str(model).partition(":")[0] == connection and ":" in str(model) for model in models or ()):
            found["keys"].append(name)
    return found


def _table(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = content.get(name)
    return found if isinstance(found, Mapping) else {}
