"""Whatever a service answered, a surface carries: written in its form and read again, it is the same reply.

What a surface cannot carry stands in `LOSSES`.
"""

from collections import Counter

import attrs
import pytest
from reading_back import CHATS, as_reply, lossy, read_back, streamed_bytes, view, whole_bytes
from recordings import counted
from surface_recordings import APIS, answers

from jackfield_surfaces import LOSSES, SURFACES

COUNTS = {
    "openai.chat": 572, "openai.completions": 52, "openai.responses": 71, "azure_openai.chat": 41, "azure_openai.responses": 12,
    "azure_ml.chat": 49, "mistral.chat": 178, "databricks.chat": 16, "snowflake.openai_chat": 5, "cohere.chat_v1": 24,
    "cohere.chat_v2": 101, "compat.chat": 148, "hf.chat": 103, "anthropic.messages": 577, "bedrock.converse": 246,
    "bedrock.converse_stream": 49, "bedrock.invoke": 143, "bedrock.invoke_stream": 58, "bedrock.openai_chat": 27,
    "bedrock.openai_responses": 4, "vertex.generateContent": 448, "vertex.streamGenerateContent": 243, "vertex.rawPredict": 7,
    "vertex.streamRawPredict": 8,
}  # fmt: skip


def difference(surface, reply, data, *, stream, cut=None):
    got = view(read_back(surface, data, stream=stream, cut=cut))
    want = lossy(surface, reply, stream=stream)
    if surface == "openai.chat":
        got["choices"], want["choices"] = got["choices"][:1], want["choices"][:1]
    return {name: (want[name], got[name]) for name in want if want[name] != got[name]}


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("surface", CHATS)
def test_recorded_answers_are_carried_streamed_and_whole(api, surface):
    rows = answers(api)
    assert len(rows) == counted(COUNTS[api])
    wrong = {}
    for row, provider, events in rows:
        reply = as_reply(events, provider, row["model"] or "m")
        alone = (
            surface == "openai.chat" or len(reply.choices) < 2
        )  # the others cannot ask for more, and get the first
        for stream in (True, False) if alone else (False,):
            data = streamed_bytes(surface, events, reply) if stream else whole_bytes(surface, reply)
            found = difference(surface, reply, data, stream=stream)
            if found:
                wrong[row["id"], stream] = found
    assert wrong == {}


@pytest.mark.parametrize("api", ["openai.completions"])
def test_recorded_completions_are_carried_streamed_and_whole(api):
    for row, provider, events in answers(api):
        reply = as_reply(events, provider, row["model"] or "m")
        for stream in (True, False):
            surface = "openai.completions"
            data = streamed_bytes(surface, events, reply) if stream else whole_bytes(surface, reply)
            again = read_back(surface, data, stream=stream)
            assert [c.text for c in again.choices] == [c.text for c in reply.choices], row["id"]
            assert again.finish_reason == reply.finish_reason, row["id"]
            if reply.usage.total_tokens is not None:
                assert again.usage == attrs.evolve(reply.usage, details=again.usage.details), row["id"]


@pytest.mark.parametrize("surface", CHATS)
@pytest.mark.parametrize("api", ["openai.responses", "vertex.streamGenerateContent", "anthropic.messages"])
def test_a_written_stream_may_be_cut_at_any_byte(surface, api):
    """The longest streams would take minutes in pieces of one byte, and show nothing else."""
    shortest = sorted(answers(api), key=lambda found: len(str(found[2])))
    for row, provider, events in shortest[len(shortest) // 3 :][:12]:
        reply = as_reply(events, provider, row["model"] or "m")
        data = streamed_bytes(surface, events, reply)
        for cut in (1, 7):
            assert difference(surface, reply, data, stream=True, cut=cut) == {}, row["id"]


def test_every_loss_is_of_a_surface_and_seen_in_what_a_client_sees():
    fields = set(view(as_reply([])))
    assert {loss.surface for loss in LOSSES} <= set(SURFACES)
    assert {loss.field for loss in LOSSES} <= fields
    assert all(loss.what and loss.becomes and loss.why for loss in LOSSES)
    assert max(Counter((loss.surface, loss.field, loss.what) for loss in LOSSES).values()) == 1
