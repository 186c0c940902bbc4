"""Broken providers, one fault each, by the check that has to catch it: what is asked."""

from __future__ import annotations

import json
import os
import random
import socket
import threading
import time
from decimal import Decimal
from urllib.parse import quote

import attrs
import orjson
from conformance_acme import CHAT, TABLE, Acme

from jackfield import Secret
from jackfield.plugin import (
    Bearer,
    Capability,
    HttpAccess,
    StaticHeader,
    Token,
    hookimpl,
    secret,
)

FAULTS = []


def caught_by(*names):
    """Return which checks have to catch a fault; the first is the one that is meant for it."""

    def add(cls):
        FAULTS.append((cls, names))
        return cls

    return add


# Loading


@caught_by("loading.sync_hooks", "loading.binds")
class AsyncHook(Acme):
    @hookimpl
    async def jackfield_capabilities(self, model):
        return CHAT


@caught_by("loading.known_hooks", "loading.binds")
class MisspeltHook(Acme):
    @hookimpl
    def jackfield_transalte(self, model, request, capabilities):
        return None


@caught_by("loading.marked_hooks")
class UnmarkedHook(Acme):
    def jackfield_cost(self, model, usage, context):
        return None


@caught_by("loading.required_hooks", "loading.binds")
class NoDecoder(Acme):
    jackfield_decoder = None


@caught_by("loading.base_url")
class NoBaseUrl(Acme):
    @attrs.frozen
    class OneAddress:
        api_key: object = None

    @hookimpl
    def jackfield_provider(self):
        return attrs.evolve(super().jackfield_provider(), settings=self.OneAddress)

    @hookimpl
    def jackfield_transport(self, settings):
        return HttpAccess(base_url="https://api.acme.example")


# Purity


@caught_by("purity.offline")
class AsksTheNetwork(Acme):
    @hookimpl
    def jackfield_capabilities(self, model):
        try:
            socket.socket().close()
        except AssertionError:
            pass  # a plugin may hide that it was refused
        return super().jackfield_capabilities(model)


@caught_by("purity.no_traces")
class WritesEnvironment(Acme):
    @hookimpl
    def jackfield_transport(self, settings):
        os.environ["ACME_SEEN"] = str(time.time())
        return super().jackfield_transport(settings)


@caught_by("purity.no_traces")
class StartsThread(Acme):
    @hookimpl
    def jackfield_capabilities(self, model):
        threading.Timer(0.2, lambda: None).start()
        return super().jackfield_capabilities(model)


@caught_by("purity.same_answer")
class Random(Acme):
    def extra(self, writer, options):
        writer.body["request_id"] = random.random()


@caught_by("purity.input_unchanged")
class MutatesSchema(Acme):
    def tool(self, tool):
        tool.parameters["additionalProperties"] = False
        return super().tool(tool)


BODY = {}


@caught_by("purity.own_wire")
class SharesBody(Acme):
    @hookimpl
    def jackfield_translate(self, model, request, capabilities):
        made = super().jackfield_translate(model, request, capabilities)
        key = (made.wire.path, orjson.dumps(made.wire.body))
        body = BODY.setdefault(key, made.wire.body)
        return attrs.evolve(made, wire=attrs.evolve(made.wire, body=body))


# Translation


@caught_by("translate.gives")
class GivesDict(Acme):
    @hookimpl
    def jackfield_translate(self, model, request, capabilities):
        return super().jackfield_translate(model, request, capabilities).wire.body


@caught_by("translate.sendable")
class DecimalInBody(Acme):
    def option(self, writer, name):
        writer.put(name, convert=lambda v: Decimal(str(v)) if name == "temperature" else v)


@caught_by("translate.sendable")
class NumberInHeaders(Acme):
    @hookimpl
    def jackfield_translate(self, model, request, capabilities):
        made = super().jackfield_translate(model, request, capabilities)
        return attrs.evolve(made, wire=attrs.evolve(made.wire, headers={"x-version": 1}))


@caught_by("translate.no_secret")
class KeyInWire(Acme):
    @hookimpl
    def jackfield_translate(self, model, request, capabilities):
        made = super().jackfield_translate(model, request, capabilities)
        key = model.settings.api_key.reveal()
        return attrs.evolve(made, wire=attrs.evolve(made.wire, headers={"Authorization": f"Bearer {key}"}))


@caught_by("translate.no_secret")
class KeyInAccess(Acme):
    @hookimpl
    def jackfield_transport(self, settings):
        key = settings.api_key.reveal()
        return HttpAccess(base_url=settings.base_url, headers={"Authorization": f"Bearer {key}"})


@caught_by("addresses.model")
class RawIdInPath(Acme):
    @hookimpl
    def jackfield_translate(self, model, request, capabilities):
        made = super().jackfield_translate(model, request, capabilities)
        return attrs.evolve(made, wire=attrs.evolve(made.wire, path=f"models/{model.id}:generate"))


