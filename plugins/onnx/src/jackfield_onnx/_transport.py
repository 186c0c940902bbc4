"""Carry wires to the engine in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from jackfield import Exchange, Frame, Head, Headers, Wire

from ._errors import EngineClosedError, LocalModelError
from ._listing import as_bytes
from ._provider_errors import as_jackfield
from ._settings import OnnxSettings

if TYPE_CHECKING:
    from ._engine import Engine, GenerateRequest, Generation
    from ._loaded import LoadedModels

__all__ = ["OnnxTransport"]

_LISTED = Head(None, Headers({"content-type": "application/json"}))


class OnnxTransport:
    """Answers wires with local models, which are loaded on first use.

    Args:
        settings: The connection's.
    """

    def __init__(self, settings: OnnxSettings) -> None:
        self._settings = settings
        self._models: LoadedModels | None = None

    async def open(self) -> None:
        """Import the engine and ONNX Runtime, its telemetry off, and check that it can be used; loads no model."""
        try:
            self._models = await asyncio.to_thread(_import_engine, self._settings)
        except LocalModelError as error:
            raise as_jackfield(error) from error

    async def prepare(self, wire: Wire) -> None:
        """Have the wire's model in memory: fetched, converted and loaded if this is its first use."""
        if wire.path == "embedding":
            await self._opened.embedder(**_which(wire.body))
        elif wire.path != "models":
            await self._opened.engine(**_which_engine(wire.body))

    @asynccontextmanager
    async def exchange(self, wire: Wire) -> AsyncIterator[Exchange]:
        """Answer a wire. Leaving the context stops the model within one step."""
        models, body = self._opened, wire.body
        if wire.path == "models":
            stored = await asyncio.to_thread(models.store.list)
            yield Exchange(_LISTED, _once(Frame(as_bytes(stored))))
        elif wire.path == "embedding":
            embedder = await models.embedder(**_which(body))
            with models.in_use(embedder):
                found = await embedder.embed(body["input"], truncate=body.get("truncate", "error"))
                yield Exchange(Head(None), _once(Frame(found, "vectors")))
        elif wire.path == "count":
            engine = await models.engine(**_which_engine(body))
            with models.in_use(engine):
                asked = _request(body, engine)
                counted = await engine.count_tokens(asked.prompt, asked.tools)
                yield Exchange(Head(None), _once(Frame(counted, "count")))
        else:
            engine = await models.engine(**_which_engine(body))
            with models.in_use(engine):
                async with engine.generate(_request(body, engine)) as generation:
                    yield Exchange(Head(None), _steps(generation))

    async def aclose(self) -> None:
        """Stop every answer, join the threads and release the models; may be called twice."""
        models, self._models = self._models, None
        if models is not None:
            await models.aclose()

    @property
    def _opened(self) -> LoadedModels:
        if self._models is None:
            raise EngineClosedError("the connection is not open")
        return self._models


def _import_engine(settings: OnnxSettings) -> LoadedModels:
    # numpy, tokenizers and ONNX Runtime take a quarter of a second to import: on a thread, and when first needed.
    from ._loaded import LoadedModels
    from ._runtime import load_runtime

    load_runtime()
    return LoadedModels(settings)


def _which(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"model": body["model"], "folder": body.get("folder")}


def _which_engine(body: Mapping[str, Any]) -> dict[str, Any]:
    return {**_which(body), "chat_template": body.get("chat_template")}


def _request(body: Mapping[str, Any], engine: Engine) -> GenerateRequest:
    from ._asking import read_request

    return read_request(body, engine)


async def _once(frame: Frame) -> AsyncIterator[Sequence[Frame]]:
    yield (frame,)


async def _steps(generation: Generation) -> AsyncIterator[Sequence[Frame]]:
    async for step in generation:
        yield (Frame((step, generation.usage), "step"),)
