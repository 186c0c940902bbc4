"""How a service carries Claude, as one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import attrs

from jackfield.plugin import ModelRef, Wire, quote_segment

from ._settings import OLD_VERSION, ApiVersion

__all__ = ["ANTHROPIC", "Dialect"]


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
