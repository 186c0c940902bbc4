"""The official clients of OpenAI and Anthropic on a mesh: no port, no network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jackfield import Mesh

from ._loop_thread import loop_for
from ._surface import SURFACES, Surfaces
from ._transports import async_transport, http_module, sync_transport

if TYPE_CHECKING:
    import anthropic
    import openai

__all__ = ["anthropic_client", "openai_client", "sync_anthropic_client", "sync_openai_client"]

_BASE: Final = "http://jackfield.invalid"
_KEY: Final = "in-process"


def openai_client(mesh: Mesh, *, surfaces: Surfaces = SURFACES, **options: Any) -> openai.AsyncOpenAI:
    """Return OpenAI's official async client on a mesh: chats, responses, completions, embeddings, models.

    A model is a target ("connection:model"), an alias, or a model's id where it is unambiguous. What a model cannot honour is
    refused or dropped as its connection declares. Calls are retried by the mesh, and not by the client.

    Args:
        mesh: The mesh; it must be open when the client is used.
        surfaces: The surfaces; see `make_surfaces`.
        options: More arguments of the client.
    """
    import openai

    http = http_module(openai.DefaultAsyncHttpxClient)
    transport = async_transport(http, mesh, surfaces)
    given = {**_defaults(f"{_BASE}/v1"), **options}
    return openai.AsyncOpenAI(http_client=openai.DefaultAsyncHttpxClient(transport=transport), **given)


def anthropic_client(
    mesh: Mesh, *, surfaces: Surfaces = SURFACES, **options: Any
) -> anthropic.AsyncAnthropic:
    """Return Anthropic's official async client on a mesh: messages, counts of tokens, models.

    Args:
        mesh: See `openai_client`.
        surfaces: See `openai_client`.
        options: More arguments of the client.
    """
    import anthropic

    http = http_module(anthropic.DefaultAsyncHttpxClient)
    transport = async_transport(http, mesh, surfaces)
    given = {**_defaults(_BASE), **options}
    return anthropic.AsyncAnthropic(
        http_client=anthropic.DefaultAsyncHttpxClient(transport=transport), **given
    )


def sync_openai_client(mesh: Mesh, *, surfaces: Surfaces = SURFACES, **options: Any) -> openai.OpenAI:
    """Return OpenAI's official sync client on a mesh.

    Made where no event loop runs, it opens the mesh in a thread of its own at the first call, and closes it when the client is
    closed. Made in an event loop in which the mesh is open, it may be used in other threads.

    Args:
        mesh: The mesh.
        surfaces: See `openai_client`.
        options: More arguments of the client.
    """
    import openai

    transport = sync_transport(http_module(openai.DefaultHttpxClient), mesh, surfaces, loop_for(mesh))
    given = {**_defaults(f"{_BASE}/v1"), **options}
    return openai.OpenAI(http_client=openai.DefaultHttpxClient(transport=transport), **given)


def sync_anthropic_client(
    mesh: Mesh, *, surfaces: Surfaces = SURFACES, **options: Any
) -> anthropic.Anthropic:
    """Return Anthropic's official sync client on a mesh; see `sync_openai_client`.

    Args:
        mesh: The mesh.
        surfaces: See `openai_client`.
        options: More arguments of the client.
    """
    import anthropic

    transport = sync_transport(http_module(anthropic.DefaultHttpxClient), mesh, surfaces, loop_for(mesh))
    given = {**_defaults(_BASE), **options}
    return anthropic.Anthropic(http_client=anthropic.DefaultHttpxClient(transport=transport), **given)


def _defaults(base_url: str) -> dict[str, Any]:
    """Return the client's arguments: the mesh has retries, limits of time and credentials of its own."""
    return {"base_url": base_url, "api_key": _KEY, "max_retries": 0, "timeout": None}
