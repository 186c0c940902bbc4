"""Serve wires with models in this process."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

from jackfield.plugin import Exchange, Frame, Head, Headers, Wire

from ._errors import to_jackfield
from ._listing import encode_listing
from ._local_errors import EngineClosedError, LocalModelError, RequestError
from ._settings import OnnxSettings, parse_size
from ._text.tools import FORMATS, ToolFormat, collect_parameter_types

if TYPE_CHECKING:
    from ._engine.embedder import Embedder
    from ._engine.engine import Engine, Generation
    from ._engine.loaded_models import LoadedModels, Where
    from ._engine.replies import GenerateRequest
    from ._engine.reranker import Reranker
    from ._engine.summarizer import Summarizer

__all__ = ["OnnxTransport"]

_Begun: TypeAlias = Callable[[], None]

_LISTED = Head(None, Headers({"content-type": "application/json"}))


@attrs.frozen(eq=False)
class _Admitted:
    """A wire that has left its model's queue: its exchange, and what must be left at the end.

    The wire is kept for the sake of its id, under which this is found.
    """

    wire: Wire
    exchange: Exchange
    stack: AsyncExitStack


class OnnxTransport:
    """Serves wires with local models, which are loaded on first use.

    Args:
        settings: The connection's settings.
    """

    def __init__(self, settings: OnnxSettings) -> None:
        self._settings = settings
        self._models: LoadedModels | None = None
        self._admitted: dict[int, _Admitted] = {}

    async def open(self) -> None:
        """Import the engine and ONNX Runtime with telemetry off, and check that it can be used; no model is loaded.

        Raises:
            ConfigurationError: ONNX Runtime is missing, or two distributions conflict.
        """
        try:
            self._models = await asyncio.to_thread(_import_engine, self._settings)
        except LocalModelError as error:
            raise to_jackfield(error) from error

    async def prepare(self, wire: Wire) -> None:
        """Load the wire's model (on first use, fetch and convert it), and wait until the wire's turn has come.

        Waiting in the queue of a model is no silence of the model: only the limit of the whole call applies to it.
        """
        if wire.path == "models":
            return
        earlier = self._admitted.pop(id(wire), None)
        if earlier is not None:
            await earlier.stack.aclose()
        self._admitted[id(wire)] = await self._admit(wire)

    @asynccontextmanager
    async def exchange(self, wire: Wire) -> AsyncIterator[Exchange]:
        """Serve a wire. Leaving the context stops the model within one step."""
        if wire.path == "models":
            stored = await asyncio.to_thread(self._opened.store.list)
            yield Exchange(_LISTED, _yield_once(Frame(encode_listing(stored))))
            return
        admitted = self._admitted.pop(id(wire), None) or await self._admit(wire)
        async with admitted.stack:
            yield admitted.exchange

    async def _admit(self, wire: Wire) -> _Admitted:
        """Hand a wire to its model, and wait until it leaves the model's queue."""
        body = wire.body
        async with AsyncExitStack() as stack:
            model: Any = await self._get_model(wire)
            stack.enter_context(self._opened.use(model))
            if wire.path in _WHOLE:
                work = _Work(lambda begun: _WHOLE[wire.path](model, body, begun))
                stack.push_async_callback(work.cancel)
                await work.wait_for_turn()
                frames = work.frames()
            else:
                asked, form = await asyncio.to_thread(_read_request, body, model)
                generation: Generation = await stack.enter_async_context(model.generate(asked))
                await generation.wait_for_slot()
                frames = _stream_steps(generation, _make_first_frames(form, body))
            return _Admitted(wire, Exchange(Head(None), frames), stack.pop_all())

    async def _get_model(self, wire: Wire) -> Engine | Embedder | Reranker | Summarizer:
        models, body = self._opened, wire.body
        where = _read_location(body)
        if wire.path == "embedding":
            return await models.get_embedder(where)
        if wire.path == "rerank":
            return await models.get_reranker(where)
        if wire.path == "summarization":
            return await models.get_summarizer(where)
        return await models.get_engine(where, body.get("chat_template"))

    async def aclose(self) -> None:
        """Stop all generations, join the threads and release the models. Idempotent."""
        models, self._models = self._models, None
        admitted, self._admitted = self._admitted, {}
        for one in admitted.values():
            await one.stack.aclose()
        if models is not None:
            await models.aclose()

    @property
    def _opened(self) -> LoadedModels:
        if self._models is None:
            raise EngineClosedError("the connection is not open")
        return self._models