@caught_by("addresses.model")
class EncodedDotsInPath(Acme):
    @hookimpl
    def jackfield_translate(self, model, request, capabilities):
        made = super().jackfield_translate(model, request, capabilities)
        path = f"models/{quote(model.id, safe='')}/generate"
        return attrs.evolve(made, wire=attrs.evolve(made.wire, path=path))


@caught_by("addresses.model")
class RawIdInQuery(Acme):
    @hookimpl
    def jackfield_translate(self, model, request, capabilities):
        made = super().jackfield_translate(model, request, capabilities)
        return attrs.evolve(made, wire=attrs.evolve(made.wire, path=f"generate?model={model.id}"))


@caught_by("addresses.default_key")
class KeyOfTheEnvironment(Acme):
    @hookimpl
    def jackfield_transport(self, settings):
        key = settings.api_key or Secret(os.environ.get("ACME_API_KEY", "-"))
        return HttpAccess(base_url=settings.base_url, auth=StaticHeader("Authorization", key, "Bearer "))

    @hookimpl
    def jackfield_provider(self):
        return attrs.evolve(super().jackfield_provider(), settings=KeylessSettings)


@attrs.frozen
class KeylessSettings:
    base_url: str = "https://api.acme.example/v1"
    api_key: Secret | None = secret()


@attrs.frozen
class SettingsForEverybody:
    base_url: str = "https://api.acme.example/v1"
    api_key: Secret | None = secret(env="ACME_API_KEY", hosts=("example",))


@caught_by("addresses.default_key")
class KeyForEverybody(Acme):
    @hookimpl
    def jackfield_provider(self):
        return attrs.evolve(super().jackfield_provider(), settings=SettingsForEverybody)


@caught_by("addresses.no_key")
class WantsAKey(Acme):
    @hookimpl
    def jackfield_transport(self, settings):
        key = Secret(settings.api_key.reveal())
        return HttpAccess(base_url=settings.base_url, auth=StaticHeader("Authorization", key, "Bearer "))


@caught_by("addresses.no_key")
class AnotherProof(Acme):
    @hookimpl
    def jackfield_transport(self, settings):
        if settings.api_key.is_none:
            return HttpAccess(base_url=settings.base_url, auth=Bearer(lambda: Token("of the machine")))
        return super().jackfield_transport(settings)


@caught_by("translate.streams")
class NeverStreams(Acme):
    @hookimpl
    def jackfield_translate(self, model, request, capabilities):
        made = super().jackfield_translate(model, request, capabilities)
        return attrs.evolve(made, wire=attrs.evolve(made.wire, stream=False))


class EditsTexts(Acme):
    def message(self, message, index, writer):
        made = super().message(message, index, writer)
        return {**made, "parts": [self.edit(p) if isinstance(p, str) else p for p in made["parts"]]}


@caught_by("translate.texts")
class CutsTexts(EditsTexts):
    def edit(self, text):
        return text[:100_000]


@caught_by("translate.texts")
class AsciiTexts(EditsTexts):
    def edit(self, text):
        return text.encode("ascii", "replace").decode()


@caught_by("translate.texts")
class StripsNul(EditsTexts):
    def edit(self, text):
        return text.replace("\x00", "")


@caught_by("translate.empty_text")
class TripsOverEmpty(EditsTexts):
    def edit(self, text):
        return text[0].upper() + text[1:] if text[0] == "#" else text


@caught_by("translate.nothing_added")
class SendsTemperature(Acme):
    def extra(self, writer, options):
        writer.body.setdefault("temperature", 0.7)
        super().extra(writer, options)


@caught_by("translate.foreign_extra")
class MergesAllExtra(Acme):
    def extra(self, writer, options):
        writer.merge_extra(options.extra, *options.extra)


@caught_by("translate.own_extra")
class ForgetsExtra(Acme):
    def extra(self, writer, options):
        pass


@caught_by("translate.tools")
class FlattensSchema(Acme):
    def tool(self, tool):
        names = {name: {"type": value["type"]} for name, value in tool.parameters["properties"].items()}
        return {"name": tool.name, "about": tool.description, "schema": {"properties": names}}


@caught_by("translate.conversation")
class ForgetsResults(Acme):
    def message(self, message, index, writer):
        if message.role == "tool":
            return {"role": "tool", "parts": []}
        return super().message(message, index, writer)


@caught_by("translate.foreign_thinking")
class KeepsForeignThinking(Acme):
    def other(self, part, index, writer, parts):
        parts.append({"kept": getattr(part, "text", ""), "data": getattr(part, "data", None)})


# Options


