"""What a plugin's own tests are written with: one step of a call at a time, without a mesh and without a network."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import attrs

from jackfield._calls.fold import Folded, fold
from jackfield._calls.translation import kind_of, translate
from jackfield._input.messages import normalise_messages
from jackfield._plugins.provider import Provider, bind_provider
from jackfield._types.billing import compute_cost
from jackfield._types.capabilities import Capabilities, ModelRef
from jackfield._types.content import Message, MessageLike
from jackfield._types.cost import Cost
from jackfield._types.events import Event
from jackfield._types.parameters import Translation
from jackfield._types.requests import Request
from jackfield._types.usage import Usage
from jackfield.plugin import CostContext

__all__ = ["Folded", "cost_of", "messages_of", "reply_of", "translated"]


def translated(
    plugin: object, model: ModelRef | str, request: Request, capabilities: Capabilities | None = None
) -> Translation:
    """Return what a call would send: the wire, and the report of its parameters.

    What the core does before a plugin's turn is done, too: what the model is known not to do is refused or dropped,
    and a kind of request that it does not serve is emulated by another.

    Args:
        plugin: The module or object with the hooks.
        model: The model, or its id alone.
        request: The request.
        capabilities: What the model can do; None asks the plugin, as a call does.

    Raises:
        UnsupportedError: The model is known not to do what is asked.
        PluginError: The plugin has no such hook, or the hook failed.
    """
    provider = _bind(plugin)
    ref = ModelRef(model, kind=kind_of(request)) if isinstance(model, str) else model
    known = provider.capabilities(ref) if capabilities is None else capabilities
    return translate(provider.translate, ref, request, known)


def reply_of(events: Iterable[Event], *, provider: str | None = None, model: str | None = None) -> Folded:
    """Return what the events of a decoder amount to, as a reply is made of them.

    Args:
        events: In the order in which the decoder returned them.
        provider: The id that thinking is tagged with.
        model: The model that thinking is tagged with; the one that the service reports wins.
    """
    return fold(events, provider=provider, model=model)


def cost_of(plugin: object, model: ModelRef | str, usage: Usage, context: CostContext | None = None) -> Cost:
    """Return what a call costs by the plugin's own rates; unknown where it has none.

    Args:
        plugin: The module or object with the hooks.
        model: The model, or its id alone.
        usage: What the call used.
        context: What a price may depend on; None means a call of now.

    Raises:
        PluginError: The plugin cannot be bound.
    """
    ref = ModelRef(model) if isinstance(model, str) else model
    provider = _bind(plugin)
    given = CostContext(when=time.time(), kind=ref.kind) if context is None else context
    if given.input_tokens is None:  # on which prices by the prompt's length depend
        given = attrs.evolve(given, input_tokens=usage.input_tokens)
    answer = provider.cost(ref, usage, given)
    return answer if isinstance(answer, Cost) else compute_cost(usage, answer)


def messages_of(messages: str | Sequence[MessageLike]) -> tuple[Message, ...]:
    """Return messages as a plugin gets them, from what a caller may write: a string, dicts, objects.

    Raises:
        ValueError: A message is not valid; the text says where and why.
    """
    return normalise_messages(messages)


def _bind(plugin: object) -> Provider:
    return bind_provider(plugin, f"the plugin {getattr(plugin, '__name__', type(plugin).__name__)}")
