"""Checks of the conversation that a wire carries: its parts, its order, its roles, and what belongs together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from jackfield._calls.fold import fold
from jackfield._types.content import (
    Audio,
    Document,
    Image,
    Message,
    Part,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from jackfield._types.errors import JackfieldError, PluginError
from jackfield._types.options import Options
from jackfield._types.parameters import Translation
from jackfield._types.requests import ChatRequest

from ._bodies import holds_data, holds_text, leaves, opened
from ._check import check
from ._findings import SkipCheck
from ._rich_requests import PNG, TOOL
from ._subject import Probe, Subject

_URL: Final = "https://jackfield-conformance.example/a"
_PDF: Final = b"%PDF-1.4 jackfield-conformance"
_WAV: Final = b"RIFF\x24\x00\x00\x00WAVEfmt jackfield-conformance"

_PARTS: Final[Mapping[str, tuple[Image | Document | Audio, bytes | str]]] = {
    "an image": (Image(data=PNG, media_type="image/png"), PNG),
    "an image by address": (Image(url=f"{_URL}.png", media_type="image/png"), f"{_URL}.png"),
    "a document": (Document(data=_PDF, media_type="application/pdf", name="a.pdf"), _PDF),
    "a document by address": (Document(url=f"{_URL}.pdf", media_type="application/pdf"), f"{_URL}.pdf"),
    "a document's text": (Document(text="jackfield-document", name="a.txt"), "jackfield-document"),
    "a recording": (Audio(data=_WAV, media_type="audio/wav"), _WAV),
    "a recording by address": (Audio(url=f"{_URL}.wav", media_type="audio/wav"), f"{_URL}.wav"),
}

_ROLES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "model", "chatbot", "bot", "ai"), "assistant"),
}


def _made(subject: Subject, probe: Probe, messages: Sequence[Message], **options: Any) -> Translation | None:
    """Translate a conversation; None if it is refused."""
    try:
        request = ChatRequest(tuple(messages), Options(**options))
        return subject.translate(probe.model, request, probe.capabilities)
    except PluginError:
        raise
    except JackfieldError:
        return None


def _told(probe: Probe, made: Translation) -> bool:
    """Return whether the report says that something did not go as it was."""
    plain = list(probe.plain.report)
    return any(note.fate in {"dropped", "emulated"} and note not in plain for note in made.report)


def _calls(*parts: Part, results: Iterable[ToolResult]) -> list[Message]:
    """Return a conversation whose answer calls two tools."""
    calls = (
        ToolCall("call_9a", "jackfield_weather", {"place": "Åre", "days": 3}),
        ToolCall("call_9b", "jackfield_clock", {"zone": "jackfield-zone"}),
    )
    return [
        Message("user", "What, and when?"),
        Message("assistant", (*parts, *calls)),
        *(Message("tool", (result,)) for result in results),
    ]


_RESULTS: Final = (ToolResult("call_9a", "jackfield-snow"), ToolResult("call_9b", "jackfield-noon"))


def _tools(*, strict: bool | None = None) -> tuple[Tool, ...]:
    zone = {"type": "object", "properties": {"zone": {"type": "string"}}}
    return TOOL(), Tool("jackfield_clock", "Says what time it is.", zone, strict=strict)


@check(
    "messages.parts",
    law="The data or the address of an image, a document or a recording is in the body, or the report says that it is not, or it is refused.",
    remedy="write the part, or call writer.refuse or writer.drop for each kind that the service does not accept",
)
def parts(subject: Subject) -> Iterable[str]:
    for probe in subject.probes_of("chat"):
        for what, (part, data) in _PARTS.items():
            user = [Message("user", ("Look:", part, "What is it?"))]
            places: list[tuple[str, list[Message], Mapping[str, Any]]] = [(what, user, {})]
            if not isinstance(part, Audio):
                result = ToolResult("call_9a", (Text("jackfield-snow"), part), name="jackfield_weather")
                conversation = _calls(results=(result, _RESULTS[1]))
                places.append((f"{what} in the result of a tool", conversation, {"tools": _tools()}))
            for where, messages, options in places:
                for policy in ("error", "drop"):
                    made = _made(subject, probe, messages, unsupported=policy, **options)
                    if made is None or _told(probe, made):
                        continue
                    if not holds_data(made.wire.body, data):
                        yield f"{probe.label}: {where} is neither in the body nor in the report"
                        break


_TURNS: Final = tuple(
    Message(role, f"jackfield-turn-{number}")  # type: ignore[arg-type]
    for number, role in enumerate(("user", "assistant", "user", "assistant", "user"))
)


@check(
    "messages.order",
    law="The turns of a conversation arrive in their order.",
    remedy="write one entry for each message, in the order of request.messages",
)
def order(subject: Subject) -> Iterable[str]:
    for probe in subject.probes_of("chat"):
        made = _made(subject, probe, _TURNS)
        if made is None:
            continue
        text = "\n".join(str(leaf) for leaf in leaves(made.wire.body))
        # The last turn has a place of its own at some services.
        places = [text.find(f"jackfield-turn-{number}") for number in range(len(_TURNS))]
        if -1 in places:
            yield f"{probe.label}: turn {places.index(-1)} is not in the body"
        elif places[:-1] != sorted(places[:-1]):
            yield f"{probe.label}: they arrive in another order"


@check(
    "messages.roles",
    law="It arrives who said what.",
    remedy="map message.role to the service's words, message by message",
)
def roles(subject: Subject) -> Iterable[str]:
    for probe in subject.probes_of("chat"):
        made = _made(subject, probe, _TURNS)
        other = _made(subject, probe, (_TURNS[0], Message("user", "jackfield-turn-1"), *_TURNS[2:]))
        if made is None:
            continue
        if other is not None and other.wire.body == made.wire.body:
            yield f"{probe.label}: a turn of the assistant looks like one of the user"
        for number, turn in enumerate(_TURNS):
            found = _role_of(made.wire.body, f"jackfield-turn-{number}", None)
            if found not in {None, turn.role}:
                yield f"{probe.label}: turn {number}, of the {turn.role}, is the {found}'s"


def _role_of(body: Any, text: str, role: str | None) -> str | None:
    """Return whose a text is, by the nearest mapping around it that names a role."""
    body = opened(body)
    if isinstance(body, Mapping):
        named = [_ROLES.get(value.lower()) for value in body.values() if isinstance(value, str)]
        role = next((one for one in named if one is not None), role)
        entries: Iterable[Any] = body.values()
    elif isinstance(body, list | tuple):
        entries = body
    else:
        return None
    for entry in entries:
        if entry == text:
            return role
        found = _role_of(entry, text, role)
        if found is not None:
            return found
    return None


@check(
    "messages.system",
    law="A system message arrives wherever it stands, or is reported or refused.",
    remedy="collect the texts of all messages whose role is system, or call writer.refuse",
)
def system(subject: Subject) -> Iterable[str]:
    said = Message("system", "jackfield-system-message")
    for probe in subject.probes_of("chat"):
        for where, messages in (
            ("at the beginning", (said, *_TURNS)),
            ("among others", (*_TURNS[:2], said, *_TURNS[2:])),
            ("beside the option", (said, *_TURNS)),
        ):
            options = {"system": "jackfield-system-option"} if where == "beside the option" else {}
            made = _made(subject, probe, messages, **options)
            if made is not None and not _told(probe, made):
                wanted = ("jackfield-system-message", *options.values())
                if not all(holds_text(made.wire.body, text) for text in wanted):
                    yield f"{probe.label}: {where} it is lost"


@check(
    "messages.beside_calls",
    law="What an assistant says beside its tool calls arrives, and so does each call.",
    remedy="write the texts and the tool calls of a message, not one or the other",
)
def beside_calls(subject: Subject) -> Iterable[str]:
    for probe in subject.probes_of("chat"):
        made = _made(subject, probe, _calls(Text("jackfield-beside"), results=_RESULTS), tools=_tools())
        if made is None or _told(probe, made):
            continue
        for text in ("jackfield-beside", "jackfield-zone", "jackfield-snow", "jackfield-noon"):
            if not holds_text(made.wire.body, text):
                yield f"{probe.label}: {text!r} is not in the body"


@check(
    "messages.results",
    law="The result of a tool is tied to its call.",
    remedy="write tool_call_id, or the tool's name, beside the result; the name is that of the call with the same id",
)
def results(subject: Subject) -> Iterable[str]:
    crossed = (ToolResult("call_9b", "jackfield-snow"), ToolResult("call_9a", "jackfield-noon"))
    for probe in subject.probes_of("chat"):
        pair = [_made(subject, probe, _calls(results=some), tools=_tools()) for some in (_RESULTS, crossed)]
        bodies = [made.wire.body for made in pair if made is not None]
        if len(bodies) > 1 and bodies[0] == bodies[1]:
            yield f"{probe.label}: results of two calls can be exchanged, and nobody sees it"


@check(
    "messages.marks",
    law="That a tool failed, and that a tool's schema is strict, arrives or is reported; neither gets lost.",
    remedy="write is_error and strict where the service knows them; else call writer.note(..., 'dropped')",
    gentle=True,
)
def marks(subject: Subject) -> Iterable[str]:
    failed = (ToolResult("call_9a", "jackfield-snow", is_error=True), _RESULTS[1])
    for probe in subject.probes_of("chat"):
        for what, marked, plain in (
            ("is_error", (failed, _tools()), (_RESULTS, _tools())),
            ("strict", (_RESULTS, _tools(strict=True)), (_RESULTS, _tools())),
        ):
            pair = [
                _made(subject, probe, _calls(results=some), tools=tools) for some, tools in (marked, plain)
            ]
            if pair[0] is None or pair[1] is None or pair[0].report != pair[1].report:
                continue
            if pair[0].wire.body == pair[1].wire.body:
                yield f"{probe.label}: {what} gets lost"


@check(
    "messages.own_thinking",
    law="A provider's own thinking goes back to it as it came, or the report says that it does not.",
    remedy="write Thinking parts whose provider is yours, with their data; else call writer.drop",
)
def own_thinking(subject: Subject) -> Iterable[str]:
    tried = False
    for case in subject.good_cases():
        probe = next(
            (one for one in subject.probes if one.model.id == case.model and one.kind == "chat"), None
        )
        if probe is None:
            continue
        folded = fold(subject.decoded(case).events, provider=subject.hooks.info.id, model=case.model)
        for choice in folded.choices[:1]:
            thoughts = [part for part in choice.message.parts if isinstance(part, Thinking)]
            if not thoughts:
                continue
            tried = True
            made = _made(subject, probe, (Message("user", "Hm?"), choice.message, Message("user", "And?")))
            if made is None or _told(probe, made):
                continue
            for thought in thoughts:
                wanted = [one for one in _strings(thought) if one]
                if wanted and not any(holds_text(made.wire.body, one) for one in wanted):
                    yield f"{case.label}: its thinking is neither in the next request nor in the report"
                    break
    if not tried:
        raise SkipCheck("no case of a chat shows thinking")


def _strings(thought: Thinking) -> Iterator[str]:
    """Return the text of a thought, and what it has besides."""
    yield thought.text
    yield from (leaf for leaf in leaves(thought.data or {}) if isinstance(leaf, str))
