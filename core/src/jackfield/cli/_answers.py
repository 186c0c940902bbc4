"""Carries out a call that writes text, and shows its answer."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs

from jackfield import (
    ChatOptions,
    EmbedOptions,
    Event,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    UnsupportedError,
)

from ._bars import hide_progress
from ._output import as_json, cost_words, plain, replay_words, usage_words, write_aside, write_text
from ._targets import told_after, told_before

if TYPE_CHECKING:
    from jackfield import Attempt, Mesh, ParameterReport, Reply, Stream
    from jackfield.plugin import Kind

    from ._session import Session

__all__ = ["Question", "answer", "note_parameters", "reply_as_dict"]

_LONG_WAIT: Final = 0.1
"""Seconds from which on it is told that a call was held back."""


@attrs.frozen
class Question:
    """A call that writes text.

    Attributes:
        kind: chat, completion or summarization.
        target: Who is asked.
        input: Messages, a prompt or a text.
        options: Of the call.
        stream: Whether to stream; None where the person did not say.
        thinking: Show the model's thinking, on stderr.
        told: The person was told already what there is to say of the target.
    """

    kind: Kind
    target: str
    input: Any
    options: Mapping[str, Any] = attrs.field(factory=dict)
    stream: bool | None = None
    thinking: bool = False
    told: bool = False


async def answer(session: Session, mesh: Mesh, question: Question) -> Reply:
    """Send the request, print the reply to stdout and the notes about it to stderr."""
    session.answer_begun = False
    session.shown = None
    notices = _Notices(session, question)
    notices.before()
    streams = not session.json if question.stream is None else question.stream
    if streams and question.kind != "summarization":
        try:
            reply = await _streamed(session, mesh, question, notices)
        except UnsupportedError as error:
            # Nothing was sent yet. Streaming is only our own wish unless the person asked for it.
            if error.parameter != "stream" or question.stream is not None:
                raise
            reply = await _whole(session, mesh, question, notices)
    else:
        reply = await _whole(session, mesh, question, notices)
    if session.json:
        session.write_json(reply_as_dict(reply, " ".join(notices.told), event=streams))
    else:
        _note_reply(session, reply)
    return reply


class _Notices:
    """What a person is told about who answers: before the call, or as soon as it is known.

    Attributes:
        told: What was said, for `--json`.
    """

    def __init__(self, session: Session, question: Question) -> None:
        self._session = session
        self._question = question
        self._answered = False
        self.told: list[str] = []

    def before(self) -> None:
        if not self._question.told:
            self._say(told_before(self._session, self._question.target))

    def after(self, attempts: Sequence[Attempt]) -> None:
        if not self._answered:
            self._answered = True
            self._say(told_after(self._session, self._question.target, attempts))

    def _say(self, notices: Sequence[str]) -> None:
        for notice in notices:
            hide_progress()
            self._session.note(notice)
        self.told += notices


async def _whole(session: Session, mesh: Mesh, question: Question, notices: _Notices) -> Reply:
    call: Any = {"chat": mesh.chat, "completion": mesh.complete, "summarization": mesh.summarize}[
        question.kind
    ]
    reply: Reply = await call(question.target, question.input, **question.options)
    hide_progress()
    notices.after(reply.attempts)
    if not session.json:
        if question.thinking and reply.thinking:
            write_aside(reply.thinking, dim=True)
        write_text(reply.text or reply.refusal or "", newline=True)
        _write_rest(reply)
    return reply


async def _streamed(session: Session, mesh: Mesh, question: Question, notices: _Notices) -> Reply:
    call: Any = mesh.stream_chat if question.kind == "chat" else mesh.stream_complete
    stream: Stream = call(question.target, question.input, **question.options)
    show = _JsonLines() if session.json else _Text(session, thinking=question.thinking)
    async with stream:
        notices.after(stream.response.attempts)
        try:
            async for event in stream:
                show.event(event)
        finally:
            session.shown = stream.response
            show.end()
    if not session.json:
        _write_rest(stream.response)
    return stream.response


class _Text:
    """Writes the first choice as it comes."""

    def __init__(self, session: Session, *, thinking: bool) -> None:
        self._session = session
        self._thinking = thinking
        self._thought = False
        self._last = "\n"

    def event(self, event: Event) -> None:
        if isinstance(event, TextDelta | RefusalDelta) and event.choice == 0:
            self._end_thinking()
            hide_progress()
            write_text(event.text)
            self._session.answer_begun = True
            self._last = event.text[-1:] or self._last
        elif isinstance(event, ThinkingDelta) and event.choice == 0 and self._thinking:
            hide_progress()
            self._thought = True
            sys.stderr.write(event.text)
            sys.stderr.flush()

    def end(self) -> None:
        self._end_thinking()
        if self._last != "\n":
            write_text("", newline=True)

    def _end_thinking(self) -> None:
        if self._thought:
            self._thought = False
            write_aside("")


class _JsonLines:
    """Writes each event as a line of JSON."""

    def event(self, event: Event) -> None:
        write_text(as_json({"type": type(event).__name__, **plain(event)}), newline=True)

    def end(self) -> None:
        pass


def _write_rest(reply: Reply) -> None:
    """Write what is not text of the first choice: further choices, and the tools that the model wants called."""
    for choice in reply.choices:
        if choice.index:
            write_text(f"\n{choice.text}", newline=True)
        for call in choice.message.tool_calls:
            arguments = call.arguments_raw or as_json(call.arguments)
            write_text(f"{call.name}({arguments})", newline=True)


def _note_reply(session: Session, reply: Reply) -> None:
    note_parameters(session, reply.parameters)
    parts = [f"{reply.connection}:{reply.model}", usage_words(reply.usage), cost_words(reply.cost)]
    if reply.finish_reason != "stop":
        parts.append(f"ended by {reply.finish_reason or 'a break'}")
    if len(reply.attempts) > 1:
        parts.append(f"{len(reply.attempts)} attempts")
    queued = sum(attempt.queued for attempt in reply.attempts)
    if queued >= _LONG_WAIT:
        parts.append(f"held back for {queued:.1f} s")
    if reply.replay is not None:
        parts.append(replay_words(reply.replay))
    session.note(", ".join(parts))


def note_parameters(session: Session, report: ParameterReport) -> None:
    """Return which parameters were not sent as they were given."""
    options = {*ChatOptions.__annotations__, *EmbedOptions.__annotations__}
    for entry in report.changed():
        # What a service needs besides our options, on every call, is for `explain` and `--json` to show.
        if entry.fate == "defaulted" and entry.name not in options:
            continue
        what = f" to {entry.value}" if entry.fate in {"defaulted", "clamped"} else ""
        why = f": {entry.why}" if entry.why else ""
        session.note(f"{entry.name} {entry.fate}{what}{why}")


def reply_as_dict(reply: Reply, notice: str, *, event: bool = False) -> dict[str, Any]:
    """Return a reply in the JSON form of `--json`.

    Args:
        reply: The reply.
        notice: What a person would be told about who answered; "" for nothing.
        event: It stands behind events, and says what it is as they do.
    """
    names: Sequence[str] = (
        "id", "connection", "provider", "model", "text", "thinking", "refusal", "tool_calls", "finish_reason",
        "choices", "usage", "cost", "parameters", "attempts", "complete", "replay",
    )  # fmt: skip
    said = {name: getattr(reply, name) for name in names}
    said["parameters"] = tuple(reply.parameters)
    return {**({"type": "Reply"} if event else {}), **said, **({"notice": notice} if notice else {})}
