"""Extensions: any number can observe calls, and none can break one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from jackfield._contract.protocols import CostContext
from jackfield._types.calls import Call, Outcome
from jackfield._types.capabilities import ModelRef
from jackfield._types.cost import RateCard
from jackfield._types.errors import JackfieldError

from .hooks import bind_hooks

__all__ = ["Extensions"]

logger = logging.getLogger("jackfield")

_STARTED: Final = "jackfield_call_started"
_FINISHED: Final = "jackfield_call_finished"
HOOKS = ("jackfield_price", _STARTED, _FINISHED, "jackfield_commands")

_FAILED: Final = "extension %s: %s failed; the call goes on"

_Hook: TypeAlias = Callable[..., Any]


class Extensions:
    """The hooks of all loaded extensions, in the order of their names.

    Args:
        plugins: Name and plugin.
    """

    def __init__(self, plugins: Iterable[tuple[str, dict[str, Callable[..., Any]]]]) -> None:
        self._by_hook: dict[str, list[tuple[str, _Hook]]] = {hook: [] for hook in HOOKS}
        self._observers: list[tuple[str, _Hook | None, _Hook | None]] = []
        for name, hooks in plugins:
            for hook, function in hooks.items():
                self._by_hook[hook].append((name, function))
            started, finished = hooks.get(_STARTED), hooks.get(_FINISHED)
            if started is not None or finished is not None:
                self._observers.append((name, started, finished))

    @property
    def has_observers(self) -> bool:
        """Whether an extension observes calls."""
        return bool(self._observers)

    def price(self, model: ModelRef, context: CostContext) -> RateCard | None:
        """Return the first rates that an extension knows."""
        for name, function in self._by_hook["jackfield_price"]:
            card: RateCard | None = _call(name, "jackfield_price", function, model, context)
            if card is not None:
                return card
        return None

    def call_started(self, call: Call) -> Callable[[Outcome], None] | None:
        """Announce a call to all observers.

        Returns:
            What announces its end to those that want to know it; None if there are none.
        """
        interested = []
        for name, started, finished in self._observers:
            answer = None
            if started is not None:
                try:  # not by `_call`, since every call pays for this, also if nobody wants to know its end
                    answer = started(call)
                except JackfieldError:
                    logger.exception(_FAILED, name, _STARTED)
            if finished is not None and answer is not False:
                interested.append((name, finished))
        if not interested:
            return None

        def announce_end(outcome: Outcome) -> None:
            for name, finished in interested:
                _call(name, _FINISHED, finished, call, outcome)

        return announce_end

    def commands(self, cli: Any) -> None:
        """Call all hooks that add commands to the command line."""
        for name, function in self._by_hook["jackfield_commands"]:
            _call(name, "jackfield_commands", function, cli)


def bind_extension(plugin: object, who: str) -> dict[str, Callable[..., Any]]:
    """Check an extension and bind its hooks.

    Raises:
        PluginError: It cannot be used.
    """
    from jackfield._contract.hookspecs import ExtensionSpecs, ProviderSpecs

    return bind_hooks(
        plugin,
        who,
        ExtensionSpecs,
        ProviderSpecs,
        returns={"jackfield_price": (RateCard, type(None))},
    )


def _call(name: str, hook: str, function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except JackfieldError:  # the guard around a hook makes one of all else
        logger.exception(_FAILED, name, hook)
        return None
