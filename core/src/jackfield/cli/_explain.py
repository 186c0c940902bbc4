"""`jackfield explain`: the exact request, without sending it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from jackfield import UnsupportedError

from ._input import generation, read_options, read_text, read_texts, stream_option
from ._output import as_json, cost_words, write_table
from ._session import Session, shared
from ._targets import choose_target, told_before

if TYPE_CHECKING:
    from jackfield import Cost, Plan

__all__ = ["COMMANDS"]

KINDS = ("chat", "completion", "summarization", "embedding", "rerank")


@click.command()
@click.argument("prompt", nargs=-1)
@generation
@click.option("--kind", type=click.Choice(KINDS), default="chat", show_default=True, help="The kind of call.")
@stream_option
@shared
@click.pass_obj
def explain(
    session: Session,
    /,
    prompt: tuple[str, ...],
    target: str | None,
    kind: Any,
    stream: bool | None,
    options: tuple[str, ...],
    **named: Any,
) -> None:
    """Show the request that a call would send, what becomes of each parameter, and what it may cost.

    Sends nothing and shows no secret. Takes the options of `chat`, `complete`, `summarize`, `embed` and `rerank`; of the
    last, PROMPT is the query, and the documents follow it.
    """
    given = read_options(kind, options, **named)
    text: Any
    if kind == "rerank":
        given["query"], text = _query_and_documents(prompt)
    else:
        text = read_text(prompt, "PROMPT")
    chosen = choose_target(session, target, kind)
    if kind in {"chat", "completion"}:
        given["stream"] = not session.json if stream is None else stream
    for notice in told_before(session, chosen):
        if notice.startswith("warning"):
            session.note(notice)
    mesh = session.mesh()
    try:
        plan = mesh.explain(chosen, text, kind=kind, **given)
    except UnsupportedError as error:
        # As the call itself: streaming is only our own wish unless the person asked for it.
        if error.parameter != "stream" or stream is not None:
            raise
        plan = mesh.explain(chosen, text, kind=kind, **{**given, "stream": False})
    middlewares = session.config.connections[plan.connection].middlewares
    if session.json:
        session.write_json({**_as_dict(plan), "middlewares": list(middlewares)})
    else:
        _write(plan, middlewares)


def _query_and_documents(words: Sequence[str]) -> tuple[str, list[str]]:
    if not words:
        raise click.UsageError(
            "the query is missing; write it, and the documents behind it", click.get_current_context()
        )
    return words[0], read_texts(words[1:], "DOCUMENTS")


def _write(plan: Plan, middlewares: Sequence[str]) -> None:
    click.echo(f"{plan.connection}:{plan.model} ({plan.provider})\n")
    click.echo(f"{plan.method} {plan.url}" if plan.url else f"{plan.wire.path} (in this process)")
    for name, value in plan.headers.items():
        click.echo(f"{name}: {value}")
    click.echo(f"\n{_body(plan.body)}\n")
    if len(plan.parameters):
        rows = [
            (note.name, note.fate, note.wire or "", as_json(note.value), note.why or "")
            for note in plan.parameters
        ]
        write_table(("parameter", "fate", "sent as", "value", "why"), rows)
        click.echo()
    count = plan.input_tokens
    how = "counted" if count.exact else "estimated"
    click.echo(f"input: {count.input_tokens} tokens ({how}: {count.source}), {_about(plan.cost)}")
    if plan.most_cost is not None and plan.most_cost.amount is not None:
        click.echo(f"with the longest answer: {_about(plan.most_cost)}")
    if middlewares:
        noun = "middleware" if len(middlewares) == 1 else "middlewares"
        click.echo(f"{noun} {', '.join(middlewares)} may change this")


def _about(cost: Cost) -> str:
    # An estimate is partial by nature, and says so in other words than a bill.
    return cost_words(cost).replace("at least", "about")


def _body(body: Any) -> str:
    if isinstance(body, bytes):
        return body.decode("utf-8", "replace")
    return as_json(body, indent=True)


def _as_dict(plan: Plan) -> dict[str, Any]:
    names = (
        "connection",
        "provider",
        "model",
        "method",
        "url",
        "headers",
        "input_tokens",
        "cost",
        "most_cost",
    )
    body = plan.body.decode("utf-8", "replace") if isinstance(plan.body, bytes) else plan.body
    said = {name: getattr(plan, name) for name in names}
    said["input_tokens"] = {
        name: getattr(plan.input_tokens, name) for name in ("input_tokens", "exact", "source")
    }
    return {**said, "path": plan.wire.path, "body": body, "parameters": tuple(plan.parameters)}


COMMANDS = (explain,)
