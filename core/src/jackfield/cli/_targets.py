"""Which model is meant when none is named, and what is said of the one that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jackfield._errors import JackfieldError, UnknownTargetError

if TYPE_CHECKING:
    from jackfield._capabilities import Kind
    from jackfield._config import ConnectionConfig, MeshConfig

    from ._session import Session

__all__ = ["choose_target", "demo_notice"]

DEFAULT: Final = "default"
_DEMO: Final = ("onnx", "smollm2-135m")
_SHOWN: Final = 12


def choose_target(session: Session, given: str | None, kind: Kind) -> str:
    """Give the target of a call.

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
    known = [*config.aliases, *(fitting or declared), *open_ended]
    if DEFAULT in config.aliases:
        lead = f"the alias {DEFAULT} does not serve {kind}; name a model with -m TARGET, or declare an alias `{kind}`"
    else:
        lead = 'which model? Name one with -m TARGET, or declare [aliases] default = "connection:model"'
    listed = ", ".join(known[:_SHOWN]) + (", ..." if len(known) > _SHOWN else "")
    raise UnknownTargetError(
        f"{lead}; there {'is' if len(known) == 1 else 'are'}: {listed or 'no connection'}"
        + ("; `jackfield models` lists what a connection offers" if open_ended else "")
    )


def demo_notice(session: Session, target: str) -> str | None:
    """Say it plainly if a target is the small model that is there to try things with."""
    names = session.config.aliases.get(target, (target,))
    connection, _, model = names[0].partition(":")
    declared = session.config.connections.get(connection)
    if declared is None or declared.failure is not None or (declared.provider_id, model) != _DEMO:
        return None
    return (
        "This is SmolLM2-135M-Instruct on this machine: a demo model of 135M parameters, fluent and often wrong. "
        "`jackfield config init` declares others."
    )


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
    """Say whether a model serves a kind of request; `unknown` is the answer if that is not known."""
    from jackfield._capabilities import ModelRef
    from jackfield._config import find_model, resolve_capabilities

    name, _, model_id = target.partition(":")
    connection = session.config.connections.get(name)
    if connection is None or connection.provider is None:
        return unknown
    entry = find_model(connection, model_id)
    underlying = entry.underlying if entry is not None else None
    raw = entry.raw if entry is not None else {}
    model = ModelRef(model_id, name, kind, underlying, raw, connection.settings)
    try:
        kinds = resolve_capabilities(session.registry, connection.provider, model, entry).kinds
    except JackfieldError:
        return unknown
    if not kinds:
        return unknown
    # Text can be asked of any model that writes some; the mesh reports how.
    writes = {"chat", "completion", "summarization"}
    return bool(kinds & (writes if kind in writes else {kind}))
