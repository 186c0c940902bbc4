"""Hand a request on as it came, where the model's service speaks the client's API itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from jackfield import InvalidRequestError, JackfieldError, Mesh, TransportError
from jackfield.plugin import Kind, RelayedAnswer, RelayRequest, read_json, relay

from ._asked import Asked
from ._envelopes import Envelopes
from ._served import JSON, STREAM_HEADERS, Served
from ._surface import Surface

__all__ = ["relay_request"]

_KINDS: Final[Mapping[str, Kind]] = {
    "openai.chat": "chat",
    "openai.responses": "chat",
    "openai.completions": "completion",
    "anthropic.messages": "chat",
}
_REQUEST_IDS: Final = ("x-request-id", "request-id")


async def relay_request(
    mesh: Mesh,
    surface: Surface,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
    parsed: Mapping[str, Any],
    timeout: Mapping[str, float] | None,
    *,
    trusted: bool,
) -> Served | None:
    """Answer a request by a relay; None if it must be translated.

    A conversation that holds envelopes is translated: only this surface can open them, and a service would refuse them.

    Args:
        mesh: The mesh.
        surface: The surface.
        target: The target, or an alias.
        headers: The client's headers.
        body: The body as it came.
        parsed: The same, parsed.
        timeout: Limits of this call, by phase.
        trusted: See `serve`.

    Raises:
        JackfieldError: The call failed before anything came.
    """
    kind = _KINDS.get(surface.name)
    if kind is None or Envelopes.may_be_in(body):
        return None
    stream = parsed.get("stream") is True
    asked = RelayRequest(surface=surface.name, kind=kind, headers=headers, body=body, stream=stream)
    options = {} if timeout is None else {"timeout": timeout}
    try:
        answer = await relay(mesh, target, asked, **options)
        if answer is None:
            return None
        if not stream:
            return Served(200, {"content-type": JSON, **_ids(answer)}, await _read(answer))
    except InvalidRequestError as error:
        served = _words_of_the_service(surface, error)
        if served is None:
            raise
        return served
    pieces = _RelayedBody(answer, surface, target, trusted=trusted)
    return Served(200, {**STREAM_HEADERS, **_ids(answer)}, pieces)


def _ids(answer: RelayedAnswer) -> dict[str, str]:
    found = next((answer.head.headers[name] for name in _REQUEST_IDS if name in answer.head.headers), None)
    return {} if found is None else {"x-jackfield-upstream-request-id": found}


async def _read(answer: RelayedAnswer) -> bytes:
    try:
        return b"".join([piece async for piece in answer])
    finally:
        await answer.aclose()


def _words_of_the_service(surface: Surface, error: InvalidRequestError) -> Served | None:
    """Return the service's own answer to a request that it does not accept; None if it is not in the client's form.

    Clients act upon its words: they leave out what it names, and ask again.
    """
    try:
        told = read_json(error.body or b"")
    except ValueError:
        return None
    if error.body is None or error.status is None or not isinstance(told, dict):
        return None
    if not isinstance(told.get("error"), dict) or (surface.family == "anthropic") != (
        told.get("type") == "error"
    ):
        return None
    return Served(error.status, {"content-type": JSON, "x-should-retry": "false"}, error.body, error)


class _RelayedBody:
    """The bytes of a relayed stream; if it breaks, an error in the client's form follows."""

    def __init__(self, answer: RelayedAnswer, surface: Surface, target: str, *, trusted: bool) -> None:
        self._answer = answer
        self._surface = surface
        self._asked = Asked(surface=surface.name, kind="chat", target=target, stream=True)
        self._trusted = trusted
        self._pieces = self._read()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        return await self._pieces.__anext__()

    async def aclose(self) -> None:
        """Close the upstream."""
        await self._answer.aclose()

    async def _read(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._answer:
                yield piece
        except TransportError as error:
            encoder = self._surface.encoder(self._asked)
            # What came may have ended within an event.
            yield b"\n\n" + b"".join(encoder.fail(error, trusted=self._trusted, begun=True))
        except JackfieldError:
            pass  # the service has told it within the stream
        finally:
            await self._answer.aclose()
