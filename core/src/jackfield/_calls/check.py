"""Check a connection by one real round trip."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

from jackfield._faces import show_in
from jackfield._types.errors import ConfigurationError, JackfieldError
from jackfield._values import Value

if TYPE_CHECKING:
    from .connection import Connection
    from .listing import ModelList

__all__ = ["CheckResult", "check_connection"]


@attrs.frozen(kw_only=True, eq=False, repr=False)
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
    connection: Connection, models: ModelList, chat: Callable[..., Any]
) -> CheckResult:
    """List models where the service can, else ask the first declared chat model for one word.

    Args:
        connection: The connection.
        models: The connection's.
        chat: `Mesh.chat`.
    """
    began = time.perf_counter()
    what, error = "nothing", None
    try:
        what = await _round_trip(connection, models, chat)
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


async def _round_trip(connection: Connection, models: ModelList, chat: Callable[..., Any]) -> str:
    if models.find_listing() is not None:
        cards = await models.fetch(refresh=True)
        return f"listed {len(cards)} model{'' if len(cards) == 1 else 's'}"
    entries = [entry for entry in connection.config.models or () if not entry.id.endswith("*")]
    for entry in entries:
        kinds = connection.find_target(entry.id, "chat").capabilities.kinds
        if not kinds or kinds & {"chat", "completion"}:
            await chat(f"{connection.name}:{entry.id}", "Say ok.", max_tokens=16, unsupported="drop")
            return f"chat with {entry.id}"
    raise ConfigurationError(
        f"connection {connection.name} cannot be checked: its service lists no models; declare one in `models`"
    )


show_in("jackfield", CheckResult)
