"""A provider: one plugin's hooks, bound and checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import attrs

from jackfield._contract.protocols import CostContext, Decoder, HttpAccess, Listing, ProviderInfo, Transport
from jackfield._hints import hint
from jackfield._types.capabilities import KINDS, Capabilities, ModelRef
from jackfield._types.cost import Cost, RateCard
from jackfield._types.errors import JackfieldError, PluginError
from jackfield._types.failures import Failure
from jackfield._types.parameters import Translation
from jackfield._types.requests import Request
from jackfield._types.usage import Usage
from jackfield._types.wire import Wire
from jackfield._values import Declared, field, frozen

from .hooks import bind_hooks, plugin_fault

__all__ = ["Provider", "bind_provider"]


_NONE: Final = type(None)
_RETURNS: Final[Mapping[str, tuple[type, ...]]] = {
    "jackfield_provider": (ProviderInfo,),
    "jackfield_capabilities": (Capabilities,),
    "jackfield_discover": (Listing, _NONE),
    "jackfield_translate": (Translation,),
    "jackfield_error": (JackfieldError, _NONE),
    "jackfield_cost": (RateCard, Cost, _NONE),
    "jackfield_transport": (HttpAccess, Transport),
    "jackfield_table": (Iterable,),
    "jackfield_relay": (Wire, _NONE),
}
"""The types that hooks may return. Decoders are not checked: looking for their methods would cost each call a microsecond."""


def _no_models(*_: object) -> Sequence[str]:
    return ()


@frozen(kw_only=True)
class Provider(Declared):
    """A plugin's hooks, as plain functions. Hooks that the plugin does not implement return None.

    Attributes:
        info: Who it is.
        capabilities: `jackfield_capabilities`.
        discover: `jackfield_discover`.
        translate: `jackfield_translate`.
        decoder: `jackfield_decoder`.
        error: `jackfield_error`.
        cost: `jackfield_cost`.
        transport: `jackfield_transport`.
        table: `jackfield_table`.
        relay: `jackfield_relay`.
        distribution: The installed distribution that it comes from; None for an object of a program.
        version: That distribution's version.
        label: How errors call the plugin.
    """

    info: ProviderInfo
    capabilities: Callable[[ModelRef], Capabilities] = field(repr=False)
    discover: Callable[[Any], Listing | None] = field(repr=False)
    translate: Callable[[ModelRef, Request, Capabilities], Translation] = field(repr=False)
    decoder: Callable[[ModelRef, Wire], Decoder] = field(repr=False)
    error: Callable[[ModelRef | None, Failure], JackfieldError | None] = field(repr=False)
    cost: Callable[[ModelRef, Usage, CostContext], RateCard | Cost | None] = field(repr=False)
    transport: Callable[[Any], HttpAccess | Transport] = field(repr=False)
    table: Callable[[Any], Sequence[str]] = field(default=_no_models, repr=False)
    relay: Callable[[ModelRef, str, Mapping[str, str], bytes], Wire | None] | None = field(
        default=None, repr=False
    )
    distribution: str | None = None
    version: str | None = None
    label: str = "the plugin"

    @property
    def gives_prices(self) -> bool:
        """Whether the plugin implements `jackfield_cost`; one that does not is not paid by tokens."""
        return self.cost is not _none


def bind_provider(
    plugin: object,
    who: str,
    *,
    name: str | None = None,
    distribution: str | None = None,
    version: str | None = None,
) -> Provider:
    """Check a plugin, a module or an object, and bind its hooks.

    Args:
        plugin: The plugin.
        who: How errors call it.
        name: The entry point's name, which its id must equal.
        distribution: Where it comes from.
        version: Of that distribution.

    Raises:
        PluginError: It cannot be used; says which hook or field, and why.
    """
    from jackfield._contract.hookspecs import ExtensionSpecs, ProviderSpecs  # it imports pluggy

    hooks = bind_hooks(plugin, who, ProviderSpecs, ExtensionSpecs, returns=_RETURNS)
    _require_hooks(hooks, plugin, who)
    info = _read_info(hooks["jackfield_provider"], who)
    _compare_names(info.id, name, who)
    return Provider(
        info=info,
        capabilities=hooks["jackfield_capabilities"],
        discover=hooks.get("jackfield_discover", _none),
        translate=hooks["jackfield_translate"],
        decoder=hooks["jackfield_decoder"],
        error=hooks.get("jackfield_error", _none),
        cost=hooks.get("jackfield_cost", _none),
        transport=hooks["jackfield_transport"],
        table=hooks.get("jackfield_table", _no_models),
        relay=hooks.get("jackfield_relay"),
        distribution=distribution,
        version=version,
        label=who,
    )


def _compare_names(id: str, name: str | None, who: str) -> None:
    if name is not None and id != name:
        raise PluginError(
            f"{who} calls itself {id!r}; its entry point's name and the id in `jackfield_provider` must be equal"
        )


def _none(*_: object) -> None:
    return None


def _require_hooks(hooks: dict[str, Callable[..., Any]], plugin: object, who: str) -> None:
    from jackfield._contract.hookspecs import REQUIRED

    missing = sorted(REQUIRED - hooks.keys())
    if not missing:
        return
    unmarked = [hook for hook in missing if callable(getattr(plugin, hook, None))]
    if unmarked:
        raise PluginError(
            f"{who}: {', '.join(unmarked)} lacks the mark @hookimpl (from jackfield.plugin import hookimpl)"
        )
    raise PluginError(f"{who} lacks {', '.join(missing)}; every provider implements these hooks")


def _read_info(hook: Callable[[], Any], who: str) -> ProviderInfo:
    try:
        info: ProviderInfo = hook()
    except PluginError:
        raise
    except JackfieldError as error:  # no other is for this hook to raise
        raise plugin_fault(who, f"jackfield_provider failed: {error}") from error
    for kind in info.kinds:
        if kind not in KINDS:
            raise PluginError(f"{who} serves the unknown kind {kind!r}{hint(kind, KINDS)}")
    for name, value in (("settings", info.settings), ("model_keys", info.model_keys)):
        if not (isinstance(value, type) and attrs.has(value)) and (name, value) != ("model_keys", None):
            raise PluginError(f"{who}: ProviderInfo.{name} must be an attrs class (@attrs.frozen)")
    if info.credentials and "credentials" not in attrs.fields_dict(info.settings):
        raise PluginError(
            f"{who} takes credentials ({', '.join(info.credentials)}), but its settings class "
            f"{info.settings.__name__} has no field `credentials` to put them in"
        )
    return info
