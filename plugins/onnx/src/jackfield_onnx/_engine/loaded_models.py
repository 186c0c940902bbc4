"""Models in memory; each is loaded once, however many requests wait for it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias, TypeVar

import attrs

from jackfield.progress import report
from jackfield_onnx._files.catalogue import find_entry
from jackfield_onnx._files.store import ModelStore
from jackfield_onnx._local_errors import EngineClosedError, PreparationError
from jackfield_onnx._runtime.cuda import is_available
from jackfield_onnx._runtime.session import load_runtime

from .embedder import Embedder
from .engine import Engine, EngineSettings
from .memory import Estimate, check_memory, estimate_decoder, estimate_other, read_available_memory
from .reranker import Reranker
from .summarizer import Summarizer
from .worker import WorkSettings

__all__ = ["LoadedModels", "Where"]

_Model: TypeAlias = Engine | Embedder | Reranker | Summarizer
_Key: TypeAlias = tuple[type, str, str, str]
T = TypeVar("T", Engine, Embedder, Reranker, Summarizer)


@attrs.frozen(kw_only=True)
class Where:
    """Where to find a model.

    Args:
        model: Its name in the catalogue, or any name if `folder` or `hub` is given.
        folder: A folder outside the cache.
        hub: Its id on a hub.
        revision: Its branch, tag or commit; None for `main`.
    """

    model: str
    folder: str | None = None
    hub: str | None = None
    revision: str | None = None


@attrs.define
class _Flight:
    """A model that is being loaded, and the number of requests that wait for it."""

    task: asyncio.Task[_Model]
    waiting: int = 0


class LoadedModels:
    """Loads models on first use, and keeps them until it is closed or they have been idle for `keep_alive` seconds.

    Belongs to one event loop.

    Args:
        store: The model cache.
        settings: Settings of chat models; session, queue and precision apply to all kinds.
        keep_alive: Seconds after its last use that a model stays in memory; None for no limit.
        offline: Fetch nothing; a model that is not in the cache is an error.
    """

    def __init__(
        self,
        store: ModelStore,
        settings: EngineSettings,
        *,
        keep_alive: float | None = None,
        offline: bool = False,
    ) -> None:
        self.store = store
        self._settings = settings
        self._keep_alive = keep_alive
        self._offline = offline
        self._work = WorkSettings(max_queue=settings.max_queue, queue_timeout=settings.queue_timeout)
        self._loaded: dict[_Key, _Model] = {}
        self._flights: dict[_Key, _Flight] = {}
        self._users: Counter[int] = Counter()
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def get_engine(self, where: Where, chat_template: str | None = None) -> Engine:
        """Return a chat model; on first use, fetch, prepare and load it.

        Args:
            where: Where to find it.
            chat_template: A file with a chat template, instead of the model's own, or the name of one of its own.

        Raises:
            LocalModelError: It cannot be prepared or loaded.
        """
        settings = self._settings
        if chat_template is not None:
            path = _expand(chat_template)
            settings = attrs.evolve(settings, template=path if path.is_absolute() else chat_template)

        async def load(place: Path) -> Engine:
            await self._check_memory(
                lambda: estimate_decoder(place, settings.precision, settings.max_context, settings.slots),
                where,
            )
            return await Engine.load(place, settings)

        return await self._get_model(Engine, where, load, variant=chat_template or "")

    async def get_embedder(self, where: Where) -> Embedder:
        """Return an embedding model, as `get_engine` does."""

        async def load(place: Path) -> Embedder:
            precision = self._settings.precision
            await self._check_memory(lambda: estimate_other(place, "embedding", precision), where)
            return await Embedder.load(
                place, self._settings.session, precision=precision, settings=self._work
            )

        return await self._get_model(Embedder, where, load)

    async def get_reranker(self, where: Where) -> Reranker:
        """Return a reranker, as `get_engine` does."""

        async def load(place: Path) -> Reranker:
            precision = self._settings.precision
            await self._check_memory(lambda: estimate_other(place, "rerank", precision), where)
            return await Reranker.load(
                place, self._settings.session, precision=precision, settings=self._work
            )

        return await self._get_model(Reranker, where, load)

    async def get_summarizer(self, where: Where) -> Summarizer:
        """Return a summarization model, as `get_engine` does."""

        async def load(place: Path) -> Summarizer:
            await self._check_memory(lambda: estimate_other(place, "summarization", "auto"), where)
            return await Summarizer.load(place, self._settings.session, settings=self._work)

        return await self._get_model(Summarizer, where, load)

    @contextmanager
    def use(self, model: _Model) -> Iterator[None]:
        """Keep a model in memory while the context is open."""
        self._users[id(model)] += 1
        try:
            yield
        finally:
            self._users[id(model)] -= 1
            if not self._users[id(model)]:
                del self._users[id(model)]  # a later model may get the same id
            self._touch(model)

    async def aclose(self) -> None:
        """Stop loading, stop all generations, and join all threads. Idempotent."""
        flights, self._flights = self._flights, {}
        for flight in flights.values():
            flight.task.cancel()
        await asyncio.gather(*(flight.task for flight in flights.values()), return_exceptions=True)
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        loaded, self._loaded = self._loaded, {}
        for model in loaded.values():
            await model.aclose()
        await asyncio.gather(*self._closing)

    def _touch(self, model: _Model) -> None:
        """Restart the idle timer of a model."""
        seconds = self._keep_alive
        if seconds is None or model not in self._loaded.values():
            return
        earlier = self._timers.pop(id(model), None)
        if earlier is not None:
            earlier.cancel()
        loop = asyncio.get_running_loop()
        self._timers[id(model)] = loop.call_later(seconds, self._unload, model)

    def _unload(self, model: _Model) -> None:
        if self._users[id(model)] > 0:
            return  # its last user restarts the timer
        self._timers.pop(id(model), None)
        self._loaded = {key: kept for key, kept in self._loaded.items() if kept is not model}
        task = asyncio.create_task(model.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _get_model(
        self,
        kind: type[T],
        where: Where,
        load: Callable[[Path], Awaitable[T]],
        *,
        variant: str = "",
    ) -> T:
        entry = find_entry(where.model)
        name = where.folder or where.hub or (where.model if entry is None else entry.id)
        key = (kind, name, where.revision or "", variant)
        found = self._loaded.get(key)
        if found is None or found.closed:
            found = await self._join(key, where, load)
        self._touch(found)
        if not isinstance(found, kind):  # true by construction of the key; for the type checker
            raise TypeError(f"{key} holds a {type(found).__name__}")
        return found

    async def _join(self, key: _Key, where: Where, load: Callable[[Path], Awaitable[_Model]]) -> _Model:
        """Wait for a model to be loaded; the last waiter that is cancelled stops the loading."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.create_task(self._load(key, where, load)))
            flight.task.add_done_callback(lambda task: self._end_flight(key, task))
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        except asyncio.CancelledError:
            if flight.task.cancelled() and not _is_cancelled():
                raise EngineClosedError(
                    "the connection was closed while the model was loaded", where.model
                ) from None
            raise
        finally:
            flight.waiting -= 1
            if flight.waiting == 0 and not flight.task.done():
                # Removed at once, so that a new request starts again instead of joining a task being cancelled.
                self._flights.pop(key, None)
                flight.task.cancel()

    def _end_flight(self, key: _Key, task: asyncio.Task[_Model]) -> None:
        flight = self._flights.get(key)
        if flight is not None and flight.task is task:
            del self._flights[key]
        if not task.cancelled():
            task.exception()  # retrieved here in case nobody waits any more

    async def _load(self, key: _Key, where: Where, load: Callable[[Path], Awaitable[_Model]]) -> _Model:
        place = await self._find_folder(where) if where.folder is None else _expand(where.folder)
        found = await load(place)
        self._loaded[key] = found
        return found

    async def _check_memory(self, estimate: Callable[[], Estimate], where: Where) -> None:
        """Check that a model fits into memory before loading it."""

        def check() -> None:
            # The free memory of a GPU is known to its runtime only; there, just the declared limit applies.
            session = self._settings.session
            on_cpu = session.device == "cpu" or not is_available(load_runtime())
            available = read_available_memory() if on_cpu else None
            check_memory(estimate(), where.model, session.memory_limit, available)

        await asyncio.to_thread(check)

    async def _find_folder(self, where: Where) -> Path:
        model = where.model if where.hub is None else f"hub:{where.hub}@{where.revision or 'main'}"
        if self._offline and not await asyncio.to_thread(self.store.is_ready, model):
            raise PreparationError(
                "the model is not in the cache, and this connection is declared offline",
                f"{model} in {self.store.root}",
                "Import a prepared model with `jackfield onnx import`, or remove `offline` once.",
            )
        return await self.store.ensure_async(model, progress=report)


def _expand(folder: str) -> Path:
    return Path(folder).expanduser()


def _is_cancelled() -> bool:
    """Return whether the current task was cancelled, rather than the task it waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
