"""Check a connection by one real round trip."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jackfield._faces import show_in
from jackfield._types.errors import ConfigurationError, JackfieldError
from jackfield._values import Value, frozen

if TYPE_CHECKING:
    from .connection import Connection
    from .listing import ModelList

__all__ = ["CheckResult", "check_connection"]


_NO_LIST = frozenset({404, 405, 501})
_REACHED = (
    "; the service was reached and answers, but not with a list of models: a call may work all the same; "
    "to try one, which may be billed, declare a model and use --ask (in a program: check(..., ask=True))"
)


@frozen(kw_only=True)
class CheckResult(Value):
    """How a check went.

    Attributes:
        connection: The connection's name.
        provider: Provider id.
        ok: The service replied without an error.
        what: What was done: "listed N models", "chat with MODEL".
        seconds: How long it took.
        error: What went wrong.
    """

    connection: str
    provider: str
    ok: bool
    what: str
    seconds: float
    error: JackfieldError | None = None


async def check_connection(
    connection: Connection, models: ModelList, chat: Callable[..., Any], *, ask: bool = False
) -> CheckResult:
    """List models where the service can, else ask the first declared chat model for one word.

    Args:
        connection: The connection.
        models: The connection's.
        chat: `Mesh.chat`.
        ask: Ask a declared model also where a service that should list its models does not.
    """
    began = time.perf_counter()
    what, error = "nothing", None
    try:
        what = await _round_trip(connection, models, chat, ask=ask)
    except JackfieldError as failure:
        connection.locate_and_redact(failure)
        error = failure
    return CheckResult(
        connection=connection.name,
        provider=connection.config.provider_id,
        ok=error is None,
        what=what,
        seconds=time.perf_counter() - began,
        error=error,
    )


async def _round_trip(
    connection: Connection, models: ModelList, chat: Callable[..., Any], *, ask: bool
) -> str:
    if models.find_listing() is not None:
        try:
            cards = await models.fetch(refresh=True)
        except JackfieldError as error:
            if error.status not in _NO_LIST:
                raise
            if not ask:
                error.message += _REACHED
                error.args = (error.message,)
                raise
        else:
            return f"listed {len(cards)} model{'' if len(cards) == 1 else 's'}"
    return await _ask(connection, chat)


async def _ask(connection: Connection, chat: Callable[..., Any]) -> str:
    """Request one word from the first declared model that chats."""
    entries = [entry for entry in connection.config.models or () if not entry.id.endswith("*")]
    for entry in entries:
        kinds = connection.find_target(entry.id, "chat").capabilities.kinds
        if not kinds or kinds & {"chat", "completion"}:
            await chat(f"{connection.name}:{entry.id}", "Say ok.", max_tokens=16, unsupported="drop")
            return f"chat with {entry.id}"
    raise ConfigurationError(
        f"connection {connection.name} cannot be checked: its service lists no models; declare one that chats in `models`"
    )


show_in("jackfield", CheckResult)
