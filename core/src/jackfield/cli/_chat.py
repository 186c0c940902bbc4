"""`jackfield chat`: one question, or a conversation."""

from __future__ import annotations

import sys
from typing import Any

import click

from ._input import generation, read_options, read_text, stream_option
from ._output import is_terminal
from ._session import Session, shared
from ._targets import choose_target

__all__ = ["COMMANDS"]


@click.command()
@click.argument("prompt", nargs=-1)
@generation
@click.option("-i", "--interactive", is_flag=True, help="Hold a conversation; PROMPT is its first turn.")
@click.option("--thinking", is_flag=True, help="Show the model's thinking, on stderr.")
@stream_option
@shared
@click.pass_obj
def chat(
    session: Session,
    /,
    prompt: tuple[str, ...],
    target: str | None,
    interactive: bool,
    stream: bool | None,
    thinking: bool,
    options: tuple[str, ...],
    **named: Any,
) -> None:
    """Chat with a model; without PROMPT and at a terminal, start a conversation.

    What is piped in follows PROMPT. The answer goes to stdout as it comes, everything else to stderr.
    """
    from ._answers import Question, answer

    given = read_options("chat", options, **named)
    interactive = interactive or (not prompt and is_terminal(sys.stdin))
    if interactive and session.json:
        raise click.UsageError("a conversation has no JSON form; give a PROMPT", click.get_current_context())
    text = " ".join(prompt) if interactive else read_text(prompt, "PROMPT")
    chosen = choose_target(session, target, "chat")
    question = Question("chat", chosen, text, given, stream, thinking)
    if interactive:
        from ._conversation import converse

        converse(session, question)
    else:
        session.run(lambda mesh: answer(session, mesh, question))


COMMANDS = (chat,)
