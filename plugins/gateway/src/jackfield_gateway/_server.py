"""Run the gateway: listen, take signals, take over a changed configuration, let running calls end."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from aiohttp import web

from jackfield import ConfigurationError, JackfieldError, MeshConfig, Registry, load_config

from ._app import make_runner
from ._settings import GatewaySettings
from ._state import State

__all__ = ["Server", "watch_peers"]

logger = logging.getLogger("jackfield.gateway")

_LOOK_EVERY: Final = 1.0
_DELETE_EVERY: Final = 600.0


class Server:
    """A gateway on its address.

    Args:
        config: What is declared.
        registry: The plugins.
        settings: The table `[gateway]`, with what the command line says.
        shares_port: Other processes listen on the same port (SO_REUSEPORT).
        watch: Reload when the configuration's file changes.
        told: Called with a line for whoever started it.
    """

    def __init__(
        self,
        config: MeshConfig,
        registry: Registry,
        settings: GatewaySettings,
        *,
        shares_port: bool = False,
        watch: bool = False,
        told: Callable[[str], None] = logger.info,
    ) -> None:
        self._path = config.path
        self._registry = registry
        self._settings = settings
        self._shares_port = shares_port
        self._watch = watch
        self._told = told
        self._stop = asyncio.Event()
        self._reloading: asyncio.Task[None] | None = None
        self.state = State(config, registry, settings=settings)

    async def run(self, started: Callable[[str], Awaitable[None] | None] | None = None) -> None:
        """Serve until a signal stops it.

        Args:
            started: Called with the address once it listens.

        Raises:
            ConfigurationError: The address cannot be listened on, or nobody may call without a key.
        """
        async with self.state:
            runner = make_runner(self.state)
            await runner.setup()
            tasks: list[asyncio.Task[None]] = []
            try:
                address = await self._listen(runner)
                self._take_signals()
                tasks = [asyncio.create_task(self._look_after_store())]
                if self._watch and self._path is not None:
                    tasks.append(asyncio.create_task(self._look_at(self._path)))
                if started is not None:
                    made = started(address)
                    if made is not None:
                        await made
                await self._stop.wait()
                await self._drain()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await runner.cleanup()

    def stop(self) -> None:
        """Stop: no new calls, and those that run may end."""
        self.state.draining = True
        self._stop.set()

    def reload(self) -> None:
        """Read the configuration again; one that is not valid changes nothing."""
        if self._reloading is None or self._reloading.done():
            self._reloading = asyncio.create_task(self._reload())

    async def _listen(self, runner: web.AppRunner) -> str:
        host, port = self._settings.host, self._settings.port
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
            family, kind, protocol, _, address = found[0]
            listening = socket.socket(family, kind, protocol)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if self._shares_port:
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            watch_peers(listening)
            listening.bind(address)
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen on {host} port {port}: {error.strerror or error}"
            ) from error
        site = web.SockSite(runner, listening, backlog=1024)
        await site.start()
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{listening.getsockname()[1]}"

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self.reload)

    async def _drain(self) -> None:
        """Wait until running calls have ended, and give up those that take longer."""
        self._told("stopping: no new calls are taken")
        if not await self.state.wait_idle(self._settings.drain):
            left = self.state.current.calls
            self._told(f"{left} calls still ran after {self._settings.drain:g} seconds and are cancelled")

    async def _reload(self) -> None:
        if self._path is None:
            self._told("there is no file to reload")
            return
        try:
            config = await asyncio.to_thread(load_config, self._path, self._registry)
            await self.state.reload(config)
        except JackfieldError as error:
            self._told(f"the new configuration is not valid, and the old one stays: {error.message}")
        except Exception as error:
            logger.exception("the configuration could not be reloaded")
            self._told(f"the new configuration cannot be used, and the old one stays: {error}")
        else:
            self._told("the new configuration is in use; calls that run end by the old one")

    async def _look_at(self, path: Path) -> None:
        """Reload when a file changes."""
        seen = await asyncio.to_thread(_stamp, path)
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            now = await asyncio.to_thread(_stamp, path)
            if now != seen and now is not None:
                seen = now
                self.reload()

    async def _look_after_store(self) -> None:
        """Delete what the store shall keep no longer."""
        import time

        while self.state.store is not None:
            try:
                await asyncio.to_thread(self.state.delete_old, time.time())
            except Exception as error:  # the next time again
                logger.warning("what is old could not be deleted from the store: %s", error)
            await asyncio.sleep(_DELETE_EVERY)


def watch_peers(listening: socket.socket) -> None:
    """Let the system notice clients that have gone without a word: their connections are closed after about two minutes.

    Connections that are accepted have the options of the socket that listens; aiohttp.web switches probes on.
    """
    for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, name):
            listening.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
