"""How services that offer Claude differ, as one value."""

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
    """How one service offers Claude. The defaults are those of Anthropic's own API.

    Attributes:
        id: The provider's id: the `provider` of thinking and raw parts, and the key of the service's own options
            in `extra`.
        also: Further ids whose `extra`, thinking and raw parts this service accepts.
        name: Returns the name of a model in Anthropic's table.
        messages_path: The path of messages. In each of the paths, the model's id replaces `{model}`.
        stream_path: The path of streamed messages; None if it is the same.
        count_path: The path of token counts; None if the service does not have them.
        complete_path: The path of legacy text completions; None if the service does not have them.
        complete_stream_path: The path of streamed text completions; None if it is the same.
        models_path: The path of the list of models; None if there is no list.
        api_version: The API version whose rules apply; None for the connection's setting `api_version`.
        body_version: Written into the body as `anthropic_version`; None for a service that expects it in a header.
        send_model: The body names the model.
        send_stream: The body of a streamed request has `stream: true`.
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
        """All ids that callers may use for this service in `extra`."""
        return (self.id, *self.also)

    def version_of(self, model: ModelRef) -> str:
        """Return the API version whose rules apply to a call."""
        return self.api_version or str(getattr(model.settings, "api_version", OLD_VERSION))

    def start(self, model: ModelRef, path: str) -> tuple[str, dict[str, Any]]:
        """Return the path and the initial body of a wire."""
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
        """Build a wire from its body: set `stream`, and name the beta features that `extra` requests."""
        if stream and self.send_stream:
            body["stream"] = True
        named = dict(headers or {})
        wanted = body.pop("betas", None)
        if wanted and self.betas == "body":
            body["anthropic_beta"] = [*body.get("anthropic_beta", ()), *wanted]
        elif wanted:
            standing = getattr(model.settings, "standing_betas", ())
            named["anthropic-beta"] = ",".join(dict.fromkeys((*standing, *wanted)))
        framing = self.framing if stream else None
        return Wire(path, body, headers=named, stream=stream, framing=framing, meta=meta)


ANTHROPIC: Final = Dialect(id="anthropic")
"""Anthropic itself. Source: its Python SDK 2.12.0 (2026-11-20); of text completions: 0.125.0."""
