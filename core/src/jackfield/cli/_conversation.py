"""A conversation at the terminal: turns, one after the other, over one open mesh."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import click

from jackfield import JackfieldError

from ._answers import Question, answer
from ._bars import progress_shown
from ._failures import describe
from ._input import is_decoded, lines_of
from ._output import is_terminal, write_aside
from ._session import Session
from ._targets import told_before

__all__ = ["converse"]

HELP: Final = (
    "/model TARGET and /system TEXT change whom you talk to and how, /save FILE keeps what was said, /reset forgets it, "
    "/exit or Ctrl-D leaves, Ctrl-C stops an answer"
)
_PROMPT: Final = "> "
_COMMAND: Final = re.compile(r"/[A-Za-z][\w-]*(?=\s|$)")
_PASTED_WITHIN: Final = 0.05
"""Seconds within which the lines of a pasted text are there."""
_MOST_PASTED: Final = 1 << 16
_NOT_TEXT: Final = "\udc80"
"""Stands for a line that could not be decoded; see `is_decoded`."""


def converse(session: Session, question: Question) -> None:
    """Run a conversation turn by turn until the user leaves. `question.input` is the first turn, "" for none."""
    mesh = session.mesh()
    notices = told_before(session, question.target)
    session.note("\n".join([*notices, f"{HELP}."]) if notices else f"Talking to {question.target}. {HELP}.")
    conversation = _Conversation(session, mesh, attrs.evolve(question, told=True))
    keep_undecodable = getattr(sys.stdin, "reconfigure", None)
    if keep_undecodable is not None:  # else one wrong line would take with it all that are read at once
        keep_undecodable(errors="surrogateescape")
    # One loop for all turns, so that connections stay open between them. It stands still while a line is read,
    # and a runner turns Ctrl-C into the cancellation of the turn that it is in.
    with asyncio.Runner() as runner, progress_shown():
        runner.run(mesh.__aenter__())
        try:
            line: str | None = question.input or conversation.next_line()
            while line is not None:
                conversation.take(runner, line)
                line = conversation.next_line()
        finally:
            runner.run(mesh.__aexit__(None, None, None))


class _Conversation:
    def __init__(self, session: Session, mesh: Any, question: Question) -> None:
        self._session = session
        self._mesh = mesh
        self._question = question
        self._messages: list[Any] = []

    def next_line(self) -> str | None:
        """Return the user's next input; None if they leave."""
        while True:
            try:
                typed = _read_input()
            except EOFError:
                write_aside("")  # the shell's own prompt begins a line
                return None
            except KeyboardInterrupt:
                write_aside("")
                continue
            line, command = typed.strip(), _command_in(typed)
            if not is_decoded(line):
                self._session.note("That is not text in UTF-8, so it is not sent.")
            elif command in {"/exit", "/quit"}:
                return None
            elif command == "/reset":
                self._messages = []
                self._session.note("Forgotten.")
            elif command is not None and command in _COMMANDS:
                _COMMANDS[command](self, line[len(command) :].strip())
            elif command is not None:
                self._session.note(HELP if command == "/help" else f"There is no {command}; {HELP}.")
            elif line:
                return line

    def take(self, runner: asyncio.Runner, line: str) -> None:
        """Run one turn. One that fails is not kept in the history; of one that is stopped, what was shown of it is."""
        messages = [*self._messages, {"role": "user", "content": line}]
        question = attrs.evolve(self._question, input=messages)
        try:
            reply = runner.run(answer(self._session, self._mesh, question))
        except KeyboardInterrupt:
            self._keep_stopped(messages)
        except JackfieldError as error:
            write_aside(f"Error: {describe(error, answer_begun=self._session.answer_begun)}", fg="red")
        else:
            self._messages = [*messages, reply.message]

    def _keep_stopped(self, messages: list[Any]) -> None:
        text = "" if self._session.shown is None else self._session.shown.text
        if text.strip():
            # The text alone: thinking and calls that were cut cannot go back to a service.
            self._messages = [*messages, {"role": "assistant", "content": text}]
            self._session.note("Stopped; what was shown is kept. /reset forgets it.")
        else:
            self._session.note("Stopped before an answer; this turn is forgotten.")

    def change_model(self, target: str) -> None:
        """Talk to another model from now on, or say to whom; what was said is kept."""
        if target:
            try:
                self._mesh.explain(target, "hi", **self._question.options)
            except JackfieldError as error:
                self._session.note(f"Error: {describe(error)}")
                return
            self._question = attrs.evolve(self._question, target=target)
        self._session.note(f"Talking to {self._question.target}.")

    def change_system(self, text: str) -> None:
        """Set the system prompt of the turns that follow; without a text, there is none."""
        options = {name: value for name, value in self._question.options.items() if name != "system"}
        self._question = attrs.evolve(
            self._question, options={**options, "system": text} if text else options
        )
        self._session.note(
            "From now on with this system prompt." if text else "From now on without a system prompt."
        )

    def save(self, path: str) -> None:
        """Write what was said to a file, which is not overwritten."""
        if not path:
            self._session.note("Write the name of a file behind /save.")
            return
        turns = [
            message if isinstance(message, dict) else {"role": message.role, "content": message.text}
            for message in self._messages
        ]
        text = "".join(f"{turn['role']}:\n{turn['content']}\n\n" for turn in turns)
        try:
            with Path(path).open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            self._session.note(f"{path} cannot be written: {error.strerror or error}")
            return
        self._session.note(f"Saved in {path}.")


_COMMANDS: Final[Mapping[str, Callable[[_Conversation, str], None]]] = {
    "/model": _Conversation.change_model,
    "/system": _Conversation.change_system,
    "/save": _Conversation.save,
}


def _command_in(typed: str) -> str | None:
    """Return the word that a line begins with if it looks like a command; None for a path, and behind a space."""
    found = _COMMAND.match(typed)
    return None if found is None else found[0]


def _read_input() -> str:
    """Read what is typed; lines that were pasted with a first one belong to it.

    Raises:
        EOFError: The input has ended.
    """
    line = _read_line()
    if not is_terminal(sys.stdin):
        return line
    pasted = b""
    # Not by sys.stdin, which would keep what is behind the first line end, and which `input` does not read from.
    while _is_waiting() and (read := os.read(sys.stdin.fileno(), _MOST_PASTED)):
        pasted += read
    if not pasted:
        return line
    return "\n".join([line, *lines_of(pasted.decode("utf-8", "surrogateescape").rstrip("\r\n"))])


def _is_waiting() -> bool:
    """Return whether another line is there already: nobody types that fast."""
    import select

    try:
        return bool(select.select([sys.stdin], [], [], _PASTED_WITHIN)[0])
    except (OSError, ValueError):  # a system that can wait for sockets only
        return False


def _read_line() -> str:
    try:
        if is_terminal(sys.stdin) and is_terminal(sys.stdout):
            with contextlib.suppress(ImportError):
                import readline  # gives `input` a history and keys to edit with

                # A terminal then marks what is pasted, so that its lines are one input, and can still be edited.
                readline.parse_and_bind("set enable-bracketed-paste on")
            return input(_PROMPT)
        # stdout is for answers alone
        click.echo(_PROMPT, nl=False, err=True)
        line = "" if sys.stdin is None else sys.stdin.readline()
    except UnicodeDecodeError:
        return _NOT_TEXT
    if not line:
        raise EOFError
    return line.removeprefix("\ufeff")
