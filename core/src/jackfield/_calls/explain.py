"""Explain a call without making it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from jackfield._config.extra_ids import keep_own_extra
from jackfield._contract.protocols import Bearer, CostContext, HttpAccess, Signer, StaticHeader
from jackfield._faces import show_in
from jackfield._types.billing import compute_cost
from jackfield._types.calls import Call
from jackfield._types.capabilities import Capabilities
from jackfield._types.content import Message, Text, ToolResult
from jackfield._types.cost import Cost
from jackfield._types.errors import JackfieldError
from jackfield._types.option_rules import UNSET
from jackfield._types.parameters import ParameterReport, Translation
from jackfield._types.replies import TokenCount
from jackfield._types.requests import Request
from jackfield._types.usage import Usage
from jackfield._types.wire import Wire
from jackfield._values import Value, field, frozen

from .tiers import requested_choices, requested_tier
from .translation import translate

if TYPE_CHECKING:
    from .connection import Connection, Target

__all__ = ["Plan", "estimate_tokens", "make_plan"]

_CHARACTERS_A_TOKEN = 4


@frozen(kw_only=True)
class Plan(Value):
    """The result of `mesh.explain`.

    Attributes:
        connection: The connection's name.
        provider: Provider id.
        model: The model's id.
        capabilities: What the model can do, each with its source.
        wire: The exact request.
        method: The HTTP method.
        url: Where it would be sent; None for what is not HTTP.
        headers: As they would be sent, secrets replaced by what they come from.
        body: The body.
        parameters: What would become of every parameter.
        input_tokens: An estimate.
        cost: An estimate: from no output to `max_tokens`. Its `amount` is the least.
        most_cost: The estimate if all of `max_tokens` is used, as it is on the wire, even if the caller gave
            none; None if none is sent.
        call: The call, as middlewares would see it.
    """

    connection: str
    provider: str
    model: str
    capabilities: Capabilities = field(repr=False)
    wire: Wire
    method: str
    url: str | None
    headers: Mapping[str, str]
    body: Any
    parameters: ParameterReport
    input_tokens: TokenCount
    cost: Cost
    most_cost: Cost | None = None
    call: Call | None = field(default=None, repr=False)


def make_plan(connection: Connection, target: Target, call: Call) -> Plan:
    """Translate a call and return what would be sent. No I/O; no secret is resolved.

    Raises:
        JackfieldError: What the call itself would raise before anything is sent.
    """
    try:
        provider = connection.provider
        request = keep_own_extra(call.request, provider.info)
        translation = translate(provider.translate, target.model, request, target.capabilities)
    except JackfieldError as error:
        connection.locate_and_redact(error, target.model.id)
        raise
    wire: Wire = translation.wire
    url, headers = _preview(connection, wire)
    count = estimate_tokens(call.request)
    least, most = _estimate(connection, target, call, count.input_tokens, translation)
    return Plan(
        connection=connection.name,
        provider=call.provider,
        model=target.model.id,
        capabilities=target.capabilities,
        wire=wire,
        method=wire.method,
        url=url,
        headers=headers,
        body=wire.body,
        parameters=translation.report,
        input_tokens=count,
        cost=least,
        most_cost=most,
        call=call,
    )


def _preview(connection: Connection, wire: Wire) -> tuple[str | None, Mapping[str, str]]:
    from jackfield._http.transport import HttpTransport, set_header

    transport = connection.make_transport()
    if not isinstance(transport, HttpTransport):
        return None, dict(wire.headers)
    access = connection.provider.transport(connection.config.settings)
    headers = transport.shown_headers(wire)
    if isinstance(access, HttpAccess):
        auth = access.auth if wire.auth is None else access.named_auth[wire.auth]
        if isinstance(auth, StaticHeader) and auth.secret is not None and not auth.secret.is_none:
            set_header(headers, auth.name, f"{auth.prefix}{auth.secret.shown}")
        elif isinstance(auth, Bearer):
            set_header(headers, auth.header, f"{auth.prefix}<token>")
        elif isinstance(auth, Signer):
            set_header(headers, "Authorization", f"<signature by {type(auth).__name__}>")
    return transport.shown_address(wire), headers


def _estimate(
    connection: Connection, target: Target, call: Call, input_tokens: int, translation: Translation
) -> tuple[Cost, Cost | None]:
    body = requested_choices(translation.wire)
    tier = requested_tier(body, translation.wire.headers, connection.config.headers)
    context = CostContext(when=time.time(), kind=call.kind, service_tier=tier, requested=body)
    card = connection.pricing.card(target.model, target.entry, Usage(input_tokens=input_tokens), context)
    least = compute_cost(Usage(input_tokens=input_tokens, output_tokens=0), card)
    # What is on the wire counts: it may be clamped, or be there because the service wants one.
    longest = next(
        (note.value for note in translation.report if note.name == "max_tokens" and note.wire is not None),
        None,
    )
    if not isinstance(longest, int):
        return _mark_as_estimate(least), None
    most = compute_cost(Usage(input_tokens=input_tokens, output_tokens=longest), card)
    return _mark_as_estimate(least), _mark_as_estimate(most)


def _mark_as_estimate(cost: Cost) -> Cost:
    """Mark a complete cost as partial: an estimate is never complete."""
    if cost.status != "complete":
        return cost
    return attrs.evolve(cost, status="partial", missing=("counts are estimated before the call",))


def estimate_tokens(request: Request) -> TokenCount:
    """Estimate the input tokens of a request as characters / 4."""
    characters = sum(map(len, _collect_texts(request)))
    return TokenCount(
        input_tokens=-(-characters // _CHARACTERS_A_TOKEN), exact=False, source="characters / 4"
    )


def _collect_texts(request: Request) -> list[str]:
    options = getattr(request, "options", None)
    texts = [] if options is None or options.system is UNSET else [options.system]
    for name in ("prompt", "text", "query"):
        texts += [value] if isinstance(value := getattr(request, name, None), str) else []
    texts += getattr(request, "inputs", ())
    texts += getattr(request, "documents", ())
    for message in getattr(request, "messages", ()):
        texts += _collect_message_texts(message)
    tools = () if options is None or options.tools is UNSET else options.tools
    for tool in tools:
        texts += [tool.name, tool.description or "", json.dumps(tool.parameters, default=dict)]
    return texts


def _collect_message_texts(message: Message) -> list[str]:
    return [part.text for part in message.parts if isinstance(part, Text | ToolResult)]


show_in("jackfield", Plan)
