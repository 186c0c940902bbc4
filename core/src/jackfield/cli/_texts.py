"""`jackfield complete`, `summarize` and `count`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ._input import generation, read_options, read_text, stream_option
from ._session import Session, shared
from ._targets import choose_target

if TYPE_CHECKING:
    from jackfield import Mesh

__all__ = ["COMMANDS"]


@click.command()
@click.argument("prompt", nargs=-1)
@generation
@stream_option
@shared
@click.pass_obj
def complete(
    session: Session,
    /,
    prompt: tuple[str, ...],
    target: str | None,
    stream: bool | None,
    options: tuple[str, ...],
    **named: Any,
) -> None:
    """Go on with a text."""
    from ._answers import Question, answer

    given = read_options("completion", options, **named)
    text = read_text(prompt, "PROMPT")
    question = Question("completion", choose_target(session, target, "completion"), text, given, stream)
    session.run(lambda mesh: answer(session, mesh, question))


@click.command()
@click.argument("text", nargs=-1)
@generation
@shared
@click.pass_obj
def summarize(
    session: Session, /, text: tuple[str, ...], target: str | None, options: tuple[str, ...], **named: Any
) -> None:
    """Sum up a text, most often one that is piped in."""
    from ._answers import Question, answer

    given = read_options("summarization", options, **named)
    whole = read_text(text, "TEXT")
    question = Question("summarization", choose_target(session, target, "summarization"), whole, given)
    session.run(lambda mesh: answer(session, mesh, question))


@click.command()
@click.argument("prompt", nargs=-1)
@generation
@shared
@click.pass_obj
def count(
    session: Session, /, prompt: tuple[str, ...], target: str | None, options: tuple[str, ...], **named: Any
) -> None:
    """Count the input tokens of a prompt: by the service where it can, else an estimate that says so."""
    given = read_options("chat", options, **named)
    text = read_text(prompt, "PROMPT")
    chosen = choose_target(session, target, "chat")

    async def counted(mesh: Mesh) -> None:
        result = await mesh.count_tokens(chosen, text, **given)
        if session.json:
            exactness = {"exact": result.exact, "source": result.source}
            session.write_json({"target": chosen, "input_tokens": result.input_tokens, **exactness})
            return
        click.echo(result.input_tokens)
        session.note(f"{chosen}, {'counted' if result.exact else 'estimated'} by {result.source}")

    session.run(counted)


COMMANDS = (complete, summarize, count)