def _import_engine(settings: OnnxSettings) -> LoadedModels:
    # numpy, tokenizers and ONNX Runtime take a quarter of a second to import, so that happens on a thread, when needed.
    from ._engine.engine import EngineSettings
    from ._engine.loaded_models import LoadedModels
    from ._files.hub import Hub
    from ._files.store import ModelStore
    from ._runtime.session import SessionSettings, load_runtime

    load_runtime()
    token, limit = settings.hub_token, settings.memory_limit
    store = ModelStore(
        settings.cache_dir,
        hub=lambda: Hub(settings.hub_endpoint, None if token is None or token.is_none else token.reveal()),
        precision=settings.precision,
    )
    engine = EngineSettings(
        session=SessionSettings(
            device=settings.device,
            threads=settings.threads,
            spinning=settings.spinning,
            memory_limit=None if limit is None else parse_size(limit),
        ),
        max_context=settings.max_context,
        max_output=settings.max_output,
        slots=settings.slots,
        max_queue=settings.max_queue,
        queue_timeout=settings.queue_timeout,
        precision=settings.precision,
        sampling=attrs.asdict(settings.sampling, filter=lambda _, value: value is not None),
    )
    return LoadedModels(store, engine, keep_alive=settings.keep_alive, offline=settings.offline)


def _read_location(body: Mapping[str, Any]) -> Where:
    from ._engine.loaded_models import Where

    return Where(**{name: body[name] for name in ("model", "folder", "hub", "revision") if name in body})


def _read_request(body: Mapping[str, Any], engine: Engine) -> tuple[GenerateRequest, ToolFormat | None]:
    from ._requests import choose_tool_format, read_request

    return read_request(body, engine), choose_tool_format(body, engine)


class _Work:
    """Work whose result comes as a whole; it waits for its turn first.

    Args:
        start: Starts it; is given a function to be called when its turn has come.
    """

    def __init__(self, start: Callable[[_Begun], Coroutine[Any, Any, Frame]]) -> None:
        self._begun = asyncio.Event()
        self._task = asyncio.create_task(start(self._begun.set))
        self._task.add_done_callback(lambda _: self._begun.set())

    async def wait_for_turn(self) -> None:
        """Wait until it has begun, or failed before."""
        await self._begun.wait()

    async def frames(self) -> AsyncIterator[Sequence[Frame]]:
        """Yield its result."""
        yield (await asyncio.shield(self._task),)

    async def cancel(self) -> None:
        """Stop it, and wait until it has stopped."""
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.exception()  # retrieved, for it was delivered, or nobody waits for it any more


async def _embed(model: Embedder, body: Mapping[str, Any], begun: _Begun) -> Frame:
    names = ("truncate", "dimensions", "input_type", "dimension_choices")
    given = _select_arguments(body, {"input", *names})
    return Frame(await model.embed(given.pop("input"), **given, begun=begun), "vectors")


async def _rank(model: Reranker, body: Mapping[str, Any], begun: _Begun) -> Frame:
    given = _select_arguments(body, {"query", "documents", "top_n", "truncate"})
    scores = await model.rank(given.pop("query"), given.pop("documents"), **given, begun=begun)
    return Frame(scores, "scores")


async def _summarize(model: Summarizer, body: Mapping[str, Any], begun: _Begun) -> Frame:
    given = _select_arguments(body, {"text", "max_tokens", "num_beams"})
    found = await model.summarize(
        given["text"], max_tokens=given.get("max_tokens"), beams=given.get("num_beams"), begun=begun
    )
    return Frame(found, "step")


async def _count(model: Engine, body: Mapping[str, Any], begun: _Begun) -> Frame:
    begun()  # counting waits for nobody
    asked, _ = await asyncio.to_thread(_read_request, body, model)
    return Frame(await model.count_tokens(asked.prompt, asked.tools), "count")


_WHOLE: Final[Mapping[str, Callable[[Any, Mapping[str, Any], _Begun], Coroutine[Any, Any, Frame]]]] = {
    "embedding": _embed,
    "rerank": _rank,
    "summarization": _summarize,
    "count": _count,
}


def _select_arguments(body: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    """Return the named arguments of a body.

    Raises:
        RequestError: The body has an unknown parameter.
    """
    unknown = body.keys() - names - {"model", "folder", "hub", "revision"}
    if unknown:
        raise RequestError("the engine has no such parameter", min(unknown), "Leave it out.")
    return {name: value for name, value in body.items() if name in names}


def _make_first_frames(form: ToolFormat | None, body: Mapping[str, Any]) -> Sequence[Frame]:
    """Return a frame that names the format of tool calls, or nothing if the request has no tools."""
    if form is None:
        return ()
    name = next(name for name, one in FORMATS.items() if one is form)
    # With the call's two digits, nine letters and digits: Mistral's templates require that of an id, others accept it.
    seed = secrets.token_hex(4)[:7]
    announced: dict[str, Any] = {
        "format": name,
        "seed": seed,
        "single": body.get("parallel_tool_calls") is False,
    }
    if form.tagged:
        announced["types"] = collect_parameter_types(body["tools"])
    return (Frame(announced, "tools"),)


async def _yield_once(frame: Frame) -> AsyncIterator[Sequence[Frame]]:
    yield (frame,)


async def _stream_steps(generation: Generation, first: Sequence[Frame]) -> AsyncIterator[Sequence[Frame]]:
    async for step in generation:
        yield (*first, Frame((step, generation.usage), "step"))
        first = ()
