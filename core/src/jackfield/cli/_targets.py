"""Which model is meant when none is named, and what is said of the one that is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from jackfield import UnknownTargetError

if TYPE_CHECKING:
    from jackfield import Attempt, ConnectionConfig, MeshConfig
    from jackfield.plugin import Capabilities, Kind

    from ._session import Session

__all__ = ["choose_target", "told_after", "told_before"]

DEFAULT: Final = "default"
_DEMO: Final = ("onnx", "smollm2-135m")
_SHOWN: Final = 12


def choose_target(session: Session, given: str | None, kind: Kind) -> str:
    """Return the target of a call.

    The one that was named, else the alias `default`, else the alias named like the kind (`embedding`, `rerank`),
    else the only declared model of the kind.

    Raises:
        UnknownTargetError: It is none of these; the message lists what there is.
    """
    if given is not None:
        return given
    config = session.config
    for alias in (DEFAULT, kind):
        first = config.aliases.get(alias, ("",))[0]
        if first and _serves(session, first, kind, unknown=True):
            return alias
    declared = _declared(config)
    fitting = [target for target in declared if _serves(session, target, kind, unknown=kind == "chat")]
    if len(fitting) == 1:
        return fitting[0]
    open_ended = [f"{name}:..." for name, one in config.connections.items() if _is_open_ended(one)]
    aliases = [name for name, to in config.aliases.items() if _serves(session, to[0], kind, unknown=True)]
    known = [*aliases, *(fitting or ([] if aliases or open_ended else declared)), *open_ended]
    if DEFAULT in config.aliases:
        lead = f"the alias {DEFAULT} does not serve {kind}; name a model with -m TARGET, or declare an alias `{kind}`"
    else:
        lead = 'which model? Name one with -m TARGET, or declare [aliases] default = "connection:model"'
    listed = ", ".join(known[:_SHOWN]) + (", ..." if len(known) > _SHOWN else "")
    raise UnknownTargetError(
        f"{lead}; there {'is' if len(known) == 1 else 'are'}: {listed or 'no connection'}"
        + ("; `jackfield models` lists what a connection offers" if open_ended else "")
    )


def told_before(session: Session, target: str) -> list[str]:
    """Return the notes about a target to print before the call: it is the demo model, it is retired.

    Of an alias that has several nothing is said yet: who answers is not known.
    """
    targets = session.config.aliases.get(target, (target,))
    if len(targets) > 1:
        return []
    return [said for said in (retired_notice(session, targets[0]), demo_notice(session, targets[0])) if said]


def told_after(session: Session, target: str, attempts: Sequence[Attempt]) -> list[str]:
    """Return the notes about an alias's reply: which targets failed, and which one answered instead."""
    if len(session.config.aliases.get(target, ())) < 2 or not attempts:
        return []
    answered = _target_of(attempts[-1])
    # The last word of each target that is not the one that answered.
    failed = {_target_of(one): one.error for one in attempts if _target_of(one) != answered}
    notices = [retired_notice(session, answered), demo_notice(session, answered)]
    if failed:
        tried = ", ".join(f"{name} failed ({error})" for name, error in failed.items())
        notices.insert(0, f"{tried}, answered by {answered}")
    return [said for said in notices if said]


def demo_notice(session: Session, target: str) -> str | None:
    """Return a note if a target is the small demo model."""
    connection, _, model = target.partition(":")
    declared = session.config.connections.get(connection)
    if declared is None or declared.failure is not None or (declared.provider_id, model) != _DEMO:
        return None
    return (
        "This is SmolLM2-135M-Instruct on this machine: a demo model of 135M parameters, fluent and often wrong. "
        "`jackfield config init` declares others."
    )


def retired_notice(session: Session, target: str) -> str | None:
    """Return a note if the provider's table says that a model is retired."""
    known = _capabilities(session, target, None)
    day = None if known is None else known.retired
    if day is None or day > datetime.now(UTC).date().isoformat():
        return None
    return f"warning: {target} was retired on {day}; the service may not know it any more"


def _target_of(attempt: Attempt) -> str:
    return f"{attempt.connection}:{attempt.model}"


def _declared(config: MeshConfig) -> list[str]:
    return [
        f"{name}:{entry.id}"
        for name, connection in config.connections.items()
        for entry in connection.models or ()
        if not entry.id.endswith("*")
    ]


def _is_open_ended(connection: ConnectionConfig) -> bool:
    return connection.models is None or any(entry.id.endswith("*") for entry in connection.models)


def _serves(session: Session, target: str, kind: Kind, *, unknown: bool) -> bool:
    """Return whether a model serves a kind of request; `unknown` if that is not known."""
    known = _capabilities(session, target, kind)
    if known is None or not known.kinds:
        return unknown
    # Text can be asked of any model that writes some; the mesh reports how.
    writes = {"chat", "completion", "summarization"}
    return bool(known.kinds & (writes if kind in writes else {kind}))


def _capabilities(session: Session, target: str, kind: Kind | None) -> Capabilities | None:
    from jackfield.plugin import ModelRef, find_model, resolve_capabilities

    name, _, model_id = target.partition(":")
    connection = session.config.connections.get(name)
    if connection is None or connection.provider is None:
        return None
    entry = find_model(connection, model_id)
    underlying = entry.underlying if entry is not None else None
    raw = entry.raw if entry is not None else {}
    model = ModelRef(model_id, name, kind, underlying, raw, connection.settings)
    try:
        return resolve_capabilities(session.registry, connection.provider, model, entry)
    except Exception:  # a plugin's fault; the call itself will say so
        return None
