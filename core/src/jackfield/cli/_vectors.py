"""`jackfield embed` and `rerank`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from ._input import model_option_of, options_option, read_options, read_texts
from ._output import cost_words, replay_words, safe, usage_words, write_table
from ._session import Session, shared
from ._targets import choose_target, told_after, told_before

if TYPE_CHECKING:
    from jackfield import EmbedReply, Mesh, RerankReply

__all__ = ["COMMANDS"]

_SHOWN_VALUES = 4
_SHOWN_LETTERS = 60


@click.command()
@click.argument("text", nargs=-1)
@model_option_of("embedding")
@click.option("--dimensions", type=int, help="The length of the vectors, where the model lets one choose.")
@click.option("--input-type", help="query, document, classification, clustering or similarity.")
@options_option
@shared
@click.pass_obj
def embed(
    session: Session, /, text: tuple[str, ...], target: str | None, options: tuple[str, ...], **named: Any
) -> None:
    """Embed texts: each TEXT, or each line that is piped in. `--json` gives the whole vectors."""
    given = read_options("embedding", options, **named)
    texts = read_texts(text, "TEXTs")
    chosen = choose_target(session, target, "embedding")

    async def embedded(mesh: Mesh) -> None:
        reply = await mesh.embed(chosen, texts, **given)
        if session.json:
            notice = _notice(session, chosen, reply)
            session.write_json({**_facts(reply), **notice, "embeddings": reply.lists()})
            return
        rows = [_row(one, values) for one, values in zip(texts, reply.lists(), strict=True)]
        write_table(("text", "dimensions", "first values"), rows)
        _note(session, chosen, reply)

    session.run(embedded)


@click.command()
@click.argument("query")
@click.argument("document", nargs=-1)
@model_option_of("rerank")
@click.option("--top-n", type=int, help="How many of the best to give.")
@options_option
@shared
@click.pass_obj
def rerank(
    session: Session,
    /,
    query: str,
    document: tuple[str, ...],
    target: str | None,
    options: tuple[str, ...],
    **named: Any,
) -> None:
    """Order documents by how well they fit QUERY: each DOCUMENT, or each line that is piped in."""
    given = read_options("rerank", options, **named)
    documents = read_texts(document, "DOCUMENTs")
    chosen = choose_target(session, target, "rerank")

    async def ranked(mesh: Mesh) -> None:
        reply = await mesh.rerank(chosen, query, documents, **given)
        if session.json:
            results = [
                {"index": one.index, "score": one.score, "document": documents[one.index]}
                for one in reply.results
            ]
            session.write_json({**_facts(reply), **_notice(session, chosen, reply), "results": results})
            return
        rows = [(f"{one.score:.4f}", one.index, _short(documents[one.index])) for one in reply.results]
        write_table(("score", "index", "document"), rows)
        _note(session, chosen, reply)

    session.run(ranked)


def _row(text: str, values: Sequence[float]) -> tuple[str, int, str]:
    first = ", ".join(f"{value:.4f}" for value in values[:_SHOWN_VALUES])
    return _short(text), len(values), f"{first}, ..." if len(values) > _SHOWN_VALUES else first


def _short(text: str) -> str:
    line = safe(" ".join(text.split()))
    return line if len(line) <= _SHOWN_LETTERS else f"{line[: _SHOWN_LETTERS - 3]}..."


def _facts(reply: EmbedReply | RerankReply) -> dict[str, Any]:
    names = ("id", "connection", "provider", "model", "usage", "cost", "attempts", "replay")
    return {**{name: getattr(reply, name) for name in names}, "parameters": tuple(reply.parameters)}


def _notice(session: Session, target: str, reply: EmbedReply | RerankReply) -> dict[str, str]:
    notices = [*told_before(session, target), *told_after(session, target, reply.attempts)]
    return {"notice": " ".join(notices)} if notices else {}


def _note(session: Session, target: str, reply: EmbedReply | RerankReply) -> None:
    from ._answers import note_parameters

    for notice in _notice(session, target, reply).values():
        session.note(notice)
    note_parameters(session, reply.parameters)
    parts = [f"{reply.connection}:{reply.model}", usage_words(reply.usage), cost_words(reply.cost)]
    if reply.replay is not None:
        parts.append(replay_words(reply.replay))
    session.note(", ".join(parts))


COMMANDS = (embed, rerank)
