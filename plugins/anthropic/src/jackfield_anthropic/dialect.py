"""The dialect of Claude, for Anthropic's own API and for the services that carry it.

Amazon Bedrock (InvokeModel), Vertex AI (rawPredict), Microsoft Foundry and others carry the Messages API with small
differences: where it lives, whether the body names the model, where the version is written. A plugin for such a
service makes a `Dialect` and calls `translate`, `decoder`, `capabilities`, `error` and `rates` with it:

    VERTEX = Dialect(
        id="vertex", messages_path="/models/{model}:rawPredict", stream_path="/models/{model}:streamRawPredict",
        count_path=None, complete_path=None, models_path=None, send_model=False,
        body_version="vertex-2023-10-16", name=known_name,
    )

A service that carries Claude in a schema of its own (Bedrock's Converse) writes the wish for reasoning with
`profile_of`, `rules_for` and `put_reasoning`.

A wire that `translate` makes tells the decoder in `Wire.meta` what it asked for. A frame that `decoder` reads holds one
JSON object of the stream, or a whole answer; unwrap a service's own envelope before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import attrs

from jackfield.plugin import (
    Capabilities,
    ChatRequest,
    CompletionRequest,
    CountRequest,
    Decoder,
    ModelRef,
    Request,
    Translation,
    WholeDecoder,
    Wire,
    quote_segment,
    unserved,
)

from ._errors import error
from ._models import Profile, known_capabilities, profile_of, rules_for
from ._prices import rates
from ._reasoning import put_reasoning
from ._settings import OLD_VERSION, ApiVersion

__all__ = [
    "ANTHROPIC",
    "Dialect",
    "Profile",
    "capabilities",
    "decoder",
    "error",
    "profile_of",
    "put_reasoning",
    "rates",
    "rules_for",
    "translate",
]


def _known_as(model: ModelRef) -> str:
    return model.known_as


@attrs.frozen(kw_only=True)
class Dialect:
    """How one service carries Claude. The defaults are Anthropic's own API.

    Attributes:
        id: The provider's id; tags thinking and raw parts, and names the service's own options in `extra`.
        also: Further ids whose `extra`, thinking and raw parts this service understands.
        name: Gives the id under which Anthropic's own table knows a model.
        messages_path: Where messages go. The model's id replaces `{model}`; likewise in the other paths.
        stream_path: Where messages go whose answer is streamed; None for the same place.
        count_path: Where tokens are counted; None if they are not.
        complete_path: Where legacy text completions go; None if nowhere.
        complete_stream_path: Where they go if they are streamed; None for the same place.
        models_path: Where models are listed; None if they are not.
        api_version: The API version whose rules hold; None for the connection's setting `api_version`.
        body_version: Written into the body as `anthropic_version`; None for a service that has it in a header.
        send_model: The body names the model.
        send_stream: The body says `stream: true` where the answer shall be streamed.
        framing: How a stream is framed; see `Wire.framing`.
        betas: Where the names of beta features go: the header `anthropic-beta`, or `anthropic_beta` in the body.
    """

    id: str
    also: tuple[str, ...] = ()
    name: Callable[[ModelRef], str] = _known_as
    messages_path: str = "/v1/messages"
    stream_path: str | None = None
    count_path: str | None = "/v1/messages/count_tokens"
    complete_path: str | None = "/v1/complete"
    complete_stream_path: str | None = None
    models_path: str | None = "/v1/models"
    api_version: ApiVersion | None = None
    body_version: str | None = None
    send_model: bool = True
    send_stream: bool = True
    framing: str = "sse"
    betas: Literal["header", "body"] = "header"

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids under which callers may address this service."""
        return (self.id, *self.also)

    def version_of(self, model: ModelRef) -> str:
        """Give the API version whose rules hold for a call."""
        return self.api_version or str(getattr(model.settings, "api_version", OLD_VERSION))

    def start(self, model: ModelRef, path: str) -> tuple[str, dict[str, Any]]:
        """Begin a wire: the path, and the body with what every body of the service has."""
        body: dict[str, Any] = {}
        if self.body_version is not None:
            body["anthropic_version"] = self.body_version
        if self.send_model:
            body["model"] = model.id
        return path.replace("{model}", quote_segment(model.id, safe="@")), body

    def wire(
        self,
        model: ModelRef,
        path: str,
        body: dict[str, Any],
        *,
        stream: bool,
        meta: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
    ) -> Wire:
        """End a wire: say that it streams, and name the beta features that `extra` asked for."""
        if stream and self.send_stream:
            body["stream"] = True
        named = dict(headers or {})
        asked = body.pop("betas", None)
        if asked and self.betas == "body":
            body["anthropic_beta"] = [*body.get("anthropic_beta", ()), *asked]
        elif asked:
            standing = getattr(model.settings, "standing_betas", ())
            named["anthropic-beta"] = ",".join(dict.fromkeys((*standing, *asked)))
        framing = self.framing if stream else None
        return Wire(path, body, headers=named, stream=stream, framing=framing, meta=meta)


ANTHROPIC: Final = Dialect(id="anthropic")
"""Anthropic itself. Source: its Python SDK 2.12.0 (2026-11-20); of text completions: 0.125.0."""


def capabilities(dialect: Dialect, model: ModelRef) -> Capabilities:
    """Say what Anthropic's table knows of a model under the API version that holds.

    Every model that the table does not name is a chat model of which nothing else is known.
    """
    return known_capabilities(
        dialect.name(model), dialect.version_of(model), model.declared.get("route") == "messages"
    )


def translate(dialect: Dialect, model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Turn a request into one wire of the dialect.

    Raises:
        UnsupportedError: The dialect has no such kind of request, or the model cannot honour an option.
    """
    if isinstance(request, ChatRequest):
        from ._request import translate_chat

        return translate_chat(dialect, model, request, capabilities)
    if isinstance(request, CountRequest) and dialect.count_path is not None:
        from ._request import translate_count

        return translate_count(dialect, model, request, capabilities)
    if isinstance(request, CompletionRequest) and dialect.complete_path is not None:
        from ._complete import translate_completion

        return translate_completion(dialect, model, request, capabilities)
    raise unserved(dialect.id, request)


def decoder(dialect: Dialect, wire: Wire) -> Decoder:
    """Give the decoder for the answer to a wire of the dialect.

    The decoder of messages also reads one line of a batch's results.
    """
    api = wire.meta.get("api")
    if api == "complete":
        from ._complete import CompletionDecoder

        return CompletionDecoder()
    from ._decoder import MessageDecoder, read_count

    return (
        WholeDecoder(read_count) if api == "count" else MessageDecoder(dialect.id, wire.meta.get("json_tool"))
    )
