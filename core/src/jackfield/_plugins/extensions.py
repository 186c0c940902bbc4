"""Extensions: many may listen, and none can break a call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from jackfield._contract.protocols import CostContext
from jackfield._types.calls import Call, Outcome
from jackfield._types.capabilities import ModelRef
from jackfield._types.cost import RateCard
from jackfield._types.errors import JackfieldError

from .hooks import bind_hooks

__all__ = ["Extensions"]

logger = logging.getLogger("jackfield")

HOOKS = ("jackfield_price", "jackfield_call_started", "jackfield_call_finished", "jackfield_commands")


class Extensions:
    """The hooks of all loaded extensions, in the order of their names.

    Args:
        plugins: Name and plugin.
    """

    def __init__(self, plugins: Iterable[tuple[str, dict[str, Callable[..., Any]]]]) -> None:
        self._by_hook: dict[str, list[tuple[str, Callable[..., Any]]]] = {hook: [] for hook in HOOKS}
        for name, hooks in plugins:
            for hook, function in hooks.items():
                self._by_hook[hook].append((name, function))

    @property
    def has_observers(self) -> bool:
        """Whether anyone wants to hear of calls."""
        return bool(self._by_hook["jackfield_call_started"] or self._by_hook["jackfield_call_finished"])

    def price(self, model: ModelRef, context: CostContext) -> RateCard | None:
        """Give the first rates that an extension knows."""
        for name, function in self._by_hook["jackfield_price"]:
            card: RateCard | None = _call(name, "jackfield_price", function, model, context)
            if card is not None:
                return card
        return None

    def call_started(self, call: Call) -> None:
        """Tell all that a call began."""
        self._tell("jackfield_call_started", call)

    def call_finished(self, call: Call, outcome: Outcome) -> None:
        """Tell all how a call ended."""
        self._tell("jackfield_call_finished", call, outcome)

    def commands(self, cli: Any) -> None:
        """Let all add commands to the command line."""
        self._tell("jackfield_commands", cli)

    def _tell(self, hook: str, *arguments: Any) -> None:
        for name, function in self._by_hook[hook]:
            _call(name, hook, function, *arguments)


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
        logger.exception("extension %s: %s failed; the call goes on", name, hook)
        return None
