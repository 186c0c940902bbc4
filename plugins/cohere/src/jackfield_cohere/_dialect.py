"""How a service carries Cohere's models, as one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import attrs

from jackfield.plugin import ModelRef, ParameterWriter, Translation, Wire, quote_segment, unserved

__all__ = ["COHERE", "PATHS", "Dialect"]

PATHS: Final[Mapping[str, str]] = {
    "chat": "/v2/chat",
    "chat_v1": "/v1/chat",
    "generate": "/v1/generate",
    "summarize": "/v1/summarize",
    "embed": "/v2/embed",
    "rerank": "/v2/rerank",
    "tokenize": "/v1/tokenize",
    "models": "/v1/models",
}
"""Where Cohere's own API has what. Source: its Python SDK 7.3.1."""

Route = Literal["v1", "v2"]


def _known_as(model: ModelRef) -> str:
    return model.known_as


@attrs.frozen(kw_only=True)
class Dialect:
    """How one service carries Cohere's models. The defaults are Cohere's own API.

    Attributes:
        id: The provider's id; tags thinking and raw parts, and names the service's own options in `extra`.
        also: Further ids whose `extra`, thinking and raw parts this service understands.
        name: Gives the id under which Cohere's own table knows a model.
        paths: Where each API is (see `PATHS`); the model's id replaces `{model}`. An API that is absent is not served.
        stream_paths: Where an API is whose answer is streamed, if not in the same place.
        route: The version of the chat API; None for the one that the entry in `models` or the table says.
        send_model: The body names the model.
        send_stream: The body says `stream: true` where the answer shall be streamed.
        framing: How streams are framed; None for Cohere's own (`sse` of chat v2, else `jsonlines`).
        stop: What `generate` calls stop sequences. Cohere's `end_sequences` are left out of the text, as those of
            every other service; its `stop_sequences` stay in it.
        base64: Embeddings come as base64 if asked for.
    """

    id: str
    also: tuple[str, ...] = ()
    name: Callable[[ModelRef], str] = _known_as
    paths: Mapping[str, str] = PATHS
    stream_paths: Mapping[str, str] = attrs.field(factory=dict)
    route: Route | None = None
    send_model: bool = True
    send_stream: bool = True
    framing: str | None = None
    stop: str = "end_sequences"
    base64: bool = True

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids under which callers may address this service."""
        return (self.id, *self.also)

    def wire(
        self, api: str, model: ModelRef, writer: ParameterWriter, request: Any, extra: Any
    ) -> Translation:
        """End a body: say that it streams, merge `extra`, and give the wire and the report.

        Raises:
            UnsupportedError: The service has no such API, or something that was given cannot be honoured.
        """
        path = self.paths.get(api)
        if path is None:
            raise unserved(self.id, request)
        stream = request.stream
        if stream:
            path = self.stream_paths.get(api, path)
            if self.send_stream:
                writer.body["stream"] = True
        writer.merge_extra(extra, *self.ids)
        framing = (self.framing or ("sse" if api == "chat" else "jsonlines")) if stream else None
        if "{model}" in path:
            path = path.replace("{model}", quote_segment(model.id, safe="@"))
        wire = Wire(path, writer.body, stream=stream, framing=framing, meta={"api": api})
        return Translation(wire, writer.finish())


COHERE: Final = Dialect(id="cohere")
"""Cohere itself."""
