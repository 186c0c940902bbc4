"""Hook implementations, checked once by pluggy and bound to plain functions.

pluggy costs microseconds a call, knows no isolation and passes coroutines through; here it does what it is
best at: it finds implementations and checks them. Afterwards plain functions are called.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jackfield._hints import closest
from jackfield._types.errors import PluginError

if TYPE_CHECKING:
    import pluggy

__all__ = ["bind_hooks"]


def bind_hooks(plugin: object, who: str, specs: type, *beside: type) -> dict[str, Callable[..., Any]]:
    """Check every hook that a plugin implements, and give those that `specs` declares as plain functions.

    Args:
        plugin: A module or an object.
        who: How errors call it.
        specs: `ProviderSpecs` or `ExtensionSpecs`.
        beside: Other specs of the same version of the contract, whose hooks it may have as well.

    Raises:
        PluginError: Names the plugin, the implementation's signature, the fault and what comes closest.
    """
    if inspect.isclass(plugin):
        raise PluginError(
            f"{who} is a class, {plugin.__qualname__}; its entry point must name a module or an object "
            f"(plugin = {plugin.__qualname__}())"
        )
    manager = _registered(plugin, who, (specs, *beside))
    bound = {}
    for caller in manager.get_hookcallers(plugin) or ():
        if caller.spec is not None and hasattr(specs, caller.name):
            implementation = caller.get_hookimpls()[0]
            _refuse_wrapper(implementation, who)
            bound[caller.name] = _plain_function(
                implementation.function, caller.name, tuple(caller.spec.argnames), who
            )
    return bound


def _registered(plugin: object, who: str, specs: tuple[type, ...]) -> pluggy.PluginManager:
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
    except Exception as error:
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
            faults.append(f"{signature}: there is no hook {hook!r}{closest(hook, known)}")
            continue
        faults += [
            f"{signature}: the hook has no argument {name!r}{closest(name, caller.spec.argnames)}"
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


def _plain_function(
    function: Callable[..., Any], hook: str, wanted: tuple[str, ...], who: str
) -> Callable[..., Any]:
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
    if tuple(taken) == wanted:
        return function
    return _with_arguments_chosen(function, tuple(wanted.index(name) for name in taken))


def _with_arguments_chosen(function: Callable[..., Any], positions: tuple[int, ...]) -> Callable[..., Any]:
    if len(positions) == 1:  # most hooks that leave arguments out take one
        (position,) = positions
        return lambda *arguments: function(arguments[position])

    def chosen(*arguments: Any) -> Any:
        return function(*[arguments[position] for position in positions])

    return chosen
