"""How services that offer Cohere's models differ, as one value."""

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
"""The paths of Cohere's own APIs. Source: its Python SDK 7.3.1."""

Route = Literal["v1", "v2"]


def _known_as(model: ModelRef) -> str:
    return model.known_as


@attrs.frozen(kw_only=True)
class Dialect:
    """How one service offers Cohere's models. The defaults are those of Cohere's own API.

    Attributes:
        id: The provider's id: the `provider` of thinking and raw parts, and the key of the service's own options
            in `extra`.
        also: Further ids whose `extra`, thinking and raw parts this service accepts.
        name: Returns the name of a model in Cohere's table.
        paths: The path of each API (see `PATHS`); the model's id replaces `{model}`. The service does not have APIs that
            are absent.
        stream_paths: The paths of streamed APIs, if they differ.
        route: The version of the chat API; None for the one that the entry in `models` or the table names.
        send_model: The body names the model.
        send_stream: The body of a streamed request has `stream: true`.
        framing: How streams are framed; None for Cohere's own framing (`sse` for chat v2, otherwise `jsonlines`).
        stop: The name of stop sequences in `generate`. Cohere's `end_sequences` are cut off the text, like those of
            every other service; its `stop_sequences` stay in it.
        base64: Embeddings come as base64 on request.
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
        """All ids that callers may use for this service in `extra`."""
        return (self.id, *self.also)

    def wire(
        self, api: str, model: ModelRef, writer: ParameterWriter, request: Any, extra: Any
    ) -> Translation:
        """Build the wire and the report from a body: set `stream` and merge `extra`.

        Raises:
            UnsupportedError: The service does not have the API, or an option cannot be honoured.
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
