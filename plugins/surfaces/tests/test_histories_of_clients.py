"""What a client sends back of an answer is the assistant's turn that the provider gave, with all that it wants back."""

import json

import attrs
import pytest
from reading_back import CHATS, as_reply, ask, whole_bytes
from surface_recordings import APIS, answers

from jackfield import RawPart, Text, Thinking, ToolCall
from jackfield_surfaces import SURFACES, Envelopes, make_surfaces
from jackfield_surfaces._encoding import needed_of_call


def sent_back(surface, whole):
    """Return the fields of a next request, as a client writes them that keeps what it was given."""
    if surface == "openai.chat":
        return {"messages": [{"role": "user", "content": "Hi"}, whole["choices"][0]["message"]]}
    if surface == "openai.responses":
        return {"input": [{"role": "user", "content": "Hi"}, *whole["output"]]}
    answer = {"role": "assistant", "content": whole["content"]}
    return {"messages": [{"role": "user", "content": "Hi"}, answer]}


def turn_of(surface, whole):
    """Return the assistant's turns that a surface reads in it."""
    asked = ask(surface, **sent_back(surface, whole))
    return [message for message in asked.arguments[0] if message.role == "assistant"]


def data_of(parts):
    """Return everything opaque that a provider wants back, by kind."""
    return {
        "thinking": [(p.provider, p.model, p.data) for p in parts if isinstance(p, Thinking) and p.data],
        "raw": [(p.provider, p.data) for p in parts if isinstance(p, RawPart)],
        "calls": [
            (p.id, p.name, p.arguments, p.arguments_raw, needed_of_call(p.provider_data or {}))
            for p in parts
            if isinstance(p, ToolCall)
        ],
    }


def usual(data):
    """Return data as it looks after it was JSON, and without the model that Anthropic's own signatures do not name."""
    plain = json.loads(json.dumps(data))
    for entry in plain["thinking"]:
        entry[1] = None if entry[0] == "anthropic" else entry[1]
    return plain


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("surface", CHATS)
def test_an_answer_that_is_sent_back_is_the_turn_that_it_was(surface, api):
    wrong = {}
    for row, provider, events in answers(api):
        reply = as_reply(events, provider, row["model"] or "m")
        if not reply.choices or not reply.message.parts:
            continue
        turns = turn_of(surface, json.loads(whole_bytes(surface, reply)))
        parts = [part for turn in turns for part in turn.parts]
        want, got = usual(data_of(reply.message.parts)), usual(data_of(parts))
        said = "".join(p.text for p in reply.message.parts if isinstance(p, Text))
        again = "".join(p.text for p in parts if isinstance(p, Text))
        if want != got or said != again:
            wrong[row["id"]] = {k: (want[k], got[k]) for k in want if want[k] != got[k]}, (said == again)
    assert wrong == {}


def test_an_envelope_is_not_opened_for_another_owner_or_with_another_key():
    mine = Envelopes(b"k" * 32, owner="org/a")
    sealed = mine.of_thinking("vertex", "gemini", {"signature": "x"})
    assert mine.open(sealed).data == {"signature": "x"}
    assert Envelopes(b"k" * 32, owner="org/a").open(sealed) == mine.open(sealed)
    for other in (Envelopes(b"k" * 32, owner="org/b"), Envelopes(b"j" * 32, owner="org/a"), Envelopes()):
        assert other.open(sealed) is None
    for changed in (sealed[:-2], sealed[:5] + "A" + sealed[6:], sealed + "A", "jf1.", "jf1.!", "", "gAAAA"):
        assert mine.open(changed) is None


def test_thinking_that_was_sealed_elsewhere_is_left_out_and_reported():
    other = make_surfaces(Envelopes())
    reply = as_reply([], "vertex", "gemini")
    choice = reply_with(Thinking("", "vertex", "gemini", {"signature": "x"}), Text("Yes."))
    for surface in CHATS:
        whole = json.loads(other[surface].whole(ask(surface), attrs.evolve(reply, choices=(choice,))))
        asked = ask(surface, **sent_back(surface, whole))
        (turn,) = [message for message in asked.arguments[0] if message.role == "assistant"]
        assert [type(part) for part in turn.parts] == [Text]
        assert any("not sealed here" in note.why for note in asked.notes)


def reply_with(*parts):
    from jackfield import Choice, Message

    return Choice(index=0, message=Message("assistant", parts), finish_reason="stop")


def test_data_of_a_call_that_was_sealed_elsewhere_is_left_out_and_reported():
    other = make_surfaces(Envelopes())
    call = ToolCall("c", "f", {}, provider_data={"vertex": {"thoughtSignature": "x"}})
    reply = attrs.evolve(as_reply([], "vertex", "gemini"), choices=(reply_with(call),))
    for surface in CHATS:
        whole = json.loads(other[surface].whole(ask(surface), reply))
        asked = ask(surface, **sent_back(surface, whole))
        (turn,) = [message for message in asked.arguments[0] if message.role == "assistant"]
        assert turn.parts == (ToolCall("c", "f", {}),)
        assert any("not sealed here" in note.why for note in asked.notes)


def test_all_surfaces_of_one_process_open_what_one_of_them_has_sealed():
    choice = reply_with(Thinking("Hm.", "vertex", "gemini", {"signature": "x"}), Text("Yes."))
    reply = attrs.evolve(as_reply([], "vertex", "gemini"), choices=(choice,))
    whole = json.loads(SURFACES["anthropic.messages"].whole(ask("anthropic.messages"), reply))
    signature = whole["content"][0]["signature"]
    item = {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "Hm."}],
        "encrypted_content": signature,
    }
    asked = ask("openai.responses", input=[{"role": "user", "content": "Hi"}, item])
    assert asked.arguments[0][1].parts == (Thinking("Hm.", "vertex", "gemini", {"signature": "x"}),)
