"""Broken providers, one fault each, by the check that has to catch it: what is sent unasked, or lost in silence."""

from __future__ import annotations

import attrs
import orjson
from conformance_acme import REASONS, Acme, Decoder, collect_into

from jackfield import Finish, ModelCard
from jackfield.plugin import EmbedRequest, hookimpl

FAULTS = []
caught_by = collect_into(FAULTS)


@caught_by("translate.streams")
class StreamsInTheBody(Acme):
    def extra(self, writer, options):
        writer.body["stream"] = True
        super().extra(writer, options)


class Batches(Acme):
    @hookimpl
    def jackfield_translate(self, model, request, capabilities):
        if isinstance(request, EmbedRequest):
            request = attrs.evolve(request, inputs=self.texts(request.inputs))
        return super().jackfield_translate(model, request, capabilities)


@caught_by("translate.inputs")
class TheFirstTextAlone(Batches):
    def texts(self, inputs):
        return inputs[:1]


@caught_by("translate.inputs")
class TextsReversed(Batches):
    def texts(self, inputs):
        return inputs[::-1]


@caught_by("options.effective")
class SaysThatItSendsN(Acme):
    def stop(self, writer):
        super().stop(writer)
        if isinstance(writer.take("n"), int):
            writer.note("n", "sent", wire="n")


@caught_by("options.effective")
class IgnoresToolChoice(Acme):
    def tools(self, writer):
        super().tools(writer)
        if isinstance(writer.take("tool_choice"), str):
            writer.note("tool_choice", "sent", wire="tool_choice")


@caught_by("options.effective")
class SendsSchemasAsJson(Acme):
    def tools(self, writer):
        super().tools(writer)
        writer.put("response_format", "format", lambda wanted: "json")


@caught_by("options.lists")
class JoinsStops(Acme):
    def stop(self, writer):
        writer.put("stop", "stop_at", " ".join)


@caught_by("options.lists")
class TheFirstToolAlone(Acme):
    def tools(self, writer):
        writer.put("tools", convert=lambda tools: [self.tool(tools[0])])


@caught_by("options.schemas")
class CutsDefinitions(Acme):
    def tool(self, tool):
        kept = {key: value for key, value in tool.parameters.items() if key != "$defs"}
        return {**super().tool(tool), "schema": kept}


@caught_by("options.unasked")
class SendsAContextLength(Acme):
    def extra(self, writer, options):
        writer.body["options"] = {"num_ctx": 2048}
        super().extra(writer, options)


def read_by(cls):
    """Return Acme with a decoder."""
    return type(f"{cls.__name__}Acme", (Acme,), {"decoder": cls, "__module__": __name__})


class CountsFromZero(Decoder):
    def whole(self, data):
        return super().whole(
            {**data, "usage": {"input": data.get("input_tokens", 0), "output": data.get("eval_count", 0)}}
        )


class EveryEndIsAStop(Decoder):
    def end(self, reason):
        return Finish(REASONS.get(reason, "stop"), raw=reason)


class SkipsWhatIsNoJson(Decoder):
    def parse(self, data):
        try:
            return super().parse(data)
        except orjson.JSONDecodeError:
            return {}


class VectorsReversed(Decoder):
    def whole(self, data):
        return super().whole({**data, "vectors": data["vectors"][::-1]} if "vectors" in data else data)


FAULTS += [
    (read_by(CountsFromZero), ("answers.usage_unknown",)),
    (read_by(EveryEndIsAStop), ("answers.unknown_finish",)),
    (read_by(SkipsWhatIsNoJson), ("stream.garbage",)),
    (read_by(VectorsReversed), ("answers.embedding_order",)),
]


@caught_by("answers.listing_error")
class ListsNothing(Acme):
    @hookimpl
    def jackfield_discover(self, settings):
        def parse(head, body):
            return [ModelCard(id=name) for name in orjson.loads(body).get("models", [])], None

        return attrs.evolve(super().jackfield_discover(settings), parse=parse)
