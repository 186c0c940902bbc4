"""Hook implementations, checked once by pluggy and bound to functions that guard against faults of plugins.

pluggy costs microseconds a call, knows no isolation and passes coroutines through; here it does what it is
best at: it finds implementations and checks them. Afterwards plain functions are called.
"""

from __future__ import annotations

import asyncio
import inspect
import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from jackfield._hints import a_or_an, hint
from jackfield._types.errors import JackfieldError, PluginError

if TYPE_CHECKING:
    import pluggy

__all__ = ["PASSED_ON", "bind_hooks", "plugin_fault"]

PASSED_ON: Final = (KeyboardInterrupt, asyncio.CancelledError, GeneratorExit)
"""Exceptions that are never a plugin's fault: they end the program, a task or a generator."""
_NOT_A_FAULT: Final = (JackfieldError, *PASSED_ON)


def bind_hooks(
    plugin: object,
    who: str,
    specs: type,
    *beside: type,
    returns: Mapping[str, tuple[type, ...]] = MappingProxyType({}),
) -> dict[str, Callable[..., Any]]:
    """Check every hook that a plugin implements, and return those that `specs` declares as guarded functions.

    Args:
        plugin: A module or an object.
        who: How errors call it.
        specs: `ProviderSpecs` or `ExtensionSpecs`.
        beside: Other specs of the same version of the contract, whose hooks it may have as well.
        returns: The types that a hook may return, for hooks whose result is checked.

    Raises:
        PluginError: Names the plugin, the implementation's signature, the fault and what comes closest.
    """
    if inspect.isclass(plugin):
        raise PluginError(
            f"{who} is a class, {plugin.__qualname__}; its entry point must name a module or an object "
            f"(plugin = {plugin.__qualname__}())"
        )
    manager = _register(plugin, who, (specs, *beside))
    bound = {}
    for caller in manager.get_hookcallers(plugin) or ():
        if caller.spec is not None and hasattr(specs, caller.name):
            implementation = caller.get_hookimpls()[0]
            _refuse_wrapper(implementation, who)
            wanted = tuple(caller.spec.argnames)
            positions = _positions_of(implementation.function, caller.name, wanted, who)
            bound[caller.name] = _guard(
                implementation.function, positions, caller.name, who, returns.get(caller.name)
            )
    return bound


def plugin_fault(who: str, what: str) -> PluginError:
    """Return the error for what only a plugin's author can mend; all faults of plugins end in the same words.

    Args:
        who: How errors call the plugin; holds its distribution and version, where it has them.
        what: What went wrong, and where.
    """
    return PluginError(f"{what}; this is a fault of {who}: upgrade it, or report this to its author")


def _wrong_result(hook: str, result: object, wanted: tuple[type, ...]) -> str:
    words = " or ".join("None" if kind is type(None) else a_or_an(kind.__name__) for kind in wanted)
    return f"{hook} gave {a_or_an(type(result).__name__)}; it must give {words}"


def _guard(
    function: Callable[..., Any],
    positions: tuple[int, ...] | None,
    hook: str,
    who: str,
    returns: tuple[type, ...] | None,
) -> Callable[..., Any]:
    """Return a function that turns whatever a hook raises, but for errors it means to raise, into a fault of its plugin.

    It adds one frame to a call, which also drops the arguments that the implementation does not take.
    """
    only = positions[0] if positions is not None and len(positions) == 1 else None
    choose = None if positions is None or len(positions) < 2 else operator.itemgetter(*positions)

    def call(*arguments: Any) -> Any:
        try:
            if only is not None:  # most hooks that leave arguments out take one
                result = function(arguments[only])
            elif choose is not None:
                result = function(*choose(arguments))
            else:
                result = function(*arguments) if positions is None else function()
        except _NOT_A_FAULT:
            raise
        except BaseException as error:
            raise plugin_fault(who, f"{hook} failed: {type(error).__name__}: {error}") from error
        if returns is not None and not isinstance(result, returns):
            raise plugin_fault(who, _wrong_result(hook, result, returns))
        return result

    return call


def _register(plugin: object, who: str, specs: tuple[type, ...]) -> pluggy.PluginManager:
    # One manager a plugin: a fault in one cannot disturb another.
    import pluggy

    from jackfield._contract import hookspecs as _hookspecs

    manager = pluggy.PluginManager(_hookspecs.PROJECT)
    for declared in specs:
        manager.add_hookspecs(declared)
    try:
        manager.register(plugin, who)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PluginError(f"{who}: {_explain(manager, plugin) or error}") from error
    except PASSED_ON:
        raise
    except BaseException as error:
        raise PluginError(f"{who} cannot be inspected: {type(error).__name__}: {error}") from error
    return manager


def _explain(manager: pluggy.PluginManager, plugin: object) -> str:
    faults = []
    for attribute in dir(plugin):
        options = manager.parse_hookimpl_opts(plugin, attribute)
        if options is None:
            continue
        hook = options.get("specname") or attribute
        caller = getattr(manager.hook, hook, None)
        signature = f"{attribute}{inspect.signature(getattr(plugin, attribute))}"
        if caller is None or caller.spec is None:
            known = [name for name in vars(manager.hook) if getattr(manager.hook, name).spec is not None]
            faults.append(f"{signature}: there is no hook {hook!r}{hint(hook, known)}")
            continue
        faults += [
            f"{signature}: the hook has no argument {name!r}{hint(name, caller.spec.argnames)}"
            for name in inspect.signature(getattr(plugin, attribute)).parameters
            if name not in caller.spec.argnames
        ]
    return "; ".join(faults)


def _refuse_wrapper(implementation: pluggy.HookImpl, who: str) -> None:
    if implementation.wrapper or implementation.hookwrapper:
        raise PluginError(
            f"{who}: {implementation.function.__name__} is a hook wrapper; hooks of Jackfield are not "
            "wrapped, write a middleware"
        )


def _positions_of(
    function: Callable[..., Any], hook: str, wanted: tuple[str, ...], who: str
) -> tuple[int, ...] | None:
    """Return which of a hook's arguments an implementation takes, in its order; None if it takes all in theirs."""
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise PluginError(f"{who}: {hook} is an `async def`; hooks are synchronous, only transports do I/O")
    signature = inspect.signature(function)
    names = []
    for name, parameter in signature.parameters.items():
        if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.POSITIONAL_ONLY}:
            raise PluginError(
                f"{who}: {hook}{signature} must write its arguments out as plain ones "
                f"(of {', '.join(wanted) or 'none'}); {name!r} is not"
            )
        names.append(name)
    taken = [name for name in names if name in wanted]
    if names[: len(taken)] != taken:
        raise PluginError(f"{who}: {hook}{signature} must put the hook's own arguments first")
    return None if tuple(taken) == wanted else tuple(wanted.index(name) for name in taken)