@caught_by("options.accounted", "options.dropped", "options.unknown")
class ForgetsTheRest(Acme):
    @hookimpl
    def jackfield_translate(self, model, request, capabilities):
        made = super().jackfield_translate(
            model,
            attrs.evolve(request, options=attrs.evolve(request.options, unsupported="drop"))
            if hasattr(request, "options") and type(request.options).__name__ == "Options"
            else request,
            capabilities,
        )
        kept = tuple(note for note in made.report if note.fate != "dropped")
        return attrs.evolve(made, report=attrs.evolve(made.report, notes=kept))


@caught_by("options.unknown")
class KnowsOptionsByName(Acme):
    @hookimpl
    def jackfield_translate(self, model, request, capabilities):
        if hasattr(request, "options"):
            known = {
                field.name: getattr(request.options, field.name)
                for field in attrs.fields(type(request.options))
            }
            from jackfield.plugin import Options

            request = attrs.evolve(request, options=Options(**known))
        return super().jackfield_translate(model, request, capabilities)


@caught_by("options.dropped")
class RefusesAlways(Acme):
    @hookimpl
    def jackfield_translate(self, model, request, capabilities):
        if hasattr(request, "options"):
            request = attrs.evolve(request, options=attrs.evolve(request.options, unsupported="error"))
        return super().jackfield_translate(model, request, capabilities)


@caught_by("options.arrive")
class ReportsAndForgets(Acme):
    def option(self, writer, name):
        value = writer.put(name)
        if name == "user" and value is not None:
            writer.body.pop("user", None)


@caught_by("options.zero")
class DropsZero(Acme):
    def option(self, writer, name):
        writer.put(name)
        if not writer.body.get(name):
            writer.body.pop(name, None)


@caught_by("options.zero")
class TakesTruth(Acme):
    def option(self, writer, name):
        value = writer.take(name)
        if isinstance(value, float | int | str) and value:
            writer.write(name, name, value)


@caught_by("options.empty")
class DropsEmptyStop(Acme):
    def stop(self, writer):
        value = writer.take("stop")
        if isinstance(value, tuple) and value:
            writer.write("stop", "stop_at", list(value))


@caught_by("options.rules")
class IgnoresItsTable(Acme):
    def option(self, writer, name):
        value = writer._given.pop(name, None)
        if value is not None:
            writer.write(name, name, value)


@caught_by("options.excluded")
class SendsWhatExcludesOneAnother(Acme):
    def option(self, writer, name):
        if name == "top_p":
            value = writer._given.pop(name, None)
            if value is not None:
                writer.write(name, name, value)
        else:
            super().option(writer, name)


# Claims


class Claims(Acme):
    @hookimpl
    def jackfield_capabilities(self, model):
        known = super().jackfield_capabilities(model)
        return self.changed(known) if known.known else known


@caught_by("claims.shape")
class NamesNoFeature(Claims):
    def changed(self, known):
        return known.with_features(TABLE, telepathy=True)


@caught_by("claims.shape")
class NamesNoSource(Claims):
    def changed(self, known):
        return attrs.evolve(known, features={"tools": Capability(True)})


@caught_by("claims.kinds")
class ServesMore(Claims):
    def changed(self, known):
        return attrs.evolve(known, kinds=known.kinds | {"rerank"})


@caught_by("claims.unknown_model")
class KnowsAll(Acme):
    @hookimpl
    def jackfield_capabilities(self, model):
        return CHAT if model.kind == "chat" else super().jackfield_capabilities(model)


@caught_by("claims.true_is_honoured")
class ClaimsToolsRefusesThem(Acme):
    def tools(self, writer):
        pass


@caught_by("claims.false_is_refused")
class DeniesDimensionsSendsThem(Claims):
    def changed(self, known):
        return known.with_features(TABLE, dimensions=False)


# The table


class Tables(Acme):
    @hookimpl
    def jackfield_table(self):
        return self.names


@caught_by("claims.table")
class TableOfStrangers(Tables):
    names = ("acme-1", "acme-9")


@caught_by("claims.table")
class TableWithTwins(Tables):
    names = ("acme-1", "acme-1")


@caught_by("claims.table")
class TableOfOtherThings(Tables):
    names = (7,)


@caught_by("claims.table")
class TableIsText(Tables):
    names = "acme-1"


# Relays


@caught_by("relay.bytes")
class RelayWritesAnew(Acme):
    def name_model(self, body, name):
        return json.dumps({**json.loads(body), "model": name}).encode()


@caught_by("relay.bytes")
class RelayForgetsTheModel(Acme):
    def name_model(self, body, name):
        return body


@caught_by("relay.keys")
class RelayPassesAll(Acme):
    def choose_headers(self, headers):
        return headers


@caught_by("relay.keys")
class RelayPassesHost(Acme):
    def choose_headers(self, headers):
        return {"host": headers["Host"]}


@caught_by("relay.decoder")
class RelayWithoutDecoder(Acme):
    @hookimpl
    def jackfield_decoder(self, model, wire):
        if isinstance(wire.body, bytes):
            raise KeyError("kind")
        return super().jackfield_decoder(model, wire)
