"""Answer a client's request from a mesh: whoever has a transport, a server or one in this process, calls this."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Final

import attrs

from jackfield import Mesh, ModelCard, ParameterNote, Stream
from jackfield.plugin import Headers, UnsupportedPolicy

from ._asked import Asked
from ._encoding import Encoder
from ._failures import SurfaceError
from ._fields import parse_body
from ._paths import find_route
from ._relaying import relay_request
from ._served import JSON, STREAM_HEADERS, Served
from ._surface import SURFACES, Answer, Surface, Surfaces
from ._targets import declares_option, families_of, policy_of, resolve_target

__all__ = ["answer_call", "begin_stream", "collect_notes", "read_call", "serve"]

_MOST_OF_REPORT: Final = 4000
_STORE: Final = "store"


async def serve(
    mesh: Mesh,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    query: Mapping[str, str] | None = None,
    surfaces: Surfaces = SURFACES,
    unsupported: UnsupportedPolicy | None = None,
    trusted: bool = False,
    timeout: Mapping[str, float] | None = None,
    relayed: bool = True,
) -> Served:
    """Answer a request.

    A request for a model whose service speaks the client's API is handed on as it came, and the answer comes back as it
    came, unless a middleware must see the content. All others are translated.

    Args:
        mesh: The mesh, open.
        method: The HTTP method.
        path: The path, without its query.
        headers: The headers.
        body: The body.
        query: The query.
        surfaces: The surfaces, with the envelopes that they seal and open.
        unsupported: What happens to what a model cannot honour; None takes what the connection declares.
        trusted: The client is the program that declared the connections.
        timeout: Limits of this call, by phase.
        relayed: Whether requests may be handed on as they came.
    """
    given = Headers(headers)
    route = find_route(method, path, given)
    if route is None:
        surface = surfaces["anthropic.messages" if "anthropic-version" in given else "openai.chat"]
        return _failed(
            surface, SurfaceError(f"there is no {method} {path} here", kind="not_found", status=404), trusted
        )
    surface = surfaces[route.surface]
    try:
        if method == "GET":
            asked = surface.read(given, {**(query or {}), "model": route.model})
        else:
            content = parse_body(body)
            name = content.get("model")
            target = resolve_target(mesh, name) if isinstance(name, str) else ""
            if relayed and target:
                passed = await relay_request(
                    mesh, surface, target, given, body, content, timeout, trusted=trusted
                )
                if passed is not None:
                    return passed
            asked = read_call(mesh, surface, given, content, target=target, unsupported=unsupported)
        if timeout and asked.kind != "models":
            asked = attrs.evolve(asked, options={**asked.options, "timeout": timeout})
        if asked.stream and surface.streams:
            return await _begin(mesh, surface, asked, trusted=trusted)
        answer = await (_models(mesh, asked) if asked.kind == "models" else answer_call(mesh, asked))
        return Served(
            200, {"content-type": JSON, **_report_of(mesh, asked, answer)}, surface.whole(asked, answer)
        )
    except Exception as error:
        return _failed(surface, error, trusted)


def _failed(surface: Surface, error: Exception, trusted: bool) -> Served:
    return Served(*surface.error(error, trusted=trusted), error)


def read_call(
    mesh: Mesh,
    surface: Surface,
    headers: Mapping[str, str],
    content: Mapping[str, Any],
    *,
    target: str,
    unsupported: UnsupportedPolicy | None = None,
) -> Asked:
    """Read a request for a mesh; its policy decides about what the providers that may answer do not have.

    Args:
        mesh: The mesh.
        surface: The API that the client speaks.
        headers: The headers.
        content: The body's JSON object.
        target: The alias or target that the client means.
        unsupported: What happens to what a model cannot honour; None takes what the connection declares.

    Raises:
        SurfaceError: The request is not valid, or asks for what is not served.
    """
    policy = policy_of(mesh, target) if unsupported is None else unsupported
    asked = attrs.evolve(surface.read(headers, content, unsupported=policy), target=target)
    if unsupported is not None:
        asked = attrs.evolve(asked, options={"unsupported": unsupported, **asked.options})
    _refuse_foreign(mesh, asked)
    return asked


def _refuse_foreign(mesh: Mesh, asked: Asked) -> None:
    """Refuse fields that change the answer and that a provider that may answer does not have, if the policy says so."""
    if asked.options.get("unsupported") == "drop":
        return
    for families in families_of(mesh, asked.target):
        field = next((field for field in asked.left_out(families) if field.changes), None)
        if field is not None:
            raise SurfaceError(
                f"{field.name}: only providers of the family {field.family} have it, and {asked.target} is not one of them",
                parameter=field.name,
                kind="unsupported_parameter",
            )


async def answer_call(mesh: Mesh, asked: Asked) -> Answer:
    """Make the call that a client asks for, and return the whole answer.

    Raises:
        JackfieldError: As the call of the mesh.
    """
    options = _options_of(mesh, asked)
    methods: Mapping[str, Any] = {
        "chat": mesh.chat,
        "completion": mesh.complete,
        "embedding": mesh.embed,
        "rerank": mesh.rerank,
        "count": mesh.count_tokens,
    }
    answer: Answer = await methods[asked.kind](asked.target, *asked.arguments, **options)
    return answer


def begin_stream(mesh: Mesh, asked: Asked) -> Stream:
    """Return the stream that a client asks for, to be entered."""
    method = mesh.stream_chat if asked.kind == "chat" else mesh.stream_complete
    options = _options_of(mesh, asked)
    return method(asked.target, *asked.arguments, **options)


def _options_of(mesh: Mesh, asked: Asked) -> dict[str, Any]:
    """Return the options of a call. Each request holds its whole conversation, so no service needs to keep it for us."""
    options = dict(asked.options)
    if asked.kind == "chat" and not declares_option(mesh, asked.target, _STORE):
        options.setdefault(_STORE, False)
    return options


async def _models(mesh: Mesh, asked: Asked) -> list[ModelCard]:
    """Return the models that may be called: those of all connections, and the aliases, which are named like models."""
    cards = [card for card in await mesh.models() if card.allowed]
    aliases = [ModelCard(id=name) for name in mesh.aliases]
    if not asked.target:
        return [*aliases, *cards]
    wanted = asked.target
    named = [card for card in [*aliases, *cards] if wanted in (card.id, f"{card.connection}:{card.id}")]
    if len(named) != 1:
        raise SurfaceError(
            f"The model '{wanted}' does not exist", parameter="model", kind="model_not_found", status=404
        )
    return named


async def _begin(mesh: Mesh, surface: Surface, asked: Asked, *, trusted: bool) -> Served:
    """Begin a streamed answer; it has begun once its first event is here, so that an error before it has a status."""
    stream = begin_stream(mesh, asked)
    await stream.__aenter__()
    encoder = surface.encoder(asked)
    body = _Body(stream, encoder, trusted=trusted)
    return Served(200, {**STREAM_HEADERS, **_report_of(mesh, asked, stream.response)}, body)


class _Body:
    """The bytes of a streamed answer. Closing it closes the upstream at once."""

    def __init__(self, stream: Stream, encoder: Encoder, *, trusted: bool) -> None:
        self._stream = stream
        self._pieces = self._encode(encoder)
        self._trusted = trusted

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        return await self._pieces.__anext__()

    async def aclose(self) -> None:
        """Close the upstream."""
        await self._stream.aclose()

    async def _encode(self, encoder: Encoder) -> AsyncIterator[bytes]:
        stream = self._stream
        try:
            for data in encoder.start(stream.response):
                yield data
            try:
                async for event in stream:
                    out = encoder.feed(event)
                    if out:
                        yield b"".join(out)
                end = encoder.finish(stream.response)
            except Exception as error:
                end = encoder.fail(error, trusted=self._trusted)
            yield b"".join(end)
        finally:
            await stream.aclose()


def collect_notes(mesh: Mesh, asked: Asked, answer: Any) -> tuple[ParameterNote, ...]:
    """Return what became of a request: what was left out, clamped, emulated or filled in.

    Args:
        mesh: The mesh.
        asked: The request.
        answer: The reply, as far as it is known.
    """
    notes = asked.notes
    provider = getattr(answer, "provider", None)
    if provider is not None:
        families = next(
            (one for one in families_of(mesh, asked.target) if provider in one), frozenset({provider})
        )
        notes = asked.report(families)
    parameters = getattr(answer, "parameters", None)
    if parameters is None:
        return notes
    # That a service keeps nothing is no news for a client that did not ask it to.
    return (*notes, *(note for note in parameters.changed() if note.name != _STORE))


def _report_of(mesh: Mesh, asked: Asked, answer: Any) -> dict[str, str]:
    text = _join(collect_notes(mesh, asked, answer))
    return {"x-jackfield-report": text} if text else {}


def _join(notes: Iterable[ParameterNote]) -> str:
    """Return notes as one line of printable ASCII."""
    listed = list(dict.fromkeys(f"{note.name}={note.fate}" for note in notes))
    text = "; ".join("".join(c if " " <= c <= "~" else "?" for c in one) for one in listed)
    return text if len(text) <= _MOST_OF_REPORT else text[: _MOST_OF_REPORT - 3] + "..."
