"""A conversation at the terminal: turns, one after the other, over one open mesh."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Any, Final

import attrs
import click

from jackfield import JackfieldError

from ._answers import Question, answer
from ._bars import progress_shown
from ._failures import describe
from ._output import is_terminal, write_aside
from ._session import Session
from ._targets import told_before

__all__ = ["converse"]

HELP: Final = "/reset forgets what was said, /exit or Ctrl-D leaves, Ctrl-C stops an answer"
_PROMPT: Final = "> "


def converse(session: Session, question: Question) -> None:
    """Run a conversation turn by turn until the user leaves. `question.input` is the first turn, "" for none."""
    mesh = session.mesh()
    notices = told_before(session, question.target)
    session.note("\n".join([*notices, f"{HELP}."]) if notices else f"Talking to {question.target}. {HELP}.")
    conversation = _Conversation(session, mesh, attrs.evolve(question, told=True))
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
                line = _read_line().strip()
            except EOFError:
                write_aside("")  # the shell's own prompt begins a line
                return None
            except KeyboardInterrupt:
                write_aside("")
                continue
            if line in {"/exit", "/quit"}:
                return None
            if line == "/reset":
                self._messages = []
                self._session.note("Forgotten.")
            elif line.startswith("/") and " " not in line and "/" not in line[1:]:
                self._session.note(HELP if line == "/help" else f"There is no {line}; {HELP}.")
            elif line:
                return line

    def take(self, runner: asyncio.Runner, line: str) -> None:
        """Run one turn. A turn that fails or is stopped is not kept in the history, and the conversation goes on."""
        messages = [*self._messages, {"role": "user", "content": line}]
        question = attrs.evolve(self._question, input=messages)
        try:
            reply = runner.run(answer(self._session, self._mesh, question))
        except KeyboardInterrupt:
            self._session.note("Stopped; this turn is forgotten.")
        except JackfieldError as error:
            write_aside(f"Error: {describe(error, answer_begun=self._session.answer_begun)}", fg="red")
        else:
            self._messages = [*messages, reply.message]


def _read_line() -> str:
    if is_terminal(sys.stdin) and is_terminal(sys.stdout):
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401 -- gives `input` a history and keys to edit with
        return input(_PROMPT)
    # stdout is for answers alone
    click.echo(_PROMPT, nl=False, err=True)
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line
