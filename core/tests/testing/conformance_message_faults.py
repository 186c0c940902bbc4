"""Broken providers, one fault each, by the check that has to catch it: what becomes of a conversation."""

from __future__ import annotations

import attrs
from conformance_acme import Acme, collect_into

from jackfield import Audio, Document, Image, Text, Thinking, ToolCall
from jackfield.plugin import ChatRequest, hookimpl

FAULTS = []
caught_by = collect_into(FAULTS)


@caught_by("messages.parts")
class DropsImages(Acme):
    def other(self, part, index, writer, parts):
        if not isinstance(part, Image):
            super().other(part, index, writer, parts)


@caught_by("messages.parts")
class DropsDocumentsByAddress(Acme):
    def other(self, part, index, writer, parts):
        if not (isinstance(part, Document) and part.url):
            super().other(part, index, writer, parts)


@caught_by("messages.parts")
class WritesADescription(Acme):
    def other(self, part, index, writer, parts):
        parts.append("a recording" if isinstance(part, Audio) else self.file(part))


@caught_by("messages.parts")
class TextsOfResultsAlone(Acme):
    def result(self, part):
        return {**super().result(part), "result": part.text}


class Rewrites(Acme):
    @hookimpl
    def jackfield_translate(self, model, request, capabilities):
        if isinstance(request, ChatRequest):
            request = attrs.evolve(request, messages=tuple(self.rewritten(request.messages)))
        return super().jackfield_translate(model, request, capabilities)


@caught_by("messages.order")
class NewestFirst(Rewrites):
    def rewritten(self, messages):
        return reversed(messages)


@caught_by("messages.order")
class TheLastTurnAlone(Rewrites):
    def rewritten(self, messages):
        return messages[-1:]


@caught_by("messages.roles")
class AllAreUsers(Rewrites):
    def rewritten(self, messages):
        return [attrs.evolve(message, role="user") for message in messages]


@caught_by("messages.roles")
class SwapsRoles(Rewrites):
    def rewritten(self, messages):
        roles = {"user": "assistant", "assistant": "user"}
        return [attrs.evolve(message, role=roles.get(message.role, message.role)) for message in messages]


@caught_by("messages.system")
class LosesSystemMessages(Rewrites):
    def rewritten(self, messages):
        return [message for message in messages if message.role != "system"]


@caught_by("messages.system")
class SystemAtTheBeginningAlone(Rewrites):
    def rewritten(self, messages):
        return [message for i, message in enumerate(messages) if message.role != "system" or not i]


@caught_by("messages.beside_calls")
class CallsOrTexts(Rewrites):
    def rewritten(self, messages):
        return [self.one(message) for message in messages]

    def one(self, message):
        calls = tuple(part for part in message.parts if isinstance(part, ToolCall))
        return attrs.evolve(message, parts=calls) if calls else message


@caught_by("messages.beside_calls")
class TheFirstCallAlone(CallsOrTexts):
    def one(self, message):
        texts = [part for part in message.parts if not isinstance(part, ToolCall)]
        return attrs.evolve(message, parts=(*texts, *message.tool_calls[:1]))


@caught_by("messages.results")
class ResultsWithoutIds(Acme):
    def result(self, part):
        return {"result": super().result(part)["result"]}


@caught_by("messages.marks")
class ForgetsFailures(Acme):
    def result(self, part):
        return super().result(attrs.evolve(part, is_error=False))


@caught_by("messages.marks")
class ForgetsStrict(Acme):
    def tool(self, tool):
        return super().tool(attrs.evolve(tool, strict=None))


@caught_by("messages.own_thinking")
class ForgetsItsThoughts(Acme):
    def other(self, part, index, writer, parts):
        if not isinstance(part, Thinking) or part.provider != "acme":
            super().other(part, index, writer, parts)


@caught_by("translate.texts")
class StripsTexts(Rewrites):
    def rewritten(self, messages):
        return [
            attrs.evolve(message, parts=message.parts[0].text.strip())
            if isinstance(message.parts[0], Text)
            else message
            for message in messages
        ]
