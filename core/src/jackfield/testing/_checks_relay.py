"""Checks of relays: a client's request goes on as it came, and its key stays here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from jackfield._types.capabilities import ModelRef
from jackfield._types.wire import Wire

from ._check import check
from ._subject import Subject

_KEY = "jackfield-key-of-a-client"
_HEADERS = {
    "Authorization": f"Bearer {_KEY}",
    "X-Api-Key": _KEY,
    "api-key": _KEY,
    "Cookie": f"session={_KEY}",
    "Host": "gateway.example",
    "Content-Length": "1",
    "anthropic-version": "2023-06-01",
}
_BODY = (
    b'{ "max_tokens" :9,"x_unknown":[1.0e2, 36893488147419103233,"\\u00e9 \xc3\xa9"],"messages":[{"role":"user",'
    b'"content":"hi"}],"input":"hi","prompt":"hi","stream":%s,"stream_options":{"include_usage":true},'
    b'"tools":[{"parameters":{"model":"inner"}}], "model": "of the client" }'
)
_MODEL = b'"model": "of the client"'
_SURFACES = ("openai.chat", "openai.completions", "openai.responses", "anthropic.messages")


def _relays(subject: Subject) -> str | None:
    return None if subject.hooks.relay is not None else "it has no jackfield_relay"


def _wires(subject: Subject) -> Iterator[tuple[str, bytes, bool, ModelRef, Wire]]:
    for probe in subject.probes_of():
        for surface in _SURFACES:
            for stream in (False, True):
                body = _BODY % (b"true" if stream else b"false")
                relay = subject.hooks.relay
                wire = None if relay is None else relay(probe.model, surface, _HEADERS, body)
                if wire is not None:
                    label = f"{probe.label}, {surface}, {'streamed' if stream else 'whole'}"
                    yield label, body, stream, probe.model, wire


@check(
    "relay.bytes",
    law="What is relayed is the client's body byte for byte, but for the model or, if the path names it, what stands in its place.",
    remedy="make the body with jackfield.plugin.replace_model or swap_model; return None for a request that must be translated",
    applies=_relays,
)
def bytes_go_through(subject: Subject) -> Iterable[str]:
    for label, body, stream, model, wire in _wires(subject):
        named = body.replace(b'"of the client"', b'"%s"' % model.id.encode())
        if wire.body not in (named, body) and not _is_swapped(body, wire, model):
            yield f"{label}: the body is another one: {wire.body!r}"
        elif wire.body == body and model.id not in wire.path:
            yield f"{label}: neither body nor path names the model {model.id!r}"
        if wire.stream is not stream:
            yield f"{label}: the wire has stream={wire.stream}"


def _is_swapped(body: bytes, wire: Wire, model: ModelRef) -> bool:
    """Return whether one other member stands in the place of the model, which the path names."""
    before, _, after = body.partition(_MODEL)
    sent = wire.body
    if not isinstance(sent, bytes) or not (sent.startswith(before) and sent.endswith(after)):
        return False
    try:
        member = json.loads(b"{%s}" % sent[len(before) : len(sent) - len(after)])
    except ValueError:
        return False
    return len(member) == 1 and model.id in wire.path


@check(
    "relay.decoder",
    law="The answer to what is relayed can be decoded, as that to a translated call: usage and finish are read from it.",
    remedy="give the wire the `meta` and the `framing` that jackfield_translate gives it for the same API",
    applies=_relays,
)
def answer_can_be_decoded(subject: Subject) -> Iterable[str]:
    for label, _, _, model, wire in _wires(subject):
        try:
            subject.hooks.decoder(model, wire)
        except Exception as error:
            yield f"{label}: there is no decoder for its answer: {error}"


@check(
    "relay.keys",
    law="A client's key, its cookies and the headers of its own connection are never passed on.",
    remedy="choose the headers by name with jackfield.plugin.pass_headers",
    applies=_relays,
)
def keys_stay_here(subject: Subject) -> Iterable[str]:
    own = {"host", "content-length", "cookie", "authorization", "connection", "transfer-encoding"}
    for label, _, _, _, wire in _wires(subject):
        shown = [
            name for name, value in {**wire.headers, **wire.query, "path": wire.path}.items() if _KEY in value
        ]
        passed = sorted(own & {name.lower() for name in wire.headers})
        if shown:
            yield f"{label}: {shown[0]} holds the client's key"
        elif passed:
            yield f"{label}: {passed[0]} belongs to the client's connection"
