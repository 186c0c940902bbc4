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

__all__ = ["answer_of_service", "ask_to_relay", "relay_request"]

_KINDS: Final[Mapping[str, Kind]] = {
    "openai.chat": "chat",
    "openai.responses": "chat",
    "openai.completions": "completion",
    "anthropic.messages": "chat",
}
_REQUEST_IDS: Final = ("x-request-id", "request-id")


def ask_to_relay(
    surface: Surface, headers: Mapping[str, str], body: bytes, parsed: Mapping[str, Any]
) -> RelayRequest | None:
    """Return what a mesh is asked to relay; None for a request that must be translated.

    A conversation that holds envelopes is translated: only this surface can open them, and a service would refuse them.

    Args:
        surface: The surface.
        headers: The client's headers.
        body: The body as it came.
        parsed: The same, parsed.
    """
    kind = _KINDS.get(surface.name)
    if kind is None or Envelopes.may_be_in(body):
        return None
    return RelayRequest(
        surface=surface.name,
        kind=kind,
        headers=headers,
        body=body,
        stream=parsed.get("stream") is True,
        parsed=parsed,
    )


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
    asked = ask_to_relay(surface, headers, body, parsed)
    if asked is None:
        return None
    options = {} if timeout is None else {"timeout": timeout}
    try:
        answer = await relay(mesh, target, asked, **options)
        if answer is None:
            return None
        if not asked.stream:
            return Served(200, {"content-type": JSON, **_ids(answer)}, await _read(answer))
    except InvalidRequestError as error:
        told = answer_of_service(surface, error)
        if told is None:
            raise
        return Served(*told, error)
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


def answer_of_service(surface: Surface, error: BaseException) -> tuple[int, dict[str, str], bytes] | None:
    """Return the service's own answer to a relayed request that it does not accept: status, headers and body.

    Clients act upon its words: they leave out what it names, and ask again. None if it is another error, or not in the
    client's form.

    Args:
        surface: The surface.
        error: What the relay raised.
    """
    if not isinstance(error, InvalidRequestError):
        return None
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
    return error.status, {"content-type": JSON, "x-should-retry": "false"}, error.body


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
